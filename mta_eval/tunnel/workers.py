"""Trainings in several processes at once. They end with the process that started them, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

from mta_eval.errors import ModelError, MtaEvalError

Job = TypeVar("Job")
Done = TypeVar("Done")


def run_jobs(
    jobs: Iterable[Job], work: Callable[[Job], Done], ended: Callable[[Job, Done], Iterable[Job]], processes: int
) -> None:
    """Do `work` of all jobs, and of those that `ended` says follow from one; in this process if `processes` is 1.

    Raises what `work` raises, if it is an MtaEvalError, and ModelError if a process ends by itself. Then, and when
    this process is stopped, all others are ended.
    """
    waiting = deque(jobs)
    if processes == 1:
        while waiting:
            job = waiting.popleft()
            waiting.extend(ended(job, work(job)))
        return
    workers: list[_Worker[Job, Done]] = []
    try:
        while waiting or any(worker.job is not None for worker in workers):
            while waiting:
                idle = next((worker for worker in workers if worker.job is None), None)
                if idle is None and len(workers) < processes:
                    idle = _Worker(work)
                    workers.append(idle)
                if idle is None:
                    break
                idle.start(waiting.popleft())
            for worker in _ready([worker for worker in workers if worker.job is not None]):
                job, done = worker.end()
                waiting.extend(ended(job, done))
    finally:
        for worker in workers:
            worker.stop()


class _Worker(Generic[Job, Done]):
    """A process that does one job after another."""

    def __init__(self, work: Callable[[Job], Done]) -> None:
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self.process.start()
        theirs.close()  # so that its end is seen here
        self.job: Job | None = None

    def start(self, job: Job) -> None:
        self.job = job
        self.connection.send(job)

    def end(self) -> tuple[Job, Done]:
        job, self.job = self.job, None
        assert job is not None
        try:
            done: Done | BaseException = self.connection.recv()
        except EOFError as error:
            self.process.join()
            raise ModelError(
                f"a training process ended by itself (exit code {self.process.exitcode}); if memory was short, "
                "--jobs 1 needs less. The same command goes on"
            ) from error
        if isinstance(done, BaseException):
            raise done
        return job, done

    def stop(self) -> None:
        self.process.kill()  # whatever it does, its folder survives it
        self.process.join()
        self.connection.close()


def _ready(workers: list[_Worker[Job, Done]]) -> list[_Worker[Job, Done]]:
    """Those of `workers` that have ended their jobs; waits for one."""
    connections = wait([worker.connection for worker in workers])
    return [worker for worker in workers if worker.connection in connections]


def _serve(connection: Connection, work: Callable[[Job], Done]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            connection.send(work(job))
        except MtaEvalError as error:
            connection.send(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

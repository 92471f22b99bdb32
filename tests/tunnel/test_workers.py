"""Jobs in several processes: all are done, what follows is done, and nothing outlives the process that asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from mta_eval.errors import ModelError, SpecError
from mta_eval.tunnel.workers import run_jobs

HERE = Path(__file__).parent


def squared(job: int) -> tuple[int, int]:
    return job * job, os.getpid()


def nothing_follows(*_: object) -> Iterable[int]:
    return ()


def refused(job: int) -> int:
    raise SpecError(f"no {job}")


def killed(job: int) -> int:
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def waiting(folder: str, job: int) -> int:
    Path(folder, str(job)).write_text(str(os.getpid()))
    time.sleep(600)
    return job


def all_of(processes: int) -> tuple[dict[int, int], set[int]]:
    done: dict[int, int] = {}
    pids = set()

    def ended(job: int, result: tuple[int, int]) -> Iterable[int]:
        done[job] = result[0]
        pids.add(result[1])
        return [job + 10] if job < 10 else ()

    run_jobs([1, 2, 3], squared, ended, processes)
    return done, pids


def test_one_process_is_this_one() -> None:
    assert all_of(1) == ({1: 1, 2: 4, 3: 9, 11: 121, 12: 144, 13: 169}, {os.getpid()})


def test_several_processes_do_all_jobs_and_those_that_follow() -> None:
    done, pids = all_of(2)
    assert done == all_of(1)[0]
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2
    time.sleep(0.05)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_of_a_job_is_raised_here(processes: int) -> None:
    with pytest.raises(SpecError, match="no 1"):
        run_jobs([1], refused, nothing_follows, processes)


def test_a_process_that_ends_by_itself_is_one_line() -> None:
    with pytest.raises(ModelError, match=r"ended by itself \(exit code -9\); if memory was short, --jobs 1 needs less"):
        run_jobs([1, 2, 3], killed, nothing_follows, 2)


@pytest.mark.slow
def test_a_killed_parent_leaves_nobody_behind(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from functools import partial\nfrom test_workers import waiting\n"
        "from mta_eval.tunnel.workers import run_jobs\n"
        f"if __name__ == '__main__': run_jobs([1, 2], partial(waiting, {str(tmp_path)!r}), None, 2)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while len([*tmp_path.glob("[12]")]) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.1)
    pids = [int(path.read_text()) for path in tmp_path.glob("[12]")]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_partial_functions_are_work_too() -> None:
    done: list[int] = []
    run_jobs([3], partial(pow, 2), lambda *both: done.append(both[1]) or (), 1)
    assert done == [8]

"""The replica pool: assigns groups of samples to replicas on a cluster, and replaces replicas that die.

A group holds samples that share a haystack; its records arrive one by one. If a worker dies, the samples of its group
that have no record yet go to another replica.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from mta_eval import registry
from mta_eval.core import Plan, Record, SampleKey
from mta_eval.distributed import cluster
from mta_eval.distributed.cluster import Cluster, Placement
from mta_eval.distributed.replica import ModelFacts, Workspace
from mta_eval.distributed.slot import ReplicaSlot, WorkerDiedError
from mta_eval.distributed.work_queue import WorkQueue
from mta_eval.errors import ModelError, SpecError

MAX_DEATHS = 3  # of workers, without a record in between, until the rest of a group becomes errors
GROUPS_AHEAD = 2  # groups per replica that may be assigned while the first of them is unfinished
WAIT_SECONDS = 60.0  # without a single replica, until the run ends with an error
POLL_SECONDS = 1.0  # at most between two checks for dead replicas
RETRY_SECONDS = 0.1  # between two checks for reserved resources


@contextmanager
def replica_pool(wanted: Cluster, plan: Plan) -> Iterator[ReplicaPool]:
    """A context with replicas that can answer a plan; they end with the block.

    Raises SpecError if the cluster cannot be joined or is too small, or if a model or task has no spec to be built
    from; ModelError and other MtaEvalErrors if a worker cannot build the models of the plan.
    """
    _check_specs(plan)
    with cluster.joined_cluster(wanted.address):
        pool = ReplicaPool(cluster.placement_for(wanted, cluster.node_resources()))
        try:
            pool.inspect_models(plan)
            yield pool
        finally:
            pool.close()


class ReplicaPool:
    """Replicas on a cluster that has been joined."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self._facts: dict[str, ModelFacts] = {}
        self._workspace = Workspace.current()
        self._slots = [ReplicaSlot(placement, self._workspace) for _ in range(placement.replicas)]
        self._deaths = 0  # since the last record
        self._last_busy = time.monotonic()  # when a replica was last at work

    @property
    def settings(self) -> dict[str, Mapping[str, str]]:
        """What `Model.describe` returns on the workers for each model: dtype, device, …"""
        return {model: facts.settings for model, facts in self._facts.items()}

    def inspect_models(self, plan: Plan) -> None:
        """Get the facts of every model from one replica. Raises MtaEvalError if it cannot, or tokenizers differ."""
        while not (ready := [slot for slot in self._slots if slot.ready()]):
            self._wait_for_resources()
        try:
            self._facts = ready[0].inspect_models(plan.models)
        except WorkerDiedError as error:
            raise ModelError(f"the first worker died before it had seen the models: {error}") from error
        for name, model in plan.models.items():
            if self._facts[name].fingerprint != model.tokenizer.fingerprint:
                raise ModelError(f"the workers have another tokenizer of {name} than this machine; share one copy")

    def run(self, plan: Plan, done: Collection[SampleKey] = ()) -> Iterator[Record]:
        """The records of `runner.run`, in its order. Raises as it does, and ModelError if no replica is left.

        A group whose workers die MAX_DEATHS times in a row becomes records with an error. If the run ends early,
        records that arrived before their turn are yielded too.
        """
        queue = WorkQueue(plan, done, self._facts)
        try:
            while not queue.finished:
                self._assign(queue)
                self._collect(queue)
                yield from queue.take_ready()
        except (Exception, KeyboardInterrupt):
            yield from queue.take_unordered()
            raise

    def close(self) -> None:
        """End all replicas."""
        for slot in self._slots:
            slot.close()

    def _assign(self, queue: WorkQueue) -> None:
        for slot in self._slots:
            if slot.group is None and slot.ready() and (group := queue.next_group(GROUPS_AHEAD * len(self._slots))):
                slot.submit(group, queue.request(group))

    def _collect(self, queue: WorkQueue) -> None:
        """Take one record, and replace dead replicas."""
        import ray

        busy = {slot.stream: slot for slot in self._slots if slot.group is not None}
        if not busy:
            return self._wait_for_resources()
        self._last_busy = time.monotonic()
        ready, _ = ray.wait(list(busy), num_returns=1, timeout=POLL_SECONDS)
        for stream, slot in busy.items():
            if stream in ready:
                self._receive(slot, queue)
            elif not slot.started and not slot.ready():
                self._replace(slot, queue, "its node is gone")
        return None

    def _receive(self, slot: ReplicaSlot, queue: WorkQueue) -> None:
        group = slot.group
        assert group is not None
        try:
            record = slot.receive()
        except WorkerDiedError as error:
            return self._replace(slot, queue, str(error))
        if record is not None:
            group.records.append(record)
            group.deaths = self._deaths = 0
        return None

    def _replace(self, slot: ReplicaSlot, queue: WorkQueue, reason: str) -> None:
        """Put a new slot in a dead one's place, and its group back into the queue. Raises ModelError if all die."""
        group = slot.group
        assert group is not None
        slot.close()
        self._slots[self._slots.index(slot)] = ReplicaSlot(self.placement, self._workspace)
        self._deaths += 1
        if self._deaths >= MAX_DEATHS * (len(self._slots) + 1):
            raise ModelError(
                f"{self._deaths} workers died one after the other, and none gave an answer; the last: {reason}"
            )
        group.deaths += 1
        if group.deaths < MAX_DEATHS:
            queue.put_back(group)
        else:
            queue.fail(group, f"its worker died {MAX_DEATHS} times: {reason}")

    def _wait_for_resources(self) -> None:
        """Sleep a moment. Raises ModelError if there has been no replica for WAIT_SECONDS."""
        if time.monotonic() - self._last_busy > WAIT_SECONDS:
            raise ModelError(
                f"no room for a replica in {WAIT_SECONDS:g} seconds: {self.placement} wanted, and the cluster has "
                f"{cluster.resources_text(cluster.node_resources())}, or others use it; run the same command again to "
                "continue"
            )
        time.sleep(RETRY_SECONDS)


def _check_specs(plan: Plan) -> None:
    """Raises SpecError for a model or task whose class is not registered: workers could not build it."""
    for spec, model in plan.models.items():
        _check_spec("models", spec, type(model))
    for spec, task in plan.tasks.items():
        _check_spec("tasks", spec, type(task))


def _check_spec(kind: registry.Kind, spec: str, class_: type[object]) -> None:
    name = registry.parse(spec)[0]
    if name not in registry.names(kind) or registry.find(kind, name) is not class_:
        raise SpecError(f"{spec} lives in this process alone; replicas build their {kind} from specs, such as hf:PATH")

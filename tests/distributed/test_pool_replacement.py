"""The replica pool with slots that need no Ray: which replicas are replaced, and when a run ends."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import ClassVar

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, Record, Sweep
from mta_eval.distributed import cluster, pool
from mta_eval.distributed.cluster import Placement
from mta_eval.distributed.replica import ModelFacts, Replica, SampleRequest, Workspace
from mta_eval.distributed.slot import WorkerDiedError
from mta_eval.distributed.work_queue import SampleGroup
from mta_eval.errors import ModelError

PLAN = Plan(
    registry.build_all(["niah"], registry.build_task),
    registry.build_all(["window:300"], registry.build_model),
    Sweep((256,), (0.0, 0.5, 1.0), 3),
)


class FakeSlot:
    """A slot that answers in this process. Each record takes an event of `script`: answer, die, lost, error."""

    script: ClassVar[deque[str]] = deque()
    available = True
    closed = 0
    submitted: ClassVar[list[SampleRequest]] = []

    def __init__(self, placement: Placement, workspace: Workspace) -> None:
        self.workspace = workspace
        self.group: SampleGroup | None = None
        self.stream: Iterator[Record] | None = None
        self.started = False
        self.lost = False

    def ready(self) -> bool:
        return type(self).available and not self.lost

    def inspect_models(self, models: Collection[str]) -> dict[str, ModelFacts]:
        return Replica().inspect_models(self.workspace, list(models))

    def submit(self, group: SampleGroup, request: SampleRequest) -> None:
        self.group, self.started = group, False
        self.submitted.append(request)
        self.stream = Replica().answer(self.workspace, request)
        self.lost = bool(self.script) and self.script[0] == "lost"
        if self.lost:
            self.script.popleft()

    def receive(self) -> Record | None:
        assert self.stream is not None
        event = self.script.popleft() if self.script else "answer"
        if event == "die":
            raise WorkerDiedError("The actor is dead")
        if event == "error":
            raise ModelError("the script ends the run")
        record = next(self.stream, None)
        self.started = record is not None
        if record is None:
            self.group = self.stream = None
        return record

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> pool.ReplicaPool:
    """A pool of two such slots, which looks at the models as usual."""
    ray = ModuleType("ray")

    def wait(streams: Sequence[object], num_returns: int, **_: float) -> tuple[list[object], list[object]]:
        alive = [stream for stream in streams if not any(slot.lost and slot.stream is stream for slot in made._slots)]
        return alive[:num_returns], alive[num_returns:]

    ray.__dict__["wait"] = wait
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(pool, "ReplicaSlot", FakeSlot)
    monkeypatch.setattr(pool, "RETRY_SECONDS", 0.0)
    for name, value in {"script": deque(), "available": True, "closed": 0, "submitted": []}.items():
        monkeypatch.setattr(FakeSlot, name, value)
    made = pool.ReplicaPool(Placement(2, 1, 0.0))
    made.inspect_models(PLAN)
    return made


def bare(records: Sequence[Record]) -> list[Record]:
    return [replace(record, seconds=0.0, peak_memory=None) for record in records]


def test_the_records_are_those_of_a_run_in_one_process(replicas: pool.ReplicaPool) -> None:
    assert bare(list(replicas.run(PLAN))) == bare(list(runner.run(PLAN)))
    assert replicas.settings == {"window:300": {}}


def test_done_samples_are_not_submitted(replicas: pool.ReplicaPool) -> None:
    expected = bare(list(runner.run(PLAN)))
    done = {(record.model, 0, record.sample_id) for record in expected[:4]}
    assert bare(list(replicas.run(PLAN, done))) == expected[4:]
    assert sum(len(request.cells) for request in FakeSlot.submitted) == len(expected) - 4


def test_a_dead_worker_is_replaced_and_the_rest_of_its_group_answered(replicas: pool.ReplicaPool) -> None:
    FakeSlot.script.extend(["answer", "die"])
    assert bare(list(replicas.run(PLAN))) == bare(list(runner.run(PLAN)))
    assert FakeSlot.closed == 1
    assert [len(request.cells) for request in FakeSlot.submitted] == [3, 3, 2, 3]


def test_a_slot_whose_node_is_lost_is_replaced(replicas: pool.ReplicaPool) -> None:
    FakeSlot.script.append("lost")
    assert bare(list(replicas.run(PLAN))) == bare(list(runner.run(PLAN)))
    assert FakeSlot.closed == 1


def test_a_group_that_kills_three_workers_becomes_errors(replicas: pool.ReplicaPool) -> None:
    done = {(record.model, 0, record.sample_id) for record in list(runner.run(PLAN))[3:]}
    FakeSlot.script.extend(["die"] * 3)
    records = list(replicas.run(PLAN, done))
    assert [record.error for record in records] == ["its worker died 3 times: The actor is dead"] * 3


def test_a_record_ends_a_series_of_deaths(replicas: pool.ReplicaPool) -> None:
    done = {(record.model, 0, record.sample_id) for record in list(runner.run(PLAN))[3:]}
    FakeSlot.script.extend(["die", "die", "answer"] * 3)
    assert [record.error for record in replicas.run(PLAN, done)] == [None] * 3


def test_a_run_ends_after_nine_deaths_of_two_replicas_without_a_record(replicas: pool.ReplicaPool) -> None:
    FakeSlot.script.extend(["die"] * 9)
    wanted = "9 workers died one after the other, and none gave an answer; the last: The actor is dead"
    with pytest.raises(ModelError, match=wanted):
        list(replicas.run(PLAN))
    assert not FakeSlot.script


def test_without_a_replica_the_run_ends_with_an_error(
    replicas: pool.ReplicaPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(cluster, "node_resources", list)
    monkeypatch.setattr(FakeSlot, "available", False)
    with pytest.raises(ModelError, match=r"no room for a replica in 0\.05 seconds: 2 replicas of 1 CPU wanted"):
        list(replicas.run(PLAN))


def test_a_record_ends_a_series_of_deaths_of_the_whole_pool(replicas: pool.ReplicaPool) -> None:
    FakeSlot.script.extend([*["die"] * 6, "answer", *["die"] * 4])  # more than nine, but not one after the other
    records = list(replicas.run(PLAN))
    assert len(records) == 9


def test_a_run_that_breaks_off_yields_what_came_before_its_turn(
    replicas: pool.ReplicaPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last(streams: list[object], **_: float) -> tuple[list[object], list[object]]:
        return streams[-1:], streams[:-1]

    monkeypatch.setattr(sys.modules["ray"], "wait", last)
    FakeSlot.script.extend([*["answer"] * 4, "error"])  # the second group and its end, then the third
    records: list[Record] = []
    with pytest.raises(ModelError, match="the script ends the run"):
        records.extend(replicas.run(PLAN))
    assert bare(records) == bare(list(runner.run(PLAN)))[3:6]

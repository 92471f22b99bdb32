"""The work queue: the groups of samples that are still to be answered, and their records in the order of the run.

Knows no Ray.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from mta_eval import runner
from mta_eval.core import Cell, Plan, Record, SampleKey
from mta_eval.distributed.replica import ModelFacts, SampleRequest, prompt_hash


@dataclass(eq=False)
class SampleGroup:
    """Samples that share a haystack, and their records so far; the first `taken` of those have left the queue."""

    model: str
    task: str
    seed: int
    cells: tuple[Cell, ...]
    records: list[Record] = field(default_factory=list)
    taken: int = 0
    deaths: int = 0  # of workers, since the last record

    @property
    def remaining(self) -> tuple[Cell, ...]:
        """The cells without a record."""
        return self.cells[len(self.records) :]


class WorkQueue:
    """The groups of a plan without the samples that are `done`.

    Replicas check that the `facts` of each model are the same where they run.
    """

    def __init__(self, plan: Plan, done: Collection[SampleKey], facts: Mapping[str, ModelFacts]) -> None:
        self._plans = {one.sweep.seed: one for one in plan.by_seed()}
        self._facts = facts
        self._waiting = deque(sample_groups(plan, done))
        self._returned: deque[SampleGroup] = deque()
        self._assigned: deque[SampleGroup] = deque()
        self._witnesses: dict[tuple[str, str, int], tuple[Cell, str]] = {}

    @property
    def finished(self) -> bool:
        """Whether every record has left the queue."""
        return not self._waiting and not self._assigned

    def next_group(self, ahead: int) -> SampleGroup | None:
        """The next group to answer: one whose worker died, or a new one if fewer than `ahead` are unfinished."""
        if self._returned:
            return self._returned.popleft()
        if not self._waiting or len(self._assigned) >= ahead:
            return None
        self._assigned.append(self._waiting.popleft())
        return self._assigned[-1]

    def request(self, group: SampleGroup) -> SampleRequest:
        """The request to a replica for the remaining samples of a group."""
        pair = group.model, group.task
        plan, block = self._plans[group.seed], (*pair, group.seed)
        if block not in self._witnesses:
            self._witnesses[block] = group.cells[0], prompt_hash(plan, *pair, group.cells[0])
        cell, sha256 = self._witnesses[block]
        facts = self._facts[group.model]
        return SampleRequest(
            model=group.model,
            task=group.task,
            cells=group.remaining,
            seed=group.seed,
            seeds=plan.seeds,
            answer=plan.answer,
            over_length=plan.over_length,
            prompt=plan.settings,
            facts=facts,
            witness_cell=cell,
            witness_sha256=sha256,
        )

    def put_back(self, group: SampleGroup) -> None:
        """Queue the remaining samples of a group again, since its worker died."""
        self._returned.append(group)

    def fail(self, group: SampleGroup, error: str) -> None:
        """Give the remaining samples of a group records with this error."""
        for cell in group.remaining:
            group.records.append(runner.failed(self._plans[group.seed], group.model, group.task, cell, error))

    def take_ready(self) -> Iterator[Record]:
        """Take out the records whose turn it is."""
        while self._assigned:
            group = self._assigned[0]
            yield from group.records[group.taken :]
            group.taken = len(group.records)
            if group.remaining:
                return
            self._assigned.popleft()

    def take_unordered(self) -> Iterator[Record]:
        """The records that arrived before their turn, for a run that ends early."""
        for group in self._assigned:
            yield from group.records[group.taken :]


def sample_groups(plan: Plan, done: Collection[SampleKey]) -> Iterator[SampleGroup]:
    """What is not done, in order: neighbours of one length and repeat are one group, since they share a prefix."""
    for model in plan.models:
        for task in plan.tasks:
            for one in plan.by_seed():
                for _, cells in groupby(one.remaining(task, model, done), key=lambda cell: (cell.length, cell.repeat)):
                    yield SampleGroup(model, task, one.sweep.seed, tuple(cells))

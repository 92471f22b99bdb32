"""The desk: which groups of samples are still to ask, and which records are due, in the order of the one-process run.

Knows no Ray.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from mta_eval import runner
from mta_eval.core import Cell, Plan, Record
from mta_eval.distributed.replica import Facts, Question, prompt_hash


@dataclass(eq=False)
class Group:
    """Samples that share a haystack, and what came back of them; `given` of those records have left the desk."""

    model: str
    task: str
    cells: tuple[Cell, ...]
    records: list[Record] = field(default_factory=list)
    given: int = 0
    deaths: int = 0  # of workers, since the last record

    @property
    def left(self) -> tuple[Cell, ...]:
        """The cells without a record."""
        return self.cells[len(self.records) :]


class Desk:
    """The groups of a run. `facts` of each model are what replicas must agree with."""

    def __init__(self, plan: Plan, done: Collection[tuple[str, str]], facts: Mapping[str, Facts]) -> None:
        self._plan = plan
        self._facts = facts
        self._waiting = deque(groups(plan, done))
        self._again: deque[Group] = deque()
        self._asked: deque[Group] = deque()
        self._witnesses: dict[tuple[str, str], tuple[Cell, str]] = {}

    @property
    def finished(self) -> bool:
        """Whether every record has left."""
        return not self._waiting and not self._asked

    def next(self, ahead: int) -> Group | None:
        """The group to ask next: one whose worker died, or a new one if fewer than `ahead` are unfinished."""
        if self._again:
            return self._again.popleft()
        if not self._waiting or len(self._asked) >= ahead:
            return None
        self._asked.append(self._waiting.popleft())
        return self._asked[-1]

    def question(self, group: Group) -> Question:
        """What a replica is asked: the rest of a group."""
        pair = group.model, group.task
        if pair not in self._witnesses:
            self._witnesses[pair] = group.cells[0], prompt_hash(self._plan, *pair, group.cells[0])
        cell, witness = self._witnesses[pair]
        plan = self._plan
        facts = self._facts[group.model]
        return Question(*pair, group.left, plan.sweep.seed, plan.answer, plan.over_length, facts, cell, witness)

    def back(self, group: Group) -> None:
        """A group whose worker died: its rest is asked again."""
        self._again.append(group)

    def give_up(self, group: Group, why: str) -> None:
        """The rest of a group becomes records with an error."""
        for cell in group.left:
            group.records.append(runner.failed(self._plan, group.model, group.task, cell, why))

    def due(self) -> Iterator[Record]:
        """The records whose turn it is."""
        while self._asked:
            yield from self._asked[0].records[self._asked[0].given :]
            self._asked[0].given = len(self._asked[0].records)
            if self._asked[0].left:
                return
            self._asked.popleft()

    def early(self) -> Iterator[Record]:
        """The records that came before their turn, for a run that ends here."""
        for group in self._asked:
            yield from group.records[group.given :]


def groups(plan: Plan, done: Collection[tuple[str, str]]) -> Iterator[Group]:
    """What is not done, in order: neighbours of one length and repeat are one group, for they share a prefix."""
    for model in plan.models:
        for task in plan.tasks:
            for _, together in groupby(plan.remaining(task, model, done), key=lambda cell: (cell.length, cell.repeat)):
                yield Group(model, task, tuple(together))

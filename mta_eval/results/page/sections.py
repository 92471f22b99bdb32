"""Records -> what the report says about each task: its grids, its mistakes by kind, examples. Knows no HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mta_eval.core import Grid, Record
from mta_eval.results.grid import axis_value, grids_by_model, group_by_task
from mta_eval.results.mistakes import KINDS, kind_of
from mta_eval.results.table import slug_of

MOST_SHOWN = 10  # wrong answers, and failed samples, for each task


class Place(NamedTuple):
    """Where a record is counted: `grids[grid]`, row `y`, column `x`, all from 0."""

    grid: int
    row: int
    column: int


@dataclass(frozen=True)
class Section:
    """What the report says about one task.

    `places` and `kinds` (of mistake, None for a full score) go with `records`. `wrong` and `failed` are the examples
    that are shown of `wrong_count` and `failed_count`.
    """

    name: str
    slug: str
    records: list[Record]
    grids: list[Grid]
    places: list[Place]
    kinds: list[str | None]
    wrong: list[Record]
    wrong_count: int
    failed: list[Record]
    failed_count: int

    def mistakes(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """How often each kind of mistake was made: (kind, [(model, count), …]) for the kinds that occur."""
        counts = Counter(zip(self.kinds, (record.model for record in self.records), strict=True))
        models = list(dict.fromkeys(record.model for record in self.records))
        rows = [(kind, [(model, counts[kind, model]) for model in models]) for kind in KINDS]
        return [(kind, row) for kind, row in rows if any(count for _, count in row)]

    def errors(self) -> list[tuple[str, int]]:
        """The first line of each error and how many samples failed with it, the most frequent MOST_SHOWN."""
        found = Counter(
            (record.error.strip().splitlines() or ["(no message)"])[0]
            for record in self.records
            if record.error is not None
        )
        return found.most_common(MOST_SHOWN)


def make_sections(records: Sequence[Record], x: str, y: str) -> list[Section]:
    """One section for each task, in order of appearance, or one for all if "task" is an axis."""
    sections: list[Section] = []
    for name, group in group_by_task(records, x, y).items():
        wrong = [one for one in group if one.score is not None and one.score < 1 and not one.was_read]
        failed = [record for record in group if record.error is not None]
        grids = grids_by_model(group, x, y)
        sections.append(
            Section(
                name=name,
                slug=slug_of(name, {section.slug for section in sections}),
                records=group,
                grids=grids,
                places=list(_places(group, grids)),
                kinds=[kind_of(record) for record in group],
                wrong=_spread(wrong),
                wrong_count=len(wrong),
                failed=_spread(failed),
                failed_count=len(failed),
            )
        )
    return sections


def _places(records: Sequence[Record], grids: Sequence[Grid]) -> Iterator[Place]:
    x, y = grids[0].x, grids[0].y  # all grids of a section share their axes and the values on them
    columns = {value: column for column, value in enumerate(grids[0].xs)}
    rows = {value: row for row, value in enumerate(grids[0].ys)}
    numbers = {grid.title: place for place, grid in enumerate(grids)}
    for record in records:
        number = 0 if "model" in (x, y) else numbers[record.model]
        yield Place(number, rows[axis_value(record, y)], columns[axis_value(record, x)])


def _spread(records: Sequence[Record]) -> list[Record]:
    """At most MOST_SHOWN of `records`, evenly over all: the first ones would be one model at one length."""
    count = min(len(records), MOST_SHOWN)
    return [records[index * len(records) // count] for index in range(count)]

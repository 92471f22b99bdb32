"""Two models on the same samples: what differs, by how much, how sure. Knows no picture and no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import pandas as pd

from mta_eval.core import Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.clusters import cluster_of
from mta_eval.results.grid import axis_value, axis_values, check_axes
from mta_eval.results.statistics import Estimate, difference, holm, mcnemar, sign_flip
from mta_eval.results.table import axis_text, percent_text

LEVEL = 0.05
HEAD = ("task", "cell", "pairs", "first", "second", "difference", "only first", "only second", "p", "Holm")


class Pair(NamedTuple):
    """One sample that both models answered."""

    first: Record
    second: Record


class Pairs(NamedTuple):
    """All samples that both answered, and how many only one of them did, or could not be scored."""

    pairs: list[Pair]
    only_first: int
    only_second: int
    unscored: int


class Compared(NamedTuple):
    """The pairs of one cell of a task, or of all of it (`x` and `y` None and `whole`).

    `gap` is second - first. `only_first`, `only_second`: pairs where only that one has the full score. `p` is
    McNemar's exact one where each pair is a draw of its own and right or wrong, else that of flipping the signs of
    whole draws; `holm` is p corrected over the task's cells.
    """

    task: str
    whole: bool
    x: Any
    y: Any
    pairs: int
    first: float
    second: float
    gap: Estimate
    only_first: int
    only_second: int
    p: float
    holm: float

    @property
    def differs(self) -> bool:
        """Whether the difference holds after the correction."""
        return self.holm < LEVEL


def pair_up(first: Sequence[Record], second: Sequence[Record]) -> Pairs:
    """The samples that both have.

    Raises StoreError if there are none, one of them is not the same in both, or none was scored in both.
    """
    ours, theirs = ({_key(record): record for record in records} for records in (first, second))
    common = [key for key in ours if key in theirs]
    if not common:
        tasks = (", ".join(dict.fromkeys(record.task for record in records)) for records in (first, second))
        raise StoreError("no sample is in both: the first has {}, the second {}".format(*tasks))
    for key in common:
        one, other = ours[key], theirs[key]
        if one.prompt_sha256 != other.prompt_sha256 or one.targets != other.targets:
            why = "the seeds, the models' tokenizers or the texts differ"
            if one.truncated or other.truncated:
                why = "its prompt was cut to the window of one model"
            raise StoreError(f"{one.sample_id} is not the same sample in both: {why}; compare runs of the same samples")
    pairs = [Pair(ours[key], theirs[key]) for key in common]
    scored = [pair for pair in pairs if pair.first.score is not None and pair.second.score is not None]
    if not scored:
        raise StoreError(f"nothing to compare: of {len(pairs)} samples in both, none was answered and scored in both")
    return Pairs(scored, len(ours) - len(common), len(theirs) - len(common), len(pairs) - len(scored))


def compare(pairs: Sequence[Pair], x: str, y: str) -> list[Compared]:
    """For each task a line for all of it, and one for each cell of the axes `x` and `y`, corrected over those cells.

    Raises SpecError if no record has an axis, or one is "model": the two models stand side by side already.
    """
    if "model" in (x, y):
        raise SpecError('"model" is no axis of a comparison: its two models stand side by side; choose another axis')
    check_axes([pair.first for pair in pairs], x, y)
    tasks: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        tasks[pair.first.task].append(pair)
    return [row for task, group in tasks.items() for row in (_measure(task, group), *_cells(task, group, x, y))]


def _cells(task: str, pairs: Sequence[Pair], x: str, y: str) -> list[Compared]:
    cells: dict[tuple[Any, Any], list[Pair]] = defaultdict(list)
    for pair in pairs:
        cells[axis_value(pair.first, x), axis_value(pair.first, y)].append(pair)
    records = [pair.first for pair in pairs]
    order = [cell for cell in product(axis_values(records, x), axis_values(records, y)) if cell in cells]
    rows = [_measure(task, cells[cell], cell) for cell in order]
    return [row._replace(holm=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True)]


def _measure(task: str, pairs: Sequence[Pair], cell: tuple[Any, Any] | None = None) -> Compared:
    first = [pair.first.score or 0.0 for pair in pairs]
    second = [pair.second.score or 0.0 for pair in pairs]
    right = [(one >= 1, other >= 1) for one, other in zip(first, second, strict=True)]
    only_first, only_second = right.count((True, False)), right.count((False, True))
    clusters = [cluster_of(pair.first) for pair in pairs]
    gaps = [other - one for one, other in zip(first, second, strict=True)]
    # McNemar's test takes pairs for independent, which those of one draw are not
    plain = {*first, *second} <= {0.0, 1.0} and len(set(clusters)) == len(clusters)
    p = mcnemar(only_first, only_second) if plain else sign_flip(gaps, clusters)
    gap = difference(first, second, clusters)
    count = len(pairs)
    means = sum(first) / count, sum(second) / count
    x, y = cell or (None, None)
    return Compared(task, cell is None, x, y, count, *means, gap, only_first, only_second, p, p)


def comparison_rows(compared: Sequence[Compared], x: str, y: str) -> list[list[str]]:
    """`compared` as texts under HEAD; what differs after the correction has a star."""
    return [
        [
            row.task,
            "all" if row.whole else f"{axis_text(x, row.x)}, {axis_text(y, row.y)}",
            str(row.pairs),
            percent_text(row.first),
            percent_text(row.second),
            gap_text(row.gap),
            str(row.only_first),
            str(row.only_second),
            p_text(row.p),
            "" if row.whole else p_text(row.holm) + (" *" if row.differs else ""),
        ]
        for row in compared
    ]


def comparison_frame(compared: Sequence[Compared], x: str, y: str) -> pd.DataFrame:
    """One row for each of `compared`: scores and differences as shares; the line of a whole task has empty x and y."""
    rows = [row._asdict() | row.gap._asdict() for row in compared]
    frame = pd.DataFrame(rows, dtype=object).drop(columns=["gap", "whole"])  # object: a length stays an integer
    frame = frame.drop(columns=[place for place, axis in (("x", x), ("y", y)) if axis == "task"])
    return frame.rename(columns={"x": x, "y": y, "mean": "difference"})


def gap_text(gap: Estimate) -> str:
    """A difference in points of per cent with its interval: "+35 [20, 50]"."""
    return f"{100 * gap.mean:+.0f} [{100 * gap.low:+.0f}, {100 * gap.high:+.0f}]"


def p_text(p: float) -> str:
    """A p value with two digits that count."""
    return "<0.001" if p < 0.001 else f"{p:.2g}"


def _key(record: Record) -> tuple[Any, str]:
    return record.axes.get("seed"), record.sample_id

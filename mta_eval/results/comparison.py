"""Two models on the same samples: what differs, by how much, how sure. Knows no picture and no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import product
from typing import NamedTuple

import pandas as pd

from mta_eval.core import AxisValue, Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.draws import draw_of
from mta_eval.results.grid import axis_value, axis_values, check_axes
from mta_eval.results.statistics import Estimate, difference, holm, mcnemar, sign_flip
from mta_eval.results.table import axis_text, gap_text, percent_text

LEVEL = 0.05
HEAD = ("task", "cell", "pairs", "draws", "first", "second", "difference", "only first", "only second", "p", "Holm")


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
    whole draws; `holm` is p corrected over the task's cells or, of whole tasks, over the tasks. `draws` that the pairs
    are of.
    """

    task: str
    whole: bool
    x: AxisValue
    y: AxisValue
    pairs: int
    draws: int
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
        our_record, their_record = ours[key], theirs[key]
        if (our_record.prompt_sha256, our_record.targets) != (their_record.prompt_sha256, their_record.targets):
            reason = "the seeds, the models' tokenizers or the texts differ"
            if our_record.truncated or their_record.truncated:
                reason = "its prompt was cut to the window of one model"
            raise StoreError(
                f"{our_record.sample_id} is not the same sample in both: {reason}; compare runs of the same samples"
            )
    pairs = [Pair(ours[key], theirs[key]) for key in common]
    scored = [pair for pair in pairs if pair.first.score is not None and pair.second.score is not None]
    if not scored:
        raise StoreError(f"nothing to compare: of {len(pairs)} samples in both, none was answered and scored in both")
    return Pairs(scored, len(ours) - len(common), len(theirs) - len(common), len(pairs) - len(scored))


def compare_pairs(pairs: Sequence[Pair], x: str, y: str) -> list[Compared]:
    """For each task a line for all of it, and one for each cell of the axes `x` and `y`; each corrected over its kind.

    Raises SpecError if no record has an axis, or one is "model": the two models stand side by side already.
    """
    if "model" in (x, y):
        raise SpecError('"model" is no axis of a comparison: its two models stand side by side; choose another axis')
    check_axes([pair.first for pair in pairs], x, y)
    tasks = _by_task(pairs)
    return [row for whole in compare_tasks(pairs) for row in (whole, *_cells(whole.task, tasks[whole.task], x, y))]


def compare_tasks(pairs: Sequence[Pair]) -> list[Compared]:
    """For each task a line for all of it, corrected over the tasks."""
    return _corrected([_measure(task, group) for task, group in _by_task(pairs).items()])


def differing(pairs: Sequence[Pair], x: str, y: str) -> set[tuple[AxisValue, AxisValue]]:
    """The cells (x, y) that differ after the correction over their task, by p alone: no intervals are drawn.

    A task without an axis stands at None on it.
    """
    significant: set[tuple[AxisValue, AxisValue]] = set()
    for group in _by_task(pairs).values():
        cells = _by_cell(group, x, y)
        corrected = holm([_p_of(members) for members in cells.values()])
        significant |= {cell for cell, p in zip(cells, corrected, strict=True) if p < LEVEL}
    return significant


def _cells(task: str, pairs: Sequence[Pair], x: str, y: str) -> list[Compared]:
    return _corrected([_measure(task, group, cell) for cell, group in _by_cell(pairs, x, y).items()])


def _corrected(rows: Sequence[Compared]) -> list[Compared]:
    return [row._replace(holm=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True)]


def _by_task(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    tasks: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        tasks[pair.first.task].append(pair)
    return tasks


def _by_cell(pairs: Sequence[Pair], x: str, y: str) -> dict[tuple[AxisValue, AxisValue], list[Pair]]:
    """The pairs of each cell that has some, in the order of the axes."""
    cells: dict[tuple[AxisValue, AxisValue], list[Pair]] = defaultdict(list)
    for pair in pairs:
        cells[axis_value(pair.first, x), axis_value(pair.first, y)].append(pair)
    records = [pair.first for pair in pairs]
    order = product(axis_values(records, x), axis_values(records, y))
    return {cell: cells[cell] for cell in order if cell in cells}


def _measure(task: str, pairs: Sequence[Pair], cell: tuple[AxisValue, AxisValue] | None = None) -> Compared:
    first, second, draws = _scores(pairs)
    gap = difference(first, second, draws)
    count = len(pairs)
    means = sum(first) / count, sum(second) / count
    x, y = cell or (None, None)
    p = _p_of(pairs)
    drawn = len(set(draws))
    return Compared(task, cell is None, x, y, count, drawn, *means, gap, *_discordant(first, second), p, p)


def _p_of(pairs: Sequence[Pair]) -> float:
    first, second, draws = _scores(pairs)
    # McNemar's test takes pairs for independent, which those of one draw are not
    if {*first, *second} <= {0.0, 1.0} and len(set(draws)) == len(draws):
        return mcnemar(*_discordant(first, second))
    return sign_flip([b - a for a, b in zip(first, second, strict=True)], draws)


def _scores(pairs: Sequence[Pair]) -> tuple[list[float], list[float], list[Hashable]]:
    """The scores of the first, those of the second, and the draws of the pairs."""
    first, second = ([pair[side].score or 0.0 for pair in pairs] for side in (0, 1))
    return first, second, [draw_of(pair.first) for pair in pairs]


def _discordant(first: Sequence[float], second: Sequence[float]) -> tuple[int, int]:
    """How many pairs only the first, and only the second, has right."""
    right = [(a >= 1, b >= 1) for a, b in zip(first, second, strict=True)]
    return right.count((True, False)), right.count((False, True))


def comparison_rows(compared: Sequence[Compared], x: str, y: str) -> list[list[str]]:
    """`compared` as texts under HEAD; what differs after the correction has a star."""
    return [
        [
            row.task,
            "all" if row.whole else f"{axis_text(x, row.x)}, {axis_text(y, row.y)}",
            str(row.pairs),
            str(row.draws),
            percent_text(row.first),
            percent_text(row.second),
            gap_text(row.gap),
            str(row.only_first),
            str(row.only_second),
            p_text(row.p),
            p_text(row.holm) + (" *" if row.differs else ""),
        ]
        for row in compared
    ]


def comparison_frame(compared: Sequence[Compared], x: str, y: str) -> pd.DataFrame:
    """One row for each of `compared`: scores and differences as shares; the line of a whole task has empty x and y."""
    rows = [row._asdict() | row.gap._asdict() for row in compared]
    frame = pd.DataFrame(rows, dtype=object).drop(columns=["gap", "whole"])  # object: a length stays an integer
    frame = frame.drop(columns=[place for place, axis in (("x", x), ("y", y)) if axis == "task"])
    return frame.rename(columns={"x": x, "y": y, "mean": "difference"})


def p_text(p: float) -> str:
    """A p value with two digits that count."""
    return "<0.001" if p < 0.001 else f"{p:.2g}"


def _key(record: Record) -> tuple[AxisValue, str]:
    return record.axes.get("seed"), record.sample_id

"""What stands in the cells of a table that is written for others: the mean alone, with its ±, or with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mta_eval.core import Grid
from mta_eval.results.table import (
    CUT,
    CUT_NOTE,
    GAP,
    Link,
    axis_text,
    interval_text,
    markdown_table,
    markdown_text,
    percent_text,
)

Cells = Literal["mean", "mean±", "interval"]
Marks = list[list[bool]]  # [row][column]


@dataclass(frozen=True)
class CellStyle:
    """`cells` says what is written of a score: its mean, the mean ± half the width of its 95 % interval, or the mean
    with the interval. `counts`: how many samples stand behind it. `best`: the best model at each place is bold."""

    cells: Cells = "interval"
    counts: bool = True
    best: bool = False


PLAIN = CellStyle()


def best_cells(grids: Sequence[Grid]) -> list[Marks]:
    """Where the best model stands, for each grid of one task: every cell with the highest mean at its place.

    Models are rows, columns, or, where they are no axis, the grids. Nothing is marked where only one was measured.
    """
    if len(grids) == 1:
        (grid,) = grids
        rows, columns = range(len(grid.ys)), range(len(grid.xs))
        if grid.y == "model":
            marked = [_highest([grid.mean[row][column] for row in rows]) for column in columns]
            return [[[marked[column][row] for column in columns] for row in rows]]
        if grid.x == "model":
            return [[_highest(line) for line in grid.mean]]
    marks: list[Marks] = [[[False] * len(grid.xs) for _ in grid.ys] for grid in grids]
    for row in range(len(grids[0].ys)):
        for column in range(len(grids[0].xs)):
            for number, best in enumerate(_highest([grid.mean[row][column] for grid in grids])):
                marks[number][row][column] = best
    return marks


def half_width(low: float, high: float) -> float:
    """Half the width of an interval: what stands behind ±."""
    return (high - low) / 2


def markdown_scores(grid: Grid, style: CellStyle, best: Marks) -> str:
    """A grid as a Markdown table in a style, a footnote if a prompt was cut."""
    head = [f"{grid.y} \\ {grid.x}", *(axis_text(grid.x, value) for value in grid.xs)]
    rows = [
        [axis_text(grid.y, value), *(_text(grid, row, column, style, best) for column in range(len(grid.xs)))]
        for row, value in enumerate(grid.ys)
    ]
    table = markdown_table(head, rows, left=1)
    return f"{table}\n{CUT_NOTE}\n" if any(map(any, grid.truncated)) else table


def _highest(means: Sequence[float | None]) -> list[bool]:
    measured = [mean for mean in means if mean is not None]
    return [len(measured) > 1 and mean is not None and mean == max(measured) for mean in means]


def _text(grid: Grid, row: int, column: int, style: CellStyle, best: Marks) -> str:
    mean, low, high = grid.mean[row][column], grid.low[row][column], grid.high[row][column]
    if mean is None or low is None or high is None:
        return GAP
    text = percent_text(mean)
    if style.cells == "mean±":
        text = f"{100 * mean:.1f} ± {100 * half_width(low, high):.1f} %"
    elif style.cells == "interval":
        text = f"{text} {interval_text(low, high)}"
    if best[row][column]:
        text = Link(f"**{markdown_text(text)}**")
    counted = f", n={grid.count[row][column]}" if style.counts else ""
    cut = f" {CUT}" if grid.truncated[row][column] else ""
    return Link(f"{text}{counted}{cut}") if isinstance(text, Link) else f"{text}{counted}{cut}"

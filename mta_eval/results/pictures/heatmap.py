"""Grids -> one picture: models side by side, colour for the score, a hatched gap for what was not measured.

Knows no records and no page.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mta_eval.core import AxisValue, Grid
from mta_eval.results.pictures.cells import CellText, Subplot
from mta_eval.results.pictures.heatmap_page import Scale, Words, compose
from mta_eval.results.pictures.style import (
    GAP_NOTE,
    SCORES,
    drawable,
    save,
    shorten,
    styled,
)
from mta_eval.results.table import CUT, CUT_NOTE, axis_text, count_text, model_text, percent_text

AXIS_NAMES = {
    "length": ("length (tokens)",),
    "depth": ("depth of the needle\n(0 % = start of the context)", "depth of the needle"),
    "place among all needles": ("place among all needles\n(1 = first in the context)",),
    "place among the asked needles": ("place among the asked\n(1 = first in the context)",),
}
LONGEST_TICK = 30  # characters
TICKS = (0, 0.25, 0.5, 0.75, 1)


def draw_heatmap(
    grids: Sequence[Grid], heading: str, path_stem: Path, measure: str = "accuracy", ids: str = "cell"
) -> list[Path]:
    """Draws one subplot for each grid under a common heading; returns `path_stem`.png and `path_stem`.svg.

    A PDF is written beside them. `measure` says what the means are of; the colours always span 0 to 1, so that any two
    pictures compare. In the SVG a cell has the id `<ids>:<name of path_stem>:<number of the grid>:<row>:<column>`,
    all counted from 0. The same grids give the same SVG, byte for byte. Needs at least one grid, each with at least
    one cell. Raises StoreError if a file cannot be written.
    """
    subplots = [_subplot(grid, f"{ids}:{path_stem.name}:{number}") for number, grid in enumerate(grids)]
    cut = any(cut for grid in grids for row in grid.truncated for cut in row)
    words = Words(
        heading,
        axis_names(grids[0].x)[0],
        axis_names(grids[0].y),
        " · ".join([GAP_NOTE] * has_gaps(subplots) + [CUT_NOTE] * cut),
        f"numbers: {measure} in %, of {counts_text(grids)} in each cell",
    )
    with styled():
        scale = Scale(SCORES, measure, TICKS, [percent_text(tick) for tick in TICKS])
        png, svg, _ = save(compose(subplots, scale, words), path_stem)
    return [png, svg]


def _subplot(grid: Grid, ids: str) -> Subplot:
    texts = [[_cell_text(grid, row, column) for column in range(len(grid.xs))] for row in range(len(grid.ys))]
    return Subplot(
        drawable(model_text(grid.title)),
        tick_texts(grid.x, grid.xs),
        tick_texts(grid.y, grid.ys),
        grid.mean,
        texts,
        ids,
    )


def _cell_text(grid: Grid, row: int, column: int) -> CellText:
    mean = grid.mean[row][column]
    if mean is None:
        return CellText("", "", "")
    dagger = CUT if grid.truncated[row][column] else ""
    percent = percent_text(mean)
    # a small cell has no room for 99.7
    small = percent.removesuffix(" %") if len(percent) < 6 else f"{'<' if mean < 0.5 else '>'}{round(100 * mean)}"
    small = {"<0": "<1", ">100": ">99"}.get(small, small)
    return CellText(percent + dagger, count_text(mean, grid.count[row][column]), small + dagger)


def axis_names(axis: str) -> tuple[str, ...]:
    """What an axis is called on a picture, the longest name first."""
    plain = shorten(axis, LONGEST_TICK)
    return (*AXIS_NAMES.get(axis, ()), plain)


def tick_texts(axis: str, values: Sequence[AxisValue]) -> list[str]:
    """The values of an axis as they stand on a picture, long ones without their middles."""
    return [shorten(axis_text(axis, value), LONGEST_TICK) for value in values]


def has_gaps(subplots: Sequence[Subplot]) -> bool:
    """Whether a cell was not measured."""
    return any(value is None for subplot in subplots for row in subplot.values for value in row)


def counts_text(grids: Sequence[Grid]) -> str:
    """How many samples stand behind a measured cell: "4 samples", "2 to 4 samples"."""
    counts = {count for grid in grids for row in grid.count for count in row if count} or {0}
    low, high = min(counts), max(counts)
    span = str(low) if low == high else f"{low} to {high}"
    return f"{span} sample{'s' * (high != 1)}"

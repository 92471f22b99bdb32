"""Two grids over the same samples -> one heatmap of what the second has more than the first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from mta_eval.core import AxisValue, Grid, Record
from mta_eval.errors import SpecError
from mta_eval.results.grid import grids_by_model
from mta_eval.results.pictures.cells import CellText, Subplot
from mta_eval.results.pictures.heatmap import axis_names, has_gaps, tick_texts
from mta_eval.results.pictures.heatmap_page import Scale, Words, compose
from mta_eval.results.pictures.style import DIVERGING, drawable, save, styled
from mta_eval.results.table import CUT, CUT_NOTE, model_text

LIMITS = (0.1, 0.25, 0.5, 1.0)  # round ends for the colours, so that pictures compare; 10 points at least


def draw_pairs(
    pairs: Sequence[tuple[Record, Record]],
    x: str,
    y: str,
    significant: Collection[tuple[AxisValue, AxisValue]],
    path: Path,
) -> tuple[Path, Path]:
    """`draw_difference` of two models' answers to one task, (first, second); `significant` cells (x, y) are framed.

    A task without an axis has one row or column. Raises StoreError if a file cannot be written.
    """
    # each side has one model, so one grid
    (first,), (second,) = (grids_by_model([pair[side] for pair in pairs], x, y) for side in (0, 1))
    return draw_difference(
        first, second, path, [[(at_x, at_y) in significant for at_x in first.xs] for at_y in first.ys]
    )


def draw_difference(
    grid_a: Grid, grid_b: Grid, path: Path, significant: list[list[bool]] | None = None
) -> tuple[Path, Path]:
    """Draws `grid_b` minus `grid_a`, cell by cell, in points of per cent; returns `path`.png and `path`.svg.

    A PDF is written beside them. 0 has the middle colour, blue is above and red below it; cells that not both have
    measured are hatched, those of `significant` [row][column] framed. In the SVG a cell has the id
    `difference:<name of path>:<row>:<column>`. Raises SpecError if the grids do not share their axes or `significant`
    has another shape, StoreError if a file cannot be written.
    """
    if (grid_a.x, grid_a.y, grid_a.xs, grid_a.ys) != (grid_b.x, grid_b.y, grid_b.xs, grid_b.ys):
        raise SpecError(
            f"{grid_a.title!r} and {grid_b.title!r} have different cells, so they have no difference; "
            "compare the same samples"
        )
    if significant is not None and [len(row) for row in significant] != [len(grid_a.xs)] * len(grid_a.ys):
        raise SpecError(f"significant must have {len(grid_a.ys)} rows of {len(grid_a.xs)}, as the grids have")
    places = [[(row, column) for column in range(len(grid_a.xs))] for row in range(len(grid_a.ys))]
    values = [[_difference(grid_a, grid_b, *place) for place in row] for row in places]
    subplot = Subplot(
        "",
        tick_texts(grid_a.x, grid_a.xs),
        tick_texts(grid_a.y, grid_a.ys),
        values,
        [[_cell_text(grid_a, grid_b, *place) for place in row] for row in places],
        f"difference:{path.name}",
        significant,
    )
    with styled():
        png, svg, _ = save(compose([subplot], _scale(values), _words(grid_a, grid_b, subplot)), path)
    return png, svg


def _difference(first: Grid, second: Grid, row: int, column: int) -> float | None:
    first_mean, second_mean = first.mean[row][column], second.mean[row][column]
    return None if first_mean is None or second_mean is None else second_mean - first_mean


def points_text(difference: float) -> str:
    """A difference of shares in points: 0.12 -> "+12", -0.004 -> "−0.4", 0 -> "0"; only a true 0 is 0."""
    points = 100 * difference
    if abs(points) < 1e-9:
        return "0"
    text = f"{points:+.0f}" if abs(points) >= 0.5 else f"{points:+.1f}" if abs(points) >= 0.05 else f"{points:+.2g}"
    return text.replace("-", "−")


def _cell_text(first: Grid, second: Grid, row: int, column: int) -> CellText:
    difference = _difference(first, second, row, column)
    if difference is None:
        return CellText("", "", "")
    counts = first.count[row][column], second.count[row][column]
    dagger = CUT if first.truncated[row][column] or second.truncated[row][column] else ""
    count = f"n={counts[0]}" if counts[0] == counts[1] else f"n={counts[0]}|{counts[1]}"
    return CellText(points_text(difference) + dagger, count, points_text(difference) + dagger)


def _scale(values: Sequence[Sequence[float | None]]) -> Scale:
    largest = max((abs(value) for row in values for value in row if value is not None), default=0.0)
    limit = next(limit for limit in LIMITS if largest <= limit + 1e-9)
    ticks = (-limit, -limit / 2, 0.0, limit / 2, limit)
    texts = [f"{100 * tick:+g}".replace("-", "−") if tick else "0" for tick in ticks]
    return Scale(ScalarMappable(Normalize(-limit, limit), DIVERGING), "difference (points)", ticks, texts)


def _words(first: Grid, second: Grid, subplot: Subplot) -> Words:
    notes = ["points: per cent of the second minus per cent of the first"]
    if subplot.framed is not None:
        differs = any(map(any, subplot.framed))
        notes.append("framed: the difference is significant" if differs else "no cell differs significantly")
    notes += ["hatched: not measured by both"] * has_gaps([subplot])
    notes += [CUT_NOTE] * any(map(any, (*first.truncated, *second.truncated)))
    heading = f"{drawable(model_text(second.title))} minus {drawable(model_text(first.title))}"
    counts = sorted({count for row in first.count for count in row if count}) or [0]
    span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return Words(heading, axis_names(first.x)[0], axis_names(first.y), " · ".join(notes), f"n = {span} in each cell")

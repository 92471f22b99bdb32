"""Grids -> one picture: models side by side, colour for the score, a hatched gap for what was not measured.

Knows no records and no page. Draws through matplotlib's objects, never through pyplot, which keeps global state.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine, LayoutEngine
from matplotlib.patches import Rectangle

from mta_eval.core import Grid
from mta_eval.results.table import CUT, CUT_NOTE, axis_text, count_text, model_text, percent_text

AXIS_LABELS = {"length": "length (tokens)", "depth": "depth of the needle\n(0 % = start of the context)"}
INK, GREY, PAPER, HATCH = "#1a1a1a", "#5f5f5f", "#f4f4f4", "#bdbdbd"
COLOURS: Any = ScalarMappable(Normalize(0, 1), "viridis")  # told apart with every kind of colour vision, and in grey
WIDEST_ROW = 14.0  # inches; more panels go to the next row
STYLE: Any = {  # Any, as matplotlib's type of it changes with every release
    "svg.fonttype": "none",  # text stays text: sharp, searchable and small in a page
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "text.parse_math": False,  # a dollar in a model's name is a dollar
    "text.color": INK,
    "axes.labelcolor": INK,
    "hatch.linewidth": 0.6,
}
SLANT: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}


def draw(grids: Sequence[Grid], heading: str, path_stem: Path) -> list[Path]:
    """Draws one panel for each grid under a common heading; writes and returns `path_stem`.png and `path_stem`.svg.

    The colours always span 0 to 1, so that any two pictures compare. The same grids give the same SVG, byte for
    byte. Needs at least one grid, each with at least one cell. Raises OSError if a file cannot be written.
    """
    png, svg = (path_stem.with_name(path_stem.name + suffix) for suffix in (".png", ".svg"))
    # The salt keeps the ids of two pictures apart when one page holds both.
    with mpl.rc_context({**STYLE, "svg.hashsalt": path_stem.name}):
        figure = _compose(grids, heading)
        figure.savefig(png, dpi=200, metadata={"Software": None})
        figure.savefig(svg, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return [png, svg]


def _compose(grids: Sequence[Grid], heading: str) -> Figure:
    width, height = _panel_size(grids)
    rows = math.ceil(len(grids) / max(1, WIDEST_ROW // (width + 0.3)))
    columns = math.ceil(len(grids) / rows)
    layout = ConstrainedLayoutEngine(wspace=0.04, hspace=0.05)
    figure = Figure(figsize=(columns * width + 2, rows * (height + 1) + 1), layout=layout)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    panels: list[Axes] = list(places[: len(grids)])
    shared = all(grid.ys == grids[0].ys for grid in grids)
    for place, (panel, grid) in enumerate(zip(panels, grids, strict=True)):
        leftmost = place % columns == 0
        _draw_panel(panel, grid, named=leftmost, ticked=leftmost or not shared)
        title = textwrap.fill(model_text(grid.title), max(16, int(width * 11)))
        panel.set_title(title, fontsize=9.5, fontweight="bold", pad=7)
    for spare in places[len(grids) :]:
        spare.remove()
    _draw_colour_bar(figure, panels, columns * width, rows * height + (rows - 1) * 0.9)
    figure.suptitle(textwrap.fill(heading, int((columns * width + 1.5) * 9)), fontsize=12, fontweight="bold")
    figure.supxlabel(_footnote(grids), fontsize=7.5, color=GREY)
    _fit(figure, layout, panels[0], (columns, rows), (width, height))
    return figure


def _panel_size(grids: Sequence[Grid]) -> tuple[float, float]:
    """Inches of one panel without its labels: cells wide enough for their text, small grids a little roomier."""
    columns, rows = max(len(grid.xs) for grid in grids), max(len(grid.ys) for grid in grids)
    longest = max(len(str(count)) * 2 + 1 for grid in grids for row in grid.count for count in row)
    cell_width = max(0.62, min(1.3, 2.4 / columns), longest * 0.075)
    cell_height = max(0.45, min(0.75, 2.2 / rows))
    return columns * cell_width, rows * cell_height


def _fit(
    figure: Figure, layout: LayoutEngine, panel: Axes, panels: tuple[int, int], inches: tuple[float, float]
) -> None:
    """Grows or shrinks the figure until every one of its `panels` (across, down) measures `inches` without labels."""
    for _ in range(2):
        layout.execute(figure)
        share = panel.get_position()
        width, height = figure.get_size_inches()
        figure.set_size_inches(
            width + panels[0] * (inches[0] - share.width * width),
            height + panels[1] * (inches[1] - share.height * height),
        )
    layout.execute(figure)
    figure.set_layout_engine("none")  # settled: both files get this very layout


def _draw_panel(panel: Axes, grid: Grid, named: bool, ticked: bool) -> None:
    means = np.array([[np.nan if mean is None else mean for mean in row] for row in grid.mean])
    panel.pcolormesh(means, cmap=COLOURS.cmap, norm=COLOURS.norm)
    for row, column in np.ndindex(means.shape):
        _draw_cell(panel, grid, row, column)
    panel.set_xlim(0, len(grid.xs))
    panel.set_ylim(len(grid.ys), 0)  # the first row, depth 0, stands on top
    x_texts, y_texts = _tick_texts(grid.x, grid.xs), _tick_texts(grid.y, grid.ys)
    panel.set_xticks(np.arange(len(x_texts)) + 0.5, x_texts, **(SLANT if max(map(len, x_texts)) > 8 else {}))
    panel.set_yticks(np.arange(len(y_texts)) + 0.5, y_texts if ticked else [])
    panel.set_xticks(np.arange(len(x_texts) + 1), minor=True)
    panel.set_yticks(np.arange(len(y_texts) + 1), minor=True)
    panel.grid(which="minor", color="white", linewidth=1.5)
    panel.tick_params(which="both", length=0, labelsize=8.5)
    panel.spines[:].set_visible(False)
    panel.set_xlabel(AXIS_LABELS.get(grid.x, grid.x), fontsize=9)
    if named:  # the long name needs the height of three rows
        panel.set_ylabel(AXIS_LABELS.get(grid.y, grid.y) if len(grid.ys) > 2 else grid.y, fontsize=9)


def _tick_texts(axis: str, values: Sequence[Any]) -> list[str]:
    texts = (axis_text(axis, value) for value in values)
    # Long specs differ at their ends as often as at their starts, so the middle goes.
    return [text if len(text) <= 30 else f"{text[:15]}…{text[-14:]}" for text in texts]


def _draw_cell(panel: Axes, grid: Grid, row: int, column: int) -> None:
    mean = grid.mean[row][column]
    if mean is None:
        panel.add_patch(Rectangle((column, row), 1, 1, facecolor=PAPER, edgecolor=HATCH, hatch="////", linewidth=0))
        return
    mark = CUT if grid.truncated[row][column] else ""
    texts = ((percent_text(mean) + mark, 9.0, 4.5), (count_text(mean, grid.count[row][column]), 6.5, -7.5))
    for text, size, points_up in texts:
        panel.annotate(
            text,
            (column + 0.5, row + 0.5),
            (0, points_up),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            color=_ink_on(mean),
            in_layout=False,
        )


def _ink_on(mean: float) -> str:
    """White or black, whichever stands out more from the cell's colour (relative luminance as in WCAG)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in COLOURS.to_rgba(mean)[:3]
    )
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 else "black"


def _draw_colour_bar(figure: Figure, panels: list[Axes], width: float, height: float) -> None:
    bar = figure.colorbar(COLOURS, ax=panels, fraction=0.2 / width, aspect=height / 0.17, pad=0.15 / width)
    ticks = [0, 0.25, 0.5, 0.75, 1] if height > 1 else [0, 1]
    bar.set_ticks(ticks, labels=[percent_text(tick) for tick in ticks])
    bar.ax.tick_params(length=0, labelsize=8)
    bar.outline.set_visible(False)
    bar.set_label("mean score" if height > 1 else "score", fontsize=9)


def _footnote(grids: Sequence[Grid]) -> str:
    gaps = any(mean is None for grid in grids for row in grid.mean for mean in row)
    cuts = any(cut for grid in grids for row in grid.truncated for cut in row)
    return " · ".join(["hatched: not measured"] * gaps + [CUT_NOTE] * cuts)

"""A heatmap as a figure of a paper: a panel for each model, shared axes, one colour bar as tall as the panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mta_eval.core import Grid
from mta_eval.results.pictures.figure_panels import (
    GAP,
    LINE,
    Around,
    label_room,
    make_panels,
    panel_rows,
    panels_across,
    room_for_panels,
)
from mta_eval.results.pictures.figure_style import LEAST, FigureStyle
from mta_eval.results.pictures.heatmap import axis_names, tick_texts
from mta_eval.results.pictures.style import GAP_NOTE, GREY, HATCH, PAPER, SCORES, drawable, ink_on, save, text_width
from mta_eval.results.table import model_text

BAR = 0.1  # inches
LEAST_CELL = 0.115  # inches of a row: text of LEAST points and some air


def draw_heatmap_figure(
    grids: Sequence[Grid], heading: str, measure: str, style: FigureStyle, path: Path
) -> list[Path]:
    """Draws one panel for each grid, as many figures as it takes at the height of a page; returns the files.

    All grids share their axes. Cells hold the mean in per cent where it can be read; the second figure is `path`_2.
    """
    rows, columns = tick_texts(grids[0].y, grids[0].ys), tick_texts(grids[0].x, grids[0].xs)
    line = style.label * LINE
    gaps = any(count == 0 for grid in grids for row in grid.count for count in row)
    around = Around(
        left=label_room(rows, style.tick) + 0.1 + line,
        right=BAR + 0.18 + label_room(["100"], style.tick) + line,
        below=style.em + line + 0.08,
        foot=(style.note * LINE + 0.03) * gaps,
    )
    titles = [drawable(model_text(grid.title)) for grid in grids]
    over = 2 * line + 0.06 + GAP
    tall = max(len(rows) * max(LEAST_CELL, 1.4 * style.em), 0.5)
    across, wide = panels_across(len(grids), style, around)
    if panel_rows(len(grids), tall + over, style, around, across) < len(grids):
        around = replace(around, dense=True)
        across, wide = panels_across(len(grids), style, around)
        tall = max(0.5, min(tall, room_for_panels(style, around) / math.ceil(len(grids) / across) - over))
    if _slanted(columns, wide, style):
        around = replace(around, below=around.below + label_room(columns, style.tick) * 0.72 - style.em / 2)
    fits = panel_rows(len(grids), tall + over, style, around, across)
    written: list[Path] = []
    for number, start in enumerate(range(0, len(grids), fits), 1):
        shown = grids[start : start + fits]
        figure, panels, lowest = make_panels(heading, titles[start : start + fits], style, around, tall)
        across, _ = panels_across(len(shown), style, around)
        for place, (panel, grid) in enumerate(zip(panels, shown, strict=True)):
            _fill(panel, grid, style, wide, tall)
            _ticks(panel, grid, rows, style, left=place % across == 0, lowest=place in lowest)
        _words(figure, panels, grids[0], measure, style, around)
        written += save(figure, path if number == 1 else path.with_name(f"{path.name}_{number}"))
    return written


def _slanted(columns: Sequence[str], wide: float, style: FigureStyle) -> bool:
    """Whether names of columns are too wide to lie flat in a panel so wide."""
    return label_room(columns, style.tick) > wide / len(columns) - 0.03


def _fill(panel: Axes, grid: Grid, style: FigureStyle, wide: float, tall: float) -> None:
    columns, rows = len(grid.xs), len(grid.ys)
    size = wide / columns, tall / rows
    points = next((one for one in (style.tick, LEAST) if _fits(one, size)), 0.0)
    panel.set(xlim=(0, columns), ylim=(rows, 0))
    panel.spines[:].set_visible(False)
    for row, means in enumerate(grid.mean):
        for column, mean in enumerate(means):
            if mean is None:
                panel.add_artist(
                    Rectangle((column, row), 1, 1, facecolor=PAPER, edgecolor=HATCH, hatch="/////", linewidth=0)
                )
                continue
            colour = tuple(SCORES.to_rgba(np.asarray(mean)))
            panel.add_artist(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.5))
            if points:
                text, ink = f"{100 * mean:.0f}", ink_on(colour)
                at = column + 0.5, row + 0.5
                panel.text(*at, text, fontsize=points, color=ink, ha="center", va="center_baseline")


def _fits(points: float, size: tuple[float, float]) -> bool:
    return text_width("100", points) + 0.03 <= size[0] and points * 1.15 / 72 <= size[1]


def _ticks(panel: Axes, grid: Grid, rows: Sequence[str], style: FigureStyle, left: bool, lowest: bool) -> None:
    figure = panel.get_figure()
    assert isinstance(figure, Figure)
    inches, box = figure.get_size_inches(), panel.get_position()
    wide, tall = inches[0] * box.width / len(grid.xs), inches[1] * box.height / len(rows)
    columns = tick_texts(grid.x, grid.xs)
    slanted = _slanted(columns, wide * len(columns), style)
    step = max(1, int(np.ceil(style.em * 1.1 / wide))) if slanted else 1
    shown = range(0, len(columns), step)
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    panel.set_xticks([n + 0.5 for n in shown], [columns[n] for n in shown] if lowest else [])
    for text in panel.get_xticklabels():
        text.set(**turned)
    step = max(1, int(np.ceil(style.em * 0.9 / tall)))
    shown = range(0, len(rows), step)
    panel.set_yticks([n + 0.5 for n in shown], [rows[n] for n in shown] if left else [])


def _words(
    figure: Figure, panels: Sequence[Axes], grid: Grid, measure: str, style: FigureStyle, around: Around
) -> None:
    width, height = figure.get_size_inches()
    top, bottom = max(one.get_position().y1 for one in panels), min(one.get_position().y0 for one in panels)
    right = max(one.get_position().x1 for one in panels)
    middle = (around.left / width + right) / 2
    under = around.foot + style.label * LINE
    x_name = next(one for one in axis_names(grid.x) if "\n" not in one)
    figure.text(middle, under / height, x_name, fontsize=style.label, ha="center", va="top")
    names = [one for one in axis_names(grid.y) if "\n" not in one]
    name = next((one for one in names if text_width(one, style.label) < (top - bottom) * height + 0.3), names[-1])
    figure.text(0.02, (top + bottom) / 2, name, fontsize=style.label, rotation=90, ha="left", va="center")
    bar_axes = figure.add_axes((right + 0.08 / width, bottom, BAR / width, top - bottom))
    bar = figure.colorbar(SCORES, cax=bar_axes)
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
    bar.ax.tick_params(labelsize=style.tick, length=0, pad=2)
    bar.outline.set_visible(False)
    bar.set_label(measure, fontsize=style.label, labelpad=2)
    if around.foot:
        figure.text(0.02, 0.02 / height, GAP_NOTE, fontsize=style.note, color=GREY, ha="left", va="bottom")

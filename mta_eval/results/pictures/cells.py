"""One subplot of coloured cells: numbers in them, hatched gaps, ticks at their middles. Sizes are inches and points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Rectangle

from mta_eval.results.pictures.style import HATCH, INK, PAPER, TICK, ink_on, text_width


class TextStyle(TypedDict, total=False):
    """Properties of tick labels, as matplotlib names them."""

    rotation: float
    ha: str
    rotation_mode: str


RGBA = tuple[float, float, float, float]
FIRST, SECOND, SMALL = 7.5, 5.5, 6.0  # points of a cell's two lines, and of the only one of a small cell
SLANT: TextStyle = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}


class CellText(NamedTuple):
    """What stands in a cell: a first and a second line, and what is left of them in a small cell."""

    first: str
    second: str
    small: str


@dataclass(frozen=True)
class Subplot:
    """One table of cells: values and texts [row][column], the first row on top; an unmeasured value is None.

    `framed` cells get a border. `ids` begins the id of every cell in the SVG; row and column follow.
    """

    title: str
    columns: list[str]
    rows: list[str]
    values: list[list[float | None]]
    texts: list[list[CellText]]
    ids: str
    framed: list[list[bool]] | None = None


class CellSize(NamedTuple):
    """Inches of a cell, and whether it is a small one."""

    width: float
    height: float
    small: bool

    @property
    def written(self) -> bool:
        """Whether a cell has room for a number."""
        return self.width >= text_width("100", SMALL) + 0.03 and self.height >= 0.1


def draw_subplot(axes: Axes, subplot: Subplot, colours: ScalarMappable, size: CellSize, ticked: bool) -> None:
    """Fills `axes`, which must be as large as all cells, with the cells of `subplot`; rows are named if `ticked`."""
    axes.set(xlim=(0, len(subplot.columns)), ylim=(len(subplot.rows), 0))
    for row, values in enumerate(subplot.values):
        for column, value in enumerate(values):
            colour = None if value is None else tuple(colours.to_rgba(np.asarray(value)))
            # not add_patch, which measures every one to find limits that are known
            patch = axes.add_artist(_cell(row, column, colour, size))
            patch.set_gid(f"{subplot.ids}:{row}:{column}")
            if colour is not None:
                _write(axes, subplot.texts[row][column], (row, column), ink_on(colour), size)
            if colour is not None and subplot.framed is not None and subplot.framed[row][column]:
                inset = 0.022 / size.width, 0.022 / size.height
                corner = column + inset[0], row + inset[1]
                frame = Rectangle(corner, 1 - 2 * inset[0], 1 - 2 * inset[1], fill=False, edgecolor=INK, linewidth=1.3)
                axes.add_artist(frame)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=TICK, pad=2.5)
    slanted = slant(subplot, size)
    step = max(1, math.ceil(0.24 / size.width)) if slanted else 1
    shown = range(0, len(subplot.columns), step)
    axes.set_xticks([n + 0.5 for n in shown], [subplot.columns[n] for n in shown], **(SLANT if slanted else {}))
    step = max(1, math.ceil(0.11 / size.height))
    shown = range(0, len(subplot.rows), step)
    axes.set_yticks([n + 0.5 for n in shown], [subplot.rows[n] for n in shown] if ticked else [])


def slant(subplot: Subplot, size: CellSize) -> bool:
    """Whether the names of the columns are too wide to lie flat."""
    return max(text_width(text, TICK) for text in subplot.columns) > size.width - 0.04


def _cell(row: int, column: int, colour: RGBA | None, size: CellSize) -> Rectangle:
    if colour is None:
        return Rectangle((column, row), 1, 1, facecolor=PAPER, edgecolor=HATCH, hatch="/////", linewidth=0)
    border = 0.8 if min(size.width, size.height) > 0.1 else 0.0
    return Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=border)


def _write(axes: Axes, text: CellText, place: tuple[int, int], ink: str, size: CellSize) -> None:
    lines = [(text.first, FIRST, -3.5), (text.second, SECOND, 4.8)]
    if size.small:
        lines = [(text.small, SMALL, 0.0)] * size.written
    for line, points, lower in lines:
        x, y = place[1] + 0.5, place[0] + 0.5 + lower / 72 / size.height
        axes.text(x, y, line, fontsize=points, color=ink, ha="center", va="center_baseline")

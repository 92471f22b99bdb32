"""How subplots of cells are spread over a page: sizes in inches, nothing is drawn.

Cells keep a size at which they can be read, and no picture is wider than a page. Where the subplots would fill more
than a page, or a subplot more than a row, cells get small and say one number; where there is no room for that either,
their colour has to do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mta_eval.results.pictures.cells import FIRST, SECOND, CellSize, Subplot, slant
from mta_eval.results.pictures.style import LABEL, LINE, PAGE, TICK, TITLE, text_width, wrap_apart

TALLEST = 8.0  # inches of subplots before their cells become small
BAR = 0.1  # the width of the colour bar
BESIDE = 0.85  # right of the subplots, for the bar and its texts


@dataclass(frozen=True)
class PictureLayout:
    """Inches of a cell, and of what stands around the cells of a subplot. `across` subplots stand in a row.

    `left` is the room for the rows' names and `y`, what they are called; `pitch` leads from one subplot to the next;
    `titles` are the lines over the subplots, `ticks` is the room below them; `columns` and `rows` are those of the
    largest subplot.
    """

    cell: CellSize
    across: int
    left: float
    y: str
    pitch: float
    titles: list[list[str]]
    ticks: float
    columns: int
    rows: int

    @property
    def over(self) -> float:
        """The room for titles over the cells."""
        return max(map(len, self.titles)) * TITLE * LINE + 0.1

    @property
    def body(self) -> float:
        """From the left edge of a row's first subplot to the right edge of its last one."""
        return (self.across - 1) * self.pitch + self.columns * self.cell.width

    @property
    def block(self) -> float:
        """The height of a row of subplots with titles and ticks."""
        return self.over + self.rows * self.cell.height + self.ticks


def lay_out(subplots: Sequence[Subplot], y_names: Sequence[str]) -> PictureLayout:
    """Cells with two lines of text where all subplots fit a page with them, else small ones.

    The rows are called by the first of `y_names` that is not longer than they are high, or by the last.
    """
    rows = max(len(subplot.rows) for subplot in subplots)
    texts = [text for subplot in subplots for row in subplot.texts for text in row]
    needed = max(max(text_width(text.first, FIRST), text_width(text.second, SECOND)) for text in texts) + 0.08
    large = CellSize(max(0.44, needed), 0.34 if rows <= 6 else 0.31, False)
    layout = _spread(subplots, large, 0.85, y_names)
    tall = math.ceil(len(subplots) / layout.across) * layout.block
    if layout.cell.width >= large.width and tall <= TALLEST:
        return layout
    return _spread(subplots, CellSize(0.25, 0.18 if rows <= 30 else 0.07, True), 0.44, y_names)


def _spread(subplots: Sequence[Subplot], least: CellSize, widest: float, y_names: Sequence[str]) -> PictureLayout:
    """As many subplots in a row as there is room for, spread evenly over the rows, and cells as wide as that allows."""
    columns, rows = max(len(subplot.columns) for subplot in subplots), max(len(subplot.rows) for subplot in subplots)
    fitting = (name for name in y_names if _longest(name) < rows * least.height + 0.3)
    y = next(fitting, y_names[-1])
    label_width = max(text_width(text, TICK) for subplot in subplots for text in subplot.rows) + 0.08
    left = label_width + LABEL * LINE * (1 + y.count("\n")) + 0.1
    gap = 0.14 if all(subplot.rows == subplots[0].rows for subplot in subplots) else label_width + 0.14
    room = PAGE - left - BESIDE + gap
    per_row = max(1, int(room / (max(columns * least.width, 1.0) + gap)))  # a title needs an inch
    across = math.ceil(len(subplots) / math.ceil(len(subplots) / per_row))
    cell = CellSize(min(widest, (room / across - gap) / columns), least.height, least.small)
    title_width = max(text_width(subplot.title, TITLE, bold=True) for subplot in subplots) + 0.12
    pitch = max(columns * cell.width, 1.0, min(title_width, room / across - gap)) + gap
    titles = wrap_apart([subplot.title for subplot in subplots], pitch - 0.1, TITLE, bold=True)
    slanted = [text_width(text, TICK) for subplot in subplots if slant(subplot, cell) for text in subplot.columns]
    ticks = 0.44 + max(slanted, default=0) * 0.5
    return PictureLayout(cell, across, left, y, pitch, titles, ticks, columns, rows)


def _longest(text: str) -> float:
    return max(text_width(line, LABEL) for line in text.split("\n"))

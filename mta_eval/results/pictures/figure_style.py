"""Sizes of figures that are placed as they are: in a page, a column of a paper, or on a slide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import fontManager

from mta_eval.errors import SpecError, did_you_mean
from mta_eval.results.pictures.style import STYLE

LEAST = 6.0  # points of the smallest text, so that it can be read where the figure is placed


@dataclass(frozen=True)
class FigureStyle:
    """Inches of a figure and points of its texts, as they are when it is placed at its true size.

    `across` is the most panels in a row; `panel` is the least width of one.
    """

    name: str
    width: float
    height: float
    title: float
    label: float
    tick: float
    note: float
    across: int
    panel: float
    line: float

    @property
    def em(self) -> float:
        """Inches of a line of ticks."""
        return self.tick * 1.3 / 72


STYLES = {
    "page": FigureStyle("page", 6.75, 8.5, 8.5, 8.0, 7.0, 6.5, 4, 1.3, 1.3),
    "column": FigureStyle("column", 3.3, 8.5, 7.5, 7.0, 6.5, LEAST, 2, 1.2, 1.1),
    "slide": FigureStyle("slide", 12.0, 6.2, 20.0, 17.0, 15.0, 13.0, 4, 2.4, 2.6),
}


@contextmanager
def figure_settings(font: str = "") -> Iterator[None]:
    """Within it matplotlib draws in the style of every picture, in a font that was chosen."""
    family: Any = [font, *STYLE["font.sans-serif"]] if font else STYLE["font.family"]
    with mpl.rc_context(STYLE | {"font.family": family}):
        yield


def check_font(font: str) -> None:
    """Raises SpecError, with the nearest names, if no font of that name is installed."""
    known = {entry.name for entry in fontManager.ttflist}
    if font and font not in known:
        raise SpecError(f"no font is called {font!r}{did_you_mean(font, sorted(known))}; it must be installed here")

"""Panels of one figure: where they stand, in inches, under one heading, beside one bar or over one legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mta_eval.results.pictures.figure_style import FigureStyle
from mta_eval.results.pictures.style import INK, text_width, wrap, wrap_apart

LINE = 1.25 / 72  # inches of a line for each point of its font
GAP = 0.1  # inches between panels


@dataclass(frozen=True)
class Around:
    """Inches around all panels: `left` for the names of rows, `right` for a bar, `below` for the names of columns under
    the lowest panels, `foot` for a legend and notes. `dense`: as many panels in a row as the style has."""

    left: float
    right: float
    below: float
    foot: float
    dense: bool = False


def panels_across(count: int, style: FigureStyle, around: Around) -> tuple[int, float]:
    """How many of `count` panels stand in a row, and how wide each is."""
    room = style.width - around.left - around.right
    fitting = style.across if around.dense else max(1, int((room + GAP) / (style.panel + GAP)))
    across = min(count, style.across, fitting)
    across = math.ceil(count / math.ceil(count / across))
    return across, (room - (across - 1) * GAP) / across


def panel_rows(count: int, tall: float, style: FigureStyle, around: Around, across: int) -> int:
    """How many of `count` panels, each `tall` with its title, one figure holds."""
    return min(count, across * max(1, int(room_for_panels(style, around) / tall + 1e-6)))


def room_for_panels(style: FigureStyle, around: Around) -> float:
    """Inches of height that all rows of panels have, their titles included, in the highest figure."""
    return style.height - around.below - around.foot - 2 * style.title * LINE - 0.06


def make_panels(
    heading: str, titles: Sequence[str], style: FigureStyle, around: Around, tall: float
) -> tuple[Figure, list[Axes], list[int]]:
    """A figure of the style's width with an empty panel for each title, `tall` inches each, and which of them are the
    lowest of their columns."""
    across, wide = panels_across(len(titles), style, around)
    rows = math.ceil(len(titles) / across)
    head = wrap(heading, style.width - 0.1, style.title, bold=True, lines=2)
    over = wrap_apart(titles, wide, style.label, bold=True, lines=2) if len(titles) > 1 or titles[0] else [[]]
    title_room = max(map(len, over)) * style.label * LINE + 0.06
    top = len(head) * style.title * LINE + 0.06
    height = top + rows * (title_room + tall) + (rows - 1) * GAP + around.below + around.foot
    figure = Figure((style.width, height))
    figure.text(
        0.5, 1 - 0.02 / height, "\n".join(head), fontsize=style.title, weight="bold", ha="center", va="top", color=INK
    )
    panels = []
    for place, lines in enumerate(over):
        row, column = divmod(place, across)
        x = around.left + column * (wide + GAP)
        y = height - top - (row + 1) * (title_room + tall) - row * GAP
        panels.append(figure.add_axes((x / style.width, y / height, wide / style.width, tall / height)))
        panels[-1].set_title("\n".join(lines), fontsize=style.label, weight="bold", pad=2.5)
        panels[-1].tick_params(labelsize=style.tick, pad=2, length=0)
    return figure, panels, [place for place in range(len(titles)) if place + across >= len(titles)]


def label_room(texts: Sequence[str], points: float) -> float:
    """Inches of the widest of some texts."""
    return max((text_width(text, points) for text in texts), default=0.0)

"""Heatmaps side by side on one page: a subplot for each grid, one heading, one colour bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from mta_eval.results.pictures.cells import Subplot, draw_subplot
from mta_eval.results.pictures.layout import BAR, BESIDE, PictureLayout, lay_out
from mta_eval.results.pictures.style import COLUMN, GREY, HEADING, LABEL, LINE, NOTE, TICK, TITLE, text_width, wrap


@dataclass(frozen=True)
class Scale:
    """The colours of all subplots: matplotlib's `mappable`, and the ticks and the name of its bar."""

    mappable: ScalarMappable
    label: str
    ticks: Sequence[float]
    tick_texts: Sequence[str]


class Words(NamedTuple):
    """What stands around the subplots. `ys` are names of the rows, the longest first, of which one that fits is taken;
    `small_note` joins the footnote where cells are small and hold a number."""

    heading: str
    x: str
    ys: tuple[str, ...]
    footnote: str = ""
    small_note: str = ""


def compose(subplots: Sequence[Subplot], scale: Scale, words: Words) -> Figure:
    """The finished figure, at most a page wide. Needs at least one subplot, each with at least one cell."""
    layout = lay_out(subplots, words.ys)
    width = max(COLUMN, layout.left + layout.body + BESIDE)
    head = wrap(words.heading, width - 0.2, HEADING, bold=True)
    notes = [words.small_note] * (layout.cell.small and layout.cell.written) + [words.footnote]
    foot = wrap(" · ".join(filter(None, notes)), width - 0.2, NOTE, lines=4)
    top, bottom = len(head) * HEADING * LINE + 0.1, len(foot) * NOTE * LINE + 0.06
    height = top + math.ceil(len(subplots) / layout.across) * layout.block + bottom
    figure = Figure((width, height))
    left = layout.left + (width - layout.left - layout.body - BESIDE) / 2
    _draw_subplots(figure, subplots, scale, words.x, layout, (left, height - top - layout.over))
    tall = min(layout.rows * layout.cell.height, 2.4)
    _draw_bar(figure, scale, (left + layout.body + 0.12, height - top - layout.over - tall, BAR, tall))
    figure.text(0.5, 1 - 0.06 / height, "\n".join(head), fontsize=HEADING, weight="bold", ha="center", va="top")
    figure.text(0.1 / width, 0.05 / height, "\n".join(foot), fontsize=NOTE, color=GREY, ha="left", va="bottom")
    return figure


def _draw_subplots(
    figure: Figure,
    subplots: Sequence[Subplot],
    scale: Scale,
    x_name: str,
    layout: PictureLayout,
    corner: tuple[float, float],
) -> None:
    """Draws all subplots, the cells of the first one below and right of `corner`."""
    width, height = figure.get_size_inches()
    shared = all(subplot.rows == subplots[0].rows for subplot in subplots)
    for place, subplot in enumerate(subplots):
        row, column = divmod(place, layout.across)
        across, down = len(subplot.columns) * layout.cell.width, len(subplot.rows) * layout.cell.height
        x, y = corner[0] + column * layout.pitch, corner[1] - row * layout.block - down
        axes = figure.add_axes((x / width, y / height, across / width, down / height))
        draw_subplot(axes, subplot, scale.mappable, layout.cell, ticked=column == 0 or not shared)
        axes.set_title(
            "\n".join(layout.titles[place]),
            fontsize=TITLE,
            weight="bold",
            pad=4,
            loc="left" if across < 0.9 else "center",
        )
        axes.set_xlabel(x_name, fontsize=LABEL, labelpad=2)
        if column == 0:
            at = (x - layout.left + 0.05) / width, (y + down / 2) / height
            figure.text(*at, layout.y, rotation=90, fontsize=LABEL, ha="left", va="center", multialignment="center")


def _draw_bar(figure: Figure, scale: Scale, box: tuple[float, float, float, float]) -> None:
    width, height = figure.get_size_inches()
    axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
    bar = figure.colorbar(scale.mappable, cax=axes)
    ticks = list(zip(scale.ticks, scale.tick_texts, strict=True))
    ticks = ticks if box[3] > 0.8 else [ticks[0], ticks[-1]]
    bar.set_ticks([tick for tick, _ in ticks], labels=[text for _, text in ticks])
    axes.tick_params(length=0, labelsize=TICK, pad=2)
    bar.outline.set_visible(False)
    bar.set_label(scale.label if text_width(scale.label, LABEL) < box[3] else "", fontsize=LABEL, labelpad=2)

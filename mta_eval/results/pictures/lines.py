"""Charts of lines with bands, side by side under one heading, one legend for all.

A place that a line has not measured is a gap in it; one that no line of a chart has measured is hatched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mta_eval.results.pictures.style import (
    COLOURS,
    GAP_NOTE,
    GREY,
    HATCH,
    HEADING,
    LABEL,
    LINE,
    MARKS,
    NOTE,
    PAGE,
    PALE,
    PAPER,
    TICK,
    TITLE,
    drawable,
    save,
    styled,
    text_width,
    wrap,
    wrap_apart,
)
from mta_eval.results.statistics import Estimate
from mta_eval.results.table import model_text

MOST_LINES = 6  # with more, each has a chart of its own and the others are pale behind it
LONGEST = 4.0  # inches of a name in the legend
LEFT, RIGHT, GAP, AXIS = 0.6, 0.12, 0.18, 0.42  # inches beside, between and under the charts
NAN = float("nan")
Dash = Literal["-", "--", ":"]
LineStyle = tuple[str, str, Dash]  # colour, marker, dash
DASHES: tuple[Dash, ...] = ("-", "--", ":")

Points = Mapping[int, Estimate]


@dataclass(frozen=True)
class Chart:
    """Lines by name: place on the x axis (a number of `Axis.texts`) -> estimate; a place may lack."""

    title: str
    lines: Mapping[str, Points]


class Axis(NamedTuple):
    """The horizontal axis: its name, the texts of its places, and where they stand (None: at equal steps)."""

    name: str
    texts: Sequence[str]
    places: Sequence[float] | None = None


def draw_charts(charts: Sequence[Chart], heading: str, axis: Axis, y_name: str, note: str, path: Path) -> list[Path]:
    """Draws all charts in per cent; writes and returns `path`.png, `path`.svg and `path`.pdf.

    A name has the same colour and marker in all charts. A single chart of more than MOST_LINES lines becomes one chart
    for each of them. Needs at least one chart. Raises StoreError if a file cannot be written.
    """
    names = list(dict.fromkeys(name for chart in charts for name in chart.lines))
    separate = len(charts) == 1 and len(names) > MOST_LINES
    if any(n not in _measured(chart) for chart in charts for n in range(len(axis.texts))):
        note += f" · {GAP_NOTE}"
    with styled():
        if separate:
            pale = f"grey: the others · {note}"
            single = [Chart(name, {name: charts[0].lines[name]}) for name in names]
            figure, subplots = _page([model_text(name) for name in names], heading, [], pale)
            for chart, subplot in zip(single, subplots, strict=True):
                _draw(subplot, chart, [chart.title], axis, list(charts[0].lines.values()))
        else:
            legend = names if len(names) > 1 or len(charts) > 1 or names != [charts[0].title] else []
            figure, subplots = _page([chart.title for chart in charts], heading, legend, note)
            for chart, subplot in zip(charts, subplots, strict=True):
                _draw(subplot, chart, names, axis, [])
        _label(figure, subplots, axis, y_name)
        return save(figure, path)


def _page(titles: Sequence[str], heading: str, names: Sequence[str], note: str) -> tuple[Figure, list[Axes]]:
    """A figure with empty charts, heading, legend and footnote."""
    across = min(len(titles), 2 if len(titles) in (2, 4) else 3)
    down = math.ceil(len(titles) / across)
    width = 5.0 if across == 1 else PAGE
    chart = (width - LEFT - RIGHT - (across - 1) * GAP) / across
    tall = {1: 2.2, 2: 1.9, 3: 1.5}[across]
    header = wrap(heading, width - 0.2, HEADING, bold=True)
    footer = wrap(note, width - 0.2, NOTE, lines=4)
    title_lines = wrap_apart(titles, chart, TITLE, bold=True, lines=2)
    over = max(map(len, title_lines)) * TITLE * LINE + 0.12
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=dash, markersize=4, linewidth=1.4)
        for colour, marker, dash in map(line_style, range(len(names)))
    ]
    short = wrap_apart([model_text(name) for name in names], LONGEST, TICK, lines=1)
    texts = ["".join(text) for text in short]
    columns = max(1, int((width - 0.2) / (max((text_width(text, TICK) for text in texts), default=1) + 0.42)))
    legend = math.ceil(len(names) / columns) * 0.16 + 0.1 * bool(names)
    top, bottom = len(header) * HEADING * LINE + 0.08, len(footer) * NOTE * LINE + 0.1
    height = top + down * (over + tall + AXIS) + legend + bottom
    figure = Figure((width, height))
    subplots = []
    for place, title in enumerate(title_lines):
        row, column = divmod(place, across)
        x, y = LEFT + column * (chart + GAP), height - top - row * (over + tall + AXIS) - over - tall
        subplots.append(figure.add_axes((x / width, y / height, chart / width, tall / height)))
        subplots[-1].set_title("\n".join(title), fontsize=TITLE, weight="bold", pad=4)
    if names:
        at = (0.5, (bottom - 0.02) / height)
        options = {"columnspacing": 1.2, "handlelength": 2.0, "borderpad": 0.1, "labelspacing": 0.35}
        figure.legend(
            handles,
            texts,
            loc="lower center",
            bbox_to_anchor=at,
            ncols=columns,
            frameon=False,
            fontsize=TICK,
            **options,
        )
    figure.text(0.5, 1 - 0.06 / height, "\n".join(header), fontsize=HEADING, weight="bold", ha="center", va="top")
    figure.text(0.1 / width, 0.05 / height, "\n".join(footer), fontsize=NOTE, color=GREY, ha="left", va="bottom")
    return figure, subplots


def _measured(chart: Chart) -> set[int]:
    return {n for points in chart.lines.values() for n in points}


def line_style(number: int) -> LineStyle:
    return COLOURS[number % 7], MARKS[number % 7], DASHES[number // 7 % 3]


def _draw(axes: Axes, chart: Chart, names: Sequence[str], axis: Axis, background: Sequence[Points]) -> None:
    places = list(axis.places or range(len(axis.texts)))
    for points in background:
        means = [100 * points[n].mean if n in points else NAN for n in range(len(places))]
        axes.plot(places, means, color=PALE, linewidth=0.6, zorder=1)
    for number, name in enumerate(names):
        if points := chart.lines.get(name, {}):
            _draw_line(axes, points, places, line_style(number), banded=len(chart.lines) <= MOST_LINES)
    ends = _ends(places)
    for n in range(len(places)):
        if n not in _measured(chart):
            axes.axvspan(*ends[n], facecolor=PAPER, edgecolor=HATCH, hatch="/////", linewidth=0, zorder=0)
    axes.set(xlim=(ends[0][0], ends[-1][1]), ylim=(-4, 104))


def _draw_line(axes: Axes, points: Points, places: Sequence[float], style: LineStyle, banded: bool) -> None:
    colour, marker, dash = style
    estimates = [points.get(n) or Estimate(NAN, NAN, NAN) for n in range(len(places))]
    low, mean, high = ([100 * estimate[part] for estimate in estimates] for part in (1, 0, 2))
    axes.plot(places, mean, color=colour, marker=marker, linestyle=dash, markersize=3.6, linewidth=1.4, clip_on=False)
    if not banded:
        return
    axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    for n, estimate in points.items():  # a band needs two neighbours, a point alone gets a bar
        if n - 1 not in points and n + 1 not in points:
            axes.plot(
                [places[n]] * 2, [100 * estimate.low, 100 * estimate.high], color=colour, alpha=0.5, linewidth=1.4
            )


def _ends(places: Sequence[float]) -> list[tuple[float, float]]:
    """The stretch of the axis that belongs to each place: half way to its neighbours."""
    if len(places) == 1:
        return [(places[0] - 0.5, places[0] + 0.5)]
    midpoints = [(left + right) / 2 for left, right in pairwise(places)]
    first, last = places[0] - (midpoints[0] - places[0]), places[-1] + (places[-1] - midpoints[-1])
    return list(zip([first, *midpoints], [*midpoints, last], strict=True))


def _label(figure: Figure, subplots: Sequence[Axes], axis: Axis, y_name: str) -> None:
    """Ticks on all charts, names on those at the left and in every column's lowest."""
    width = figure.get_size_inches()[0] * subplots[0].get_position().width
    places = list(axis.places or range(len(axis.texts)))
    ends = _ends(places)
    nearest = min((b - a for a, b in pairwise(places)), default=1)
    room = width * nearest / (ends[-1][1] - ends[0][0])
    texts = [drawable(text) for text in axis.texts]
    least = math.ceil((max(text_width(text, TICK) for text in texts) + 0.05) / room)
    # rather a wider step that ends on the last place
    step = next((n for n in range(least, 2 * least) if (len(texts) - 1) % n == 0), least)
    left = min(subplot.get_position().x0 for subplot in subplots)
    for subplot in subplots:
        subplot.set_xticks(places[::step], texts[::step])
        first = subplot.get_position().x0 <= left
        subplot.set_yticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"] if first else [])
        subplot.tick_params(length=2, width=0.5, labelsize=TICK, pad=2)
        subplot.grid(axis="y", linewidth=0.4, color=PALE)
        subplot.set_axisbelow(True)
        subplot.spines[["top", "right"]].set_visible(False)
        subplot.spines[["left", "bottom"]].set_linewidth(0.5)
        subplot.set_xlabel(axis.name, fontsize=LABEL, labelpad=2)
        if first:
            subplot.set_ylabel(y_name, fontsize=LABEL, labelpad=3)

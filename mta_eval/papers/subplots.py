"""Comparison tables as one picture, a subplot each: filled markers for measured values, open ones for reported ones.

Columns that no model has measured are hatched; curves that the paper plots without values are named, not drawn. Where
all columns are lengths and the style says so, their places are those of a logarithmic scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from mta_eval.papers.axis_places import AxesStyle, aside, edges_of
from mta_eval.papers.comparison_table import NOT_IN_TEXT, ComparisonTable
from mta_eval.results.measures import Measurement
from mta_eval.results.pictures.style import (
    COLOURS,
    GREY,
    HATCH,
    HEADING,
    INK,
    LABEL,
    MARKS,
    NOTE,
    PAGE,
    PAPER,
    TICK,
    drawable,
    save,
    shorten,
    styled,
    text_width,
    wrap,
)

Dash = Literal["-", "--", ":", ""]
LINES: tuple[Dash, ...] = ("-", "--", ":")  # with the colours they tell 21 models apart
NAN = float("nan")
RANGE = 0.2  # opacity of a reported range
MOST_BANDS = 4  # models; more bands than that hide one another
LONGEST = 52  # characters of a name in the legend


class LineStyle(TypedDict, total=False):
    """How a model's line looks, by matplotlib's names."""

    color: str
    marker: str
    linestyle: Dash
    markerfacecolor: str


def draw_tables(
    tables: Sequence[ComparisonTable], heading: str, style: AxesStyle, path: Path, across: int = 3
) -> list[Path]:
    """Draws a subplot for each table, `across` in a row; returns `path`.png, `path`.svg and `path`.pdf.

    A model has the same colour and marker in all subplots. Raises StoreError if a file cannot be written.
    """
    with styled():
        figure, subplots = _page(len(tables), across, heading, _legend(tables), _note(tables))
        line_styles = _line_styles(tables)
        for number, (axes, table) in enumerate(zip(subplots, tables, strict=True)):
            _draw_table(axes, table, line_styles, style, titled=len(tables) > 1, labelled=number % across == 0)
        return save(figure, path)


def _page(count: int, across: int, heading: str, legend: Sequence[Artist], note: str) -> tuple[Figure, list[Axes]]:
    """A figure with its heading, legend and footnote written, and `count` subplots, all placed in inches."""
    across = min(across, count)
    down = math.ceil(count / across)
    width, tall = (PAGE, 1.75) if across > 1 else (PAGE * 0.72, 2.3)
    titles, footer = wrap(heading, width - 0.3, HEADING, bold=True), wrap(note, width - 0.3, NOTE, lines=6)
    columns = _columns(legend, width)
    rows = math.ceil(len(legend) / columns)
    above, pitch = 0.17 * len(titles) + (0.28 if count > 1 else 0.14), tall + 0.62
    below = 0.115 * len(footer) + 0.135 * rows + 0.2
    height = above + down * pitch - 0.16 + below
    figure = Figure((width, height))
    figure.text(0.1 / width, 1 - 0.08 / height, "\n".join(titles), fontsize=HEADING, weight="bold", va="top")
    figure.text(0.1 / width, 0.06 / height, "\n".join(footer), fontsize=NOTE, color=GREY, va="bottom")
    if legend:
        place = (0.05 / width, (0.1 + 0.115 * len(footer)) / height)
        figure.legend(
            handles=list(legend), ncols=columns, frameon=False, fontsize=TICK, loc="lower left", bbox_to_anchor=place,
            handlelength=2.4, borderpad=0, labelspacing=0.35, columnspacing=1.2,
        )  # fmt: skip
    left, gap = 0.55, 0.34
    wide = (width - left - 0.12 - (across - 1) * gap) / across
    subplots = []
    for row, column in (divmod(number, across) for number in range(count)):
        x, y = (left + column * (wide + gap)) / width, 1 - (above + row * pitch + tall) / height
        subplots.append(figure.add_axes((x, y, wide / width, tall / height)))
    return figure, subplots


def _columns(legend: Sequence[Artist], width: float) -> int:
    widest = max((text_width(str(handle.get_label()), TICK) for handle in legend), default=0) + 0.5
    return max(1, min(len(legend), int((width - 0.2) / widest)))


def _line_styles(tables: Sequence[ComparisonTable]) -> dict[tuple[str, str], LineStyle]:
    """("measured", "reported" or "derived", name) -> colour, marker and line."""
    line_styles: dict[tuple[str, str], LineStyle] = {}
    for number, name in enumerate(dict.fromkeys(name for table in tables for name in table.measured)):
        kind = number % len(COLOURS)
        line = LINES[number // len(COLOURS) % len(LINES)]
        line_styles["measured", name] = {"color": COLOURS[kind], "marker": MARKS[kind], "linestyle": line}
    plotted = (
        (table.source_of(name), name)
        for table in tables
        for name, row in table.reported.items()
        if any(value is not None for value in row.values())
    )
    for number, key in enumerate(dict.fromkeys(plotted)):
        marker = MARKS[number % len(MARKS)]
        line_styles[key] = {"color": INK, "marker": marker, "linestyle": "", "markerfacecolor": "none"}
    return line_styles


def _legend(tables: Sequence[ComparisonTable]) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], markersize=4, linewidth=1.4, label=shorten(f"{source}: {name}", LONGEST), **line_style)
        for (source, name), line_style in _line_styles(tables).items()
    ]
    handles += [Patch(color=GREY, alpha=RANGE, linewidth=0, label=table.range.label) for table in tables if table.range]
    if any(table.unmeasured_columns() for table in tables):
        handles.append(Patch(facecolor=PAPER, edgecolor=HATCH, hatch="////", linewidth=0, label="not measured"))
    return handles


def _note(tables: Sequence[ComparisonTable]) -> str:
    unstated = dict.fromkeys(
        name for table in tables for name, row in table.reported.items() if row and None in row.values()
    )
    notes = []
    if any(table.measured for table in tables):
        notes.append("bars and bands: 95 % intervals of all samples, or of three seeds and more if wider")
    if any(cell.seeds for table in tables for cells in table.measured.values() for cell in cells.values()):
        notes.append("thin lines: every seed")
    if unstated:
        notes.append(f"reported values {NOT_IN_TEXT}, plotted in the paper only: {', '.join(unstated)}")
    return " · ".join(notes)


def _draw_table(
    axes: Axes,
    table: ComparisonTable,
    line_styles: Mapping[tuple[str, str], LineStyle],
    style: AxesStyle,
    titled: bool,
    labelled: bool,
) -> None:
    places = style.places(table.columns)
    edges = edges_of(places)
    for number, column in enumerate(table.columns):
        if column in table.unmeasured_columns():
            _hatch(axes, edges[number], edges[number + 1])
    if table.range:
        axes.axhspan(table.range.low, table.range.high, color=GREY, alpha=RANGE, linewidth=0, zorder=1)
    measured_models = sum(source == "measured" for source, _ in line_styles)
    for number, ((source, name), line_style) in enumerate(line_styles.items()):
        xs = [place + aside(number, len(line_styles)) for place in places]
        if source == "measured" and name in table.measured:
            cells = [table.measured[name].get(column) for column in table.columns]
            _draw_measured(axes, xs, measured_models <= MOST_BANDS, cells, line_style)
        elif source != "measured" and any(value is not None for value in table.reported.get(name, {}).values()):
            values = [table.reported[name].get(column) for column in table.columns]
            ys = [NAN if value is None else value for value in values]
            axes.plot(xs, ys, markersize=5.5, markeredgewidth=1.1, zorder=4, **line_style)
    axes.set_xlim(edges[0], edges[-1])
    if style.ends:
        margin = 0.04 * (style.ends[1] - style.ends[0])
        axes.set_ylim(style.ends[0] - margin, style.ends[1] + margin)
    texts = [table.column_text(column) for column in table.columns]
    axes.set_xticks(places, texts)
    if max(map(len, texts)) > 7:
        axes.tick_params(axis="x", labelrotation=30)
    _frame(axes, table.title if titled else "", style.x_label, style.y_label if labelled else "")
    if not table.measured and not any(value is not None for row in table.reported.values() for value in row.values()):
        _write_centred(axes, f"reported: {NOT_IN_TEXT}\nmeasured: nothing")


def _draw_measured(
    axes: Axes,
    places: Sequence[float],
    banded: bool,
    cells: Sequence[Measurement | None],
    line_style: LineStyle,
) -> None:
    for seed in dict.fromkeys(seed for cell in cells if cell for seed in cell.seeds):
        single = [cell.seeds.get(seed, NAN) if cell else NAN for cell in cells]
        axes.plot(places, single, color=line_style["color"], linewidth=0.5, alpha=0.7)
    means = [cell.mean if cell else NAN for cell in cells]
    lows, highs = ([NAN if end is None else end for end in ends] for ends in zip(*map(_ends, cells), strict=True))
    if banded:
        axes.fill_between(places, lows, highs, color=line_style["color"], alpha=0.15, linewidth=0)
    # a lone point has no band, and many bands hide one another: every point has its bar
    axes.vlines(places, lows, highs, color=line_style["color"], linewidth=0.8, alpha=0.6)
    axes.plot(places, means, markersize=4, linewidth=1.4, zorder=3, **line_style)


def _ends(cell: Measurement | None) -> tuple[float | None, float | None]:
    return (cell.low, cell.high) if cell else (None, None)


def _hatch(axes: Axes, start: float, end: float) -> None:
    box = Rectangle(
        (start, 0), end - start, 1, transform=axes.get_xaxis_transform(), facecolor=PAPER, edgecolor=HATCH,
        hatch="////", linewidth=0, zorder=0,
    )  # fmt: skip
    axes.add_patch(box)


def _write_centred(axes: Axes, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": HATCH, "linewidth": 0.5, "pad": 4}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=TICK, bbox=box, zorder=5)


def _frame(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set_title(drawable(title), fontsize=LABEL, weight="bold", pad=4)
    axes.set_xlabel(x_label, fontsize=LABEL, labelpad=2)
    axes.set_ylabel(y_label, fontsize=LABEL, labelpad=2)
    axes.tick_params(labelsize=TICK, length=2, width=0.5)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)

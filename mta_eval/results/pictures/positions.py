"""Perplexity by position in the window -> one picture: does a model gain from what lies further back?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from mta_eval.core import Record
from mta_eval.results.grid import axis_value, axis_values
from mta_eval.results.measures import Measurement
from mta_eval.results.perplexity_table import by_position
from mta_eval.results.pictures.style import (
    COLOURS,
    GREY,
    HEADING,
    LABEL,
    MARKS,
    NOTE,
    PAGE,
    PALE,
    TICK,
    save,
    shorten,
    styled,
    wrap,
)
from mta_eval.results.table import axis_text, length_text, model_text

HEIGHT = 3.2  # inches
LONGEST = 40  # characters of a name in the legend
DASHES = ("-", "--", ":")
Lines = Mapping[str, Mapping[int, Measurement]]


def lines_by_position(records: Sequence[Record]) -> dict[str, dict[int, Measurement]]:
    """For each model, and each length of the window where there are several, its perplexity by position."""
    read = [record for record in records if record.was_read and record.positions]
    models, lengths = list(dict.fromkeys(record.model for record in read)), axis_values(read, "length")
    lines: dict[str, dict[int, Measurement]] = {}
    for model in models:
        for length in lengths:
            group = [record for record in read if record.model == model and axis_value(record, "length") == length]
            if group:
                lines[model_text(model) + (f", windows of {axis_text('length', length)}" if lengths[1:] else "")] = (
                    by_position(group)
                )
    return lines


def draw_positions(lines: Lines, title: str, path: Path) -> list[Path]:
    """Draws the lines on logarithmic axes; writes and returns `path`.png, `path`.svg and `path`.pdf.

    A point stands where its stretch of the window begins. Raises StoreError if a file cannot be written.
    """
    with styled():
        figure = Figure((PAGE, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, cells) in enumerate(lines.items()):
            _draw(axes, name, cells, number)
        axes.set_title(
            "\n".join(wrap(title, PAGE - 2, HEADING, bold=True)), fontsize=HEADING, weight="bold", loc="left"
        )
        places = sorted({place for cells in lines.values() for place in cells})
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        shown = [place for place in places if place & (place - 1) == 0]
        axes.set_xticks(shown, [length_text(place) for place in shown])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        low, high = axes.get_ylim()
        wide = high > 5 * low
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5, min_n_ticks=3))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("tokens of the window before a token", fontsize=LABEL)
        axes.set_ylabel("perplexity", fontsize=LABEL)
        axes.tick_params(labelsize=TICK)
        axes.grid(axis="y", linewidth=0.4, color=PALE)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, fontsize=TICK, loc="outside right upper")
        note = (
            "a point: the tokens from there to the next point · bands: 95 % intervals over windows · logarithmic axes"
        )
        figure.supxlabel(note, fontsize=NOTE, color=GREY, x=0.99, ha="right")
        return save(figure, path)


def _draw(axes: Axes, name: str, cells: Mapping[int, Measurement], number: int) -> None:
    colour, marker = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    places, means = list(cells), [cell.mean for cell in cells.values()]
    lows = [cell.mean if cell.low is None else cell.low for cell in cells.values()]
    highs = [cell.mean if cell.high is None else cell.high for cell in cells.values()]
    axes.fill_between(places, lows, highs, color=colour, alpha=0.18, linewidth=0)
    label = shorten(name, LONGEST)
    axes.plot(places, means, color=colour, marker=marker, linestyle=dash, markersize=3.6, linewidth=1.4, label=label)

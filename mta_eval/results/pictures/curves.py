"""Curves with bands -> one picture. Knows no records: only names, values and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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

HEIGHT = 3.2  # inches
LONGEST = 40  # characters of a name in the legend


@dataclass(frozen=True)
class Curve:
    """Shares `means` at `xs`, from 0 to 1, each from `lows` to `highs`; `singles` are thin lines of what was averaged.

    A gap is left wherever a single line has None. `joined` False leaves the means as points, where what lies between
    is not known.
    """

    name: str
    xs: Sequence[float]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    singles: Sequence[Sequence[float | None]] = field(default=())
    joined: bool = True


def draw_curves(
    curves: Sequence[Curve], title: str, labels: tuple[str, str], path: Path, ticks: Sequence[str] = ()
) -> list[Path]:
    """Draws all curves over one another in per cent; writes and returns `path`.png, `path`.svg and `path`.pdf.

    `labels` are those of the two axes; `ticks` name the places 0, 1, … of the horizontal one. Raises StoreError if a
    file cannot be written.
    """
    with styled():
        figure = Figure((PAGE, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        for number, curve in enumerate(curves):
            _draw(axes, curve, COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)])
        axes.set_title(
            "\n".join(wrap(title, PAGE - 2, HEADING, bold=True)), fontsize=HEADING, weight="bold", loc="left"
        )
        axes.set_xlabel(labels[0], fontsize=LABEL)
        axes.set_ylabel(f"{labels[1]} (%)", fontsize=LABEL)
        axes.set_ylim(-3, 103)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if ticks:
            axes.set_xticks(range(len(ticks)), ticks)
        axes.tick_params(labelsize=TICK)
        axes.grid(axis="y", linewidth=0.4, color=PALE)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, fontsize=TICK, loc="outside right upper")
        note = "bands: 95 % intervals of all samples"
        if any(curve.singles for curve in curves):
            note += "; thin lines: every seed"
        figure.supxlabel(note, fontsize=NOTE, color=GREY, x=0.99, ha="right")
        return save(figure, path)


def _draw(axes: Axes, curve: Curve, colour: str, marker: str) -> None:
    for single in curve.singles:
        values = [float("nan") if share is None else 100 * share for share in single]
        axes.plot(curve.xs, values, color=colour, linewidth=0.6, alpha=0.7)
    low, high = ([100 * share for share in shares] for shares in (curve.lows, curve.highs))
    axes.fill_between(curve.xs, low, high, color=colour, alpha=0.18, linewidth=0)
    means = [100 * share for share in curve.means]
    line, label = "-" if curve.joined else "", shorten(curve.name, LONGEST)
    axes.plot(curve.xs, means, linestyle=line, label=label, color=colour, marker=marker, markersize=4.5, linewidth=1.8)

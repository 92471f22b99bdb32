"""Lines as a figure of a paper: small multiples with shared axes, and one legend for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mta_eval.results.pictures.charts import ChartPlan
from mta_eval.results.pictures.figure_panels import Around, label_room, make_panels, panel_rows, panels_across
from mta_eval.results.pictures.figure_style import FigureStyle
from mta_eval.results.pictures.lines import Axis, Chart, Points, line_style
from mta_eval.results.pictures.style import GAP_NOTE, GREY, HATCH, PALE, PAPER, save, text_width, wrap_apart
from mta_eval.results.table import model_text

MOST_BANDS = 2  # lines of a panel with bands over each other that can still be read; more have bars beside each other
Style = tuple[str, str, str]  # colour, marker, dash


def draw_lines_figure(plan: ChartPlan, style: FigureStyle, path: Path) -> list[Path]:
    """Draws one panel for each chart of a plan, in per cent; returns the files. What no line measured is hatched."""
    names = list(dict.fromkeys(name for chart in plan.charts for name in chart.lines))
    keys = wrap_apart([model_text(name) for name in names], style.width - 0.5, style.tick, lines=1)
    texts = ["".join(key) for key in keys]
    per_row = max(1, int((style.width - 0.1) / (label_room(texts, style.tick) + 5 * style.em)))
    legend = math.ceil(len(names) / per_row) * style.em * 1.15
    places = list(plan.axis.places or range(len(plan.axis.texts)))
    gaps = any(set(range(len(places))) - _measured(chart) for chart in plan.charts)
    bars = len(names) > MOST_BANDS
    note = ("bars" if bars else "bands") + ": 95 % intervals" + f"; {GAP_NOTE}" * gaps
    around = Around(
        left=label_room(["100"], style.tick) + 0.12 + style.label * 1.3 / 72,
        right=0.06,
        below=style.em + style.label * 1.3 / 72 + 0.06,
        foot=legend + style.note * 1.3 / 72 + 0.06,
    )
    titles = [chart.title if len(plan.charts) > 1 else "" for chart in plan.charts]
    across, wide = panels_across(len(titles), style, around)
    tall = min(0.75 * wide, style.height / 2)
    fits = panel_rows(len(titles), tall + style.label * 1.3 / 72 + 0.16, style, around, across)
    written: list[Path] = []
    for number, start in enumerate(range(0, len(titles), fits), 1):
        shown = plan.charts[start : start + fits]
        figure, panels, lowest = make_panels(plan.heading, titles[start : start + fits], style, around, tall)
        across, _ = panels_across(len(shown), style, around)
        for place, (panel, chart) in enumerate(zip(panels, shown, strict=True)):
            _fill(panel, chart, names, places, style, bars)
            _ticks(panel, plan.axis, places, style, left=place % across == 0, lowest=place in lowest)
        _words(figure, panels, plan, (texts, per_row), note, style, around)
        written += save(figure, path if number == 1 else path.with_name(f"{path.name}_{number}"))
    return written


def _measured(chart: Chart) -> set[int]:
    return {n for points in chart.lines.values() for n in points}


def _ends(places: Sequence[float]) -> list[tuple[float, float]]:
    steps = [right - left for left, right in pairwise(places)] or [1.0]
    middles = [(left + right) / 2 for left, right in pairwise(places)]
    return list(zip([places[0] - steps[0] / 2, *middles], [*middles, places[-1] + steps[-1] / 2], strict=True))


def _fill(
    panel: Axes, chart: Chart, names: Sequence[str], places: Sequence[float], style: FigureStyle, bars: bool
) -> None:
    ends = _ends(places)
    for n in range(len(places)):
        if n not in _measured(chart):
            panel.axvspan(*ends[n], facecolor=PAPER, edgecolor=HATCH, hatch="/////", linewidth=0, zorder=0)
    step = min((right - left for left, right in pairwise(places)), default=1.0)
    apart = 0.24 * step / max(len(names) - 1, 1) if bars else 0.0
    for number, name in enumerate(names):
        shift = (number - (len(names) - 1) / 2) * apart
        _line(panel, chart.lines.get(name, {}), [place + shift for place in places], line_style(number), style, bars)
    panel.set(xlim=(ends[0][0], ends[-1][1]), ylim=(-4, 104))
    panel.grid(axis="y", linewidth=0.4, color=PALE)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_linewidth(0.5)


def _line(panel: Axes, points: Points, places: Sequence[float], line: Style, style: FigureStyle, bars: bool) -> None:
    colour, marker, dash = line
    shown = [(places[n], points[n]) for n in range(len(places)) if n in points]
    gaps = [100 * points[n].mean if n in points else math.nan for n in range(len(places))]
    size = 2.6 * style.line
    panel.plot(places, gaps, color=colour, linestyle=dash, marker=marker, markersize=size, linewidth=style.line)
    if bars or len(shown) == 1:
        for place, one in shown:
            panel.plot([place] * 2, [100 * one.low, 100 * one.high], color=colour, linewidth=0.6 * style.line)
        return
    low = [100 * points[n].low if n in points else math.nan for n in range(len(places))]
    high = [100 * points[n].high if n in points else math.nan for n in range(len(places))]
    panel.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
    for edge in (low, high):  # where bands overlap their edges still say whose they are
        panel.plot(places, edge, color=colour, linestyle=dash, linewidth=0.35 * style.line, alpha=0.7)


def _ticks(panel: Axes, axis: Axis, places: Sequence[float], style: FigureStyle, left: bool, lowest: bool) -> None:
    figure = panel.get_figure()
    assert isinstance(figure, Figure)
    wide = figure.get_size_inches()[0] * panel.get_position().width / len(places)
    step = max(1, math.ceil((label_room(axis.texts, style.tick) + 0.05) / wide))
    panel.set_xticks(places[::step], axis.texts[::step] if lowest else [])
    panel.set_yticks([0, 50, 100], ["0", "50", "100"] if left else [])
    panel.tick_params(length=2, width=0.5)


def _words(
    figure: Figure,
    panels: Sequence[Axes],
    plan: ChartPlan,
    legend: tuple[Sequence[str], int],
    note: str,
    style: FigureStyle,
    around: Around,
) -> None:
    width, height = figure.get_size_inches()
    top, bottom = max(one.get_position().y1 for one in panels), min(one.get_position().y0 for one in panels)
    left, right = around.left / width, max(one.get_position().x1 for one in panels)
    under = (around.foot + style.label * 1.3 / 72) / height
    figure.text((left + right) / 2, under, plan.axis.name, fontsize=style.label, ha="center", va="top")
    name = f"{plan.y_name} (%)"
    fitting = name if text_width(name, style.label) < (top - bottom) * height + 0.3 else plan.y_name
    figure.text(0.02, (top + bottom) / 2, fitting, fontsize=style.label, rotation=90, ha="left", va="center")
    texts, per_row = legend
    lines = [
        Line2D([], [], color=colour, marker=marker, linestyle=dash, markersize=2.6 * style.line, linewidth=style.line)
        for colour, marker, dash in map(line_style, range(len(texts)))
    ]
    figure.legend(
        lines,
        texts,
        loc="lower center",
        bbox_to_anchor=(0.5, (style.note * 1.3 / 72 + 0.02) / height),
        ncols=min(per_row, len(texts)),
        frameon=False,
        fontsize=style.tick,
        borderpad=0,
        labelspacing=0.2,
        columnspacing=1.2,
        handlelength=2.0,
        borderaxespad=0,
    )
    figure.text(0.02, 0.02 / height, note, fontsize=style.note, color=GREY, ha="left", va="bottom")

"""The figure of a tunnel: a row for each difficulty axis and for each other task; errors, steps to solve, seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
)
from mta_eval.tunnel.axes import Axis, task_text
from mta_eval.tunnel.figure_rows import Look, draw_curves, draw_task
from mta_eval.tunnel.training_run import FACTOR
from mta_eval.tunnel.tunnel_result import SEEDS_OF_AN_INTERVAL

if TYPE_CHECKING:
    from mta_eval.tunnel.tunnel_result import Tunnel

ROW, EACH, AROUND, CURVE = 0.75, 0.24, 0.9, 2.2  # inches: a task, a variant in it, above and below, an axis
LONGEST = 28  # characters of a variant's name
HEADS = ("wrong answers (%)", "steps until solved", "milliseconds a step")


def draw_tunnel(tunnel: Tunnel, path: Path) -> list[Path]:
    """Writes and returns `path`.png, `path`.svg and `path`.pdf. Raises StoreError."""
    along = {task for axis in tunnel.axes for task in axis.tasks.values()}
    rows: list[Axis | str] = [*tunnel.axes, *(task for task in tunnel.plan.tasks if task not in along)]
    looks = [
        Look(shorten(one.title, LONGEST), COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)])
        for place, one in enumerate(tunnel.plan.variants)
    ]
    heights = [CURVE if isinstance(row, Axis) else ROW + EACH * len(looks) for row in rows]
    with styled():
        figure = Figure((PAGE, AROUND + sum(heights)), layout="constrained")
        grid = figure.subplots(len(rows), 3, squeeze=False, width_ratios=(4, 3, 2), height_ratios=heights)
        for line, row in zip(grid, rows, strict=True):
            _draw_row(tunnel, list(line), row, looks)
        for axes, text in zip(grid[-1], HEADS, strict=True):
            if isinstance(rows[-1], str):
                axes.set_xlabel(text, fontsize=LABEL)
        if tunnel.axes:
            handles = [Line2D([], [], color=look.colour, marker=look.mark, markersize=4) for look in looks]
            figure.legend(handles, [look.name for look in looks], loc="outside upper left", fontsize=TICK, ncols=3)
        title = f"{looks[0].name} in the tunnel"
        figure.suptitle(title, fontsize=HEADING, weight="bold", x=0.01, ha="left")
        figure.supxlabel(_note(tunnel), fontsize=NOTE, color=GREY, x=0.99, ha="right")
        return save(figure, path)


def _draw_row(tunnel: Tunnel, line: list[Axes], row: Axis | str, looks: list[Look]) -> None:
    labels, steps = [one.label for one in tunnel.plan.variants], tunnel.plan.preset.steps
    if isinstance(row, Axis):
        draw_curves(line, row, [tunnel.along(row, label) for label in labels], looks, steps)
        for axes, text in zip(line, HEADS, strict=True):
            axes.set_ylabel(text, fontsize=TICK)
    else:
        draw_task(line, [tunnel.judged[row, label] for label in labels], looks, steps)
    title = row.title if isinstance(row, Axis) else task_text(row)
    line[0].set_title(shorten(title, 60), fontsize=LABEL, loc="left")
    for axes in line:
        axes.tick_params(labelsize=TICK)
        axes.grid(axis="y" if isinstance(row, Axis) else "x", linewidth=0.4, color=PALE)
        axes.spines[["top", "right"]].set_visible(False)


def _note(tunnel: Tunnel) -> str:
    note = f"filled: every seed; hollow: rows {FACTOR} times longer; cross: not solved"
    if tunnel.plan.preset.seeds < SEEDS_OF_AN_INTERVAL:
        return note
    return f"{note}; bars: 95 % intervals of the mean over seeds, by t, cut at 0 and 100"

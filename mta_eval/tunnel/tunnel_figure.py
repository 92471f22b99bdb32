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
    wrap_apart,
)
from mta_eval.tunnel.axes import DifficultyAxis, task_text
from mta_eval.tunnel.figure_rows import SIZE, VariantLook, draw_along, draw_task
from mta_eval.tunnel.training_run import FACTOR
from mta_eval.tunnel.tunnel_result import SEEDS_OF_AN_INTERVAL

if TYPE_CHECKING:
    from mta_eval.tunnel.tunnel_result import Tunnel

ROW, EACH, AROUND, CURVE = 0.75, 0.24, 0.9, 2.2  # inches: a task, a variant in it, above and below, an axis
NAMES = 1.5  # inches of a variant's name, in at most two lines
KEY, KEYS = 0.2, 3  # inches of a line of the key to curves, names in it
HEADS = ("wrong answers (%)", "steps until solved", "ms a step")


def draw_tunnel(tunnel: Tunnel, path: Path) -> list[Path]:
    """Writes and returns `path`.png, `path`.svg and `path`.pdf. Raises StoreError."""
    along = {task for axis in tunnel.axes for task in axis.tasks.values()}
    rows: list[DifficultyAxis | str] = [*tunnel.axes, *(task for task in tunnel.plan.tasks if task not in along)]
    looks = [
        VariantLook("\n".join(name), COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)])
        for place, name in enumerate(wrap_apart([one.title for one in tunnel.plan.variants], NAMES, TICK, lines=2))
    ]
    key = KEY * 2 * -(-len(looks) // KEYS) if tunnel.axes else 0.01
    heights = [key, *(CURVE if isinstance(row, DifficultyAxis) else ROW + EACH * len(looks) for row in rows)]
    with styled():
        figure = Figure((PAGE, AROUND + sum(heights)), layout="constrained")
        layout = figure.add_gridspec(len(heights), 3, width_ratios=(4, 3, 2), height_ratios=heights)
        if tunnel.axes:
            _draw_key(figure.add_subplot(layout[0, :]), looks)
        grid = [[figure.add_subplot(layout[place, column]) for column in range(3)] for place in range(1, len(heights))]
        for line, row in zip(grid, rows, strict=True):
            _draw_row(tunnel, line, row, looks)
        for axes, text in zip(grid[-1], HEADS, strict=True):
            if isinstance(rows[-1], str):
                axes.set_xlabel(text, fontsize=LABEL)
        title = f"{shorten(tunnel.plan.variants[0].title, 80)} in the tunnel"
        figure.suptitle(title, fontsize=HEADING, weight="bold", x=0.01, ha="left")
        figure.supxlabel(_note(tunnel), fontsize=NOTE, color=GREY, x=0.99, ha="right")
        return save(figure, path)


def _draw_row(tunnel: Tunnel, line: list[Axes], row: DifficultyAxis | str, looks: list[VariantLook]) -> None:
    labels, steps = [one.label for one in tunnel.plan.variants], tunnel.plan.preset.steps
    if isinstance(row, DifficultyAxis):
        draw_along(line, row, [tunnel.along(row, label) for label in labels], looks, steps)
        for axes, text in zip(line, HEADS, strict=True):
            axes.set_ylabel(text, fontsize=TICK)
    else:
        draw_task(line, [tunnel.judged[row, label] for label in labels], looks, steps)
    title = row.title if isinstance(row, DifficultyAxis) else task_text(row)
    line[0].set_title(shorten(title, 60), fontsize=LABEL, loc="left")
    for axes in line:
        axes.tick_params(labelsize=TICK)
        axes.grid(axis="y" if isinstance(row, DifficultyAxis) else "x", linewidth=0.4, color=PALE)
        axes.spines[["top", "right"]].set_visible(False)


def _draw_key(axes: Axes, looks: list[VariantLook]) -> None:
    axes.set_axis_off()
    handles = [Line2D([], [], color=look.colour, marker=look.mark, markersize=SIZE) for look in looks]
    names = [look.name for look in looks]
    axes.legend(handles, names, loc="center left", fontsize=TICK, ncols=KEYS, frameon=False, borderaxespad=0)


def _note(tunnel: Tunnel) -> str:
    note = f"filled: every seed; hollow: rows {FACTOR} times longer; cross: not solved; dashed: chance"
    if tunnel.plan.preset.seeds < SEEDS_OF_AN_INTERVAL:
        return note
    return f"{note}; bars: 95 % intervals of the mean over seeds, by t, cut at 0 and 100"

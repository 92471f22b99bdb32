"""The figure of a tunnel: a row for each task; errors with their intervals on the left, steps to solve on the right."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
from mta_eval.tunnel.training_run import FACTOR, SOLVED
from mta_eval.tunnel.tunnel_result import error_interval
from mta_eval.tunnel.verdicts import Judged, task_text

if TYPE_CHECKING:
    from mta_eval.tunnel.tunnel_result import Tunnel

ROW, EACH, AROUND = 0.75, 0.22, 0.8  # inches: of a task, of a variant in it, of what stands above and below
LONGEST = 24  # characters of a variant's name


def draw_tunnel(tunnel: Tunnel, path: Path) -> list[Path]:
    """Writes and returns `path`.png, `path`.svg and `path`.pdf. Raises StoreError."""
    tasks, variants = tunnel.plan.tasks, tunnel.plan.variants
    with styled():
        height = AROUND + len(tasks) * (ROW + EACH * len(variants))
        figure = Figure((PAGE, height), layout="constrained")
        grid = figure.subplots(len(tasks), 2, squeeze=False, sharey="row", sharex="col", width_ratios=(3, 2))
        for (errors, steps), task in zip(grid, tasks, strict=True):
            for place, variant in enumerate(variants):
                one, colour = tunnel.judged[task, variant.kind], COLOURS[place % len(COLOURS)]
                _draw_errors(errors, one, place, colour, MARKS[place % len(MARKS)])
                _draw_steps(steps, one, place, colour, tunnel.plan.preset.steps)
            errors.set_yticks(range(len(variants)), [shorten(one.title, LONGEST) for one in variants])
            errors.set_ylim(len(variants) - 0.4, -0.6)
            errors.set_xlim(-3, 103)
            errors.axvline(100 * SOLVED, color=PALE, linewidth=0.8, zorder=0)
            errors.set_title(shorten(task_text(task), 70), fontsize=LABEL, loc="left")
            for axes in (errors, steps):
                axes.tick_params(labelsize=TICK)
                axes.grid(axis="x", linewidth=0.4, color=PALE)
                axes.spines[["top", "right"]].set_visible(False)
        grid[-1][0].set_xlabel("wrong answers (%)", fontsize=LABEL)
        grid[-1][1].set_xlabel("steps until solved (cross: not solved)", fontsize=LABEL)
        title = f"{shorten(variants[0].title, LONGEST)} in the tunnel"
        figure.suptitle(title, fontsize=HEADING, weight="bold", x=0.01, ha="left")
        note = f"filled: every seed; hollow: rows {FACTOR} times longer; bars: 95 % intervals of the mean over seeds"
        figure.supxlabel(note, fontsize=NOTE, color=GREY, x=0.99, ha="right")
        return save(figure, path)


def _draw_errors(axes: Axes, one: Judged, place: int, colour: str, marker: str) -> None:
    errors = [100 * error for error in one.errors]
    ends = error_interval(one.errors)
    if ends is not None:
        axes.plot([100 * end for end in ends], [place, place], color=colour, linewidth=1.6, alpha=0.5)
        axes.plot([mean(errors)], [place], marker="|", markersize=9, color=colour)
    axes.plot(errors, [place] * len(errors), marker, color=colour, markersize=4, alpha=0.8)
    grown = [100 * result.wrong_longer for result in one.outcome.results]
    axes.plot(grown, [place + 0.25] * len(grown), marker, color=colour, markersize=4, fillstyle="none")


def _draw_steps(axes: Axes, one: Judged, place: int, colour: str, most: int) -> None:
    solved = [result.solved_at for result in one.outcome.results if result.solved_at is not None]
    axes.plot(solved, [place] * len(solved), "o", color=colour, markersize=4, alpha=0.8)
    others = len(one.outcome.results) - len(solved)
    axes.plot([most] * others, [place] * others, "x", color=colour, markersize=5)
    axes.set_xlim(0, 1.05 * most)

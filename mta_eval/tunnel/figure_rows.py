"""The rows of a tunnel's figure: a task with a line for each variant, or a difficulty axis with a curve for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from matplotlib.axes import Axes

from mta_eval.results.pictures.style import GREY, PALE, TICK
from mta_eval.tunnel.axes import DifficultyAxis
from mta_eval.tunnel.training_run import SOLVED
from mta_eval.tunnel.tunnel_result import error_interval
from mta_eval.tunnel.verdicts import Judged

SIZE = 4  # points of a mark
ASIDE = 0.07  # of the distance of two values: variants beside one another, so that none hides another


@dataclass(frozen=True)
class VariantLook:
    """How a variant is shown."""

    name: str
    colour: str
    mark: str


def draw_task(line: Sequence[Axes], ones: Sequence[Judged], looks: Sequence[VariantLook], most: int) -> None:
    """Errors, steps to solve (of `most`) and milliseconds a step of every variant on one task."""
    errors, steps, cost = line
    for place, (one, look) in enumerate(zip(ones, looks, strict=True)):
        shares = _percent(one.errors)
        if ends := error_interval(one.errors):
            errors.plot(_percent(ends), [place, place], color=look.colour, linewidth=1.6, alpha=0.5)
            errors.plot([mean(shares)], [place], marker="|", markersize=9, color=look.colour)
        errors.plot(shares, [place] * len(shares), look.mark, color=look.colour, markersize=SIZE, alpha=0.8)
        grown = _percent([result.wrong_longer for result in one.outcome.results])
        below = [place + 0.25] * len(grown)
        errors.plot(grown, below, look.mark, color=look.colour, markersize=SIZE, fillstyle="none")
        solved = [result.solved_at for result in one.outcome.results if result.solved_at is not None]
        steps.plot(solved, [place] * len(solved), look.mark, color=look.colour, markersize=SIZE, alpha=0.8)
        others = len(one.outcome.results) - len(solved)
        steps.plot([most] * others, [place] * others, "x", color=look.colour, markersize=SIZE + 1)
        if (time := milliseconds(one)) is not None:
            cost.barh([place], [time], height=0.5, color=look.colour)
            cost.annotate(f" {time:.0f}", (time, place), va="center", fontsize=TICK)
    errors.set_yticks(range(len(ones)), [look.name for look in looks])
    errors.set_xlim(-3, 103)
    errors.axvline(100 * SOLVED, color=PALE, linewidth=0.8, zorder=0)
    errors.axvline(100 * ones[0].chance, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    steps.set_xlim(0, 1.05 * most)
    cost.set_xlim(0, 1.25 * max(cost.get_xlim()[1], 1e-3))
    for axes in line:
        axes.set_ylim(len(ones) - 0.4, -0.6)
    for axes in (steps, cost):
        axes.set_yticks(range(len(ones)), [""] * len(ones))


def draw_along(
    line: Sequence[Axes],
    axis: DifficultyAxis,
    variants: Sequence[Sequence[Judged]],
    looks: Sequence[VariantLook],
    most: int,
) -> None:
    """The same over the values of an axis: a curve through the means of every variant, every seed a mark."""
    errors, steps, cost = line
    for number, (ones, look) in enumerate(zip(variants, looks, strict=True)):
        places = [value + ASIDE * (number - (len(looks) - 1) / 2) for value in range(len(axis.tasks))]
        errors.plot(places, _percent([mean(one.errors) for one in ones]), color=look.colour, linewidth=1.2)
        grown = [mean(result.wrong_longer for result in one.outcome.results) for one in ones]
        errors.plot(places, _percent(grown), color=look.colour, linewidth=0.8, linestyle=":")
        for place, one in zip(places, ones, strict=True):
            results = one.outcome.results
            every = [place] * len(results)
            errors.plot(every, _percent(one.errors), look.mark, color=look.colour, markersize=SIZE, alpha=0.8)
            longer = _percent([result.wrong_longer for result in results])
            errors.plot(every, longer, look.mark, color=look.colour, markersize=SIZE, fillstyle="none")
            if ends := error_interval(one.errors):
                errors.plot([place, place], _percent(ends), color=look.colour, linewidth=1.6, alpha=0.4)
            solved = [result.solved_at for result in results if result.solved_at is not None]
            steps.plot([place] * len(solved), solved, look.mark, color=look.colour, markersize=SIZE)
            others = len(results) - len(solved)
            steps.plot([place] * others, [most] * others, "x", color=look.colour, markersize=SIZE + 1)
        times = [(place, time) for place, one in zip(places, ones, strict=True) if (time := milliseconds(one))]
        xs, ys = [place for place, _ in times], [time for _, time in times]
        cost.plot(xs, ys, look.mark, color=look.colour, markersize=SIZE, linestyle="-", linewidth=0.8)
    errors.set_ylim(-3, 103)
    errors.axhline(100 * SOLVED, color=PALE, linewidth=0.8, zorder=0)
    chance = _percent([one.chance for one in variants[0]])
    errors.plot(range(len(chance)), chance, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    steps.set_ylim(0, 1.05 * most)
    cost.set_ylim(bottom=0)
    for axes in line:
        axes.set_xticks(range(len(axis.tasks)), [str(value) for value in axis.tasks])
        axes.set_xlabel(axis.option, fontsize=TICK)


def milliseconds(one: Judged) -> float | None:
    """Of a step, the median over the seeds that have it measured."""
    known = [1000 * result.seconds_per_step for result in one.outcome.results if result.seconds_per_step is not None]
    return median(known) if known else None


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]

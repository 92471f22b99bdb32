"""What a tunnel says in a sentence: what the variant in question can do that others cannot, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Literal

from mta_eval import registry
from mta_eval.tunnel.plan import TunnelOutcome
from mta_eval.tunnel.training_run import SOLVED

AT_CHANCE = 0.9  # of the errors of the best guess that does not solve the task
Standing = Literal["solves", "sometimes", "learns", "chance"]


@dataclass(frozen=True)
class Judged:
    """An outcome with its counts over seeds."""

    outcome: TunnelOutcome
    title: str

    @property
    def errors(self) -> list[float]:
        """The share of wrong answers of every seed."""
        return [result.wrong for result in self.outcome.results]

    @property
    def solved(self) -> int:
        """Seeds with at most SOLVED wrong."""
        return sum(error <= SOLVED for error in self.errors)

    @property
    def at_chance(self) -> int:
        """Seeds that are hardly better than the best guess that does not solve the task."""
        chance = registry.build_diagnostic(self.outcome.task).chance
        return sum(error >= AT_CHANCE * (1 - chance) for error in self.errors)

    @property
    def standing(self) -> Standing:
        """`sometimes`: with some seeds; `learns`: with none, but better than chance with some."""
        seeds = len(self.errors)
        if self.solved:
            return "solves" if self.solved == seeds else "sometimes"
        return "chance" if self.at_chance == seeds else "learns"

    @property
    def steps(self) -> float | None:
        """The median of steps to solve, over seeds that solve it."""
        solved = [result.solved_at for result in self.outcome.results if result.solved_at is not None]
        return median(solved) if solved else None

    @property
    def seeds_text(self) -> str:
        """ "3 of 3 seeds", of what its standing says."""
        counts: dict[Standing, int] = {"solves": self.solved, "sometimes": self.solved, "chance": self.at_chance}
        seeds = len(self.errors)
        return f"{counts.get(self.standing, seeds)} of {seeds} seed{'s' * (seeds != 1)}"


def task_text(spec: str) -> str:
    """A task in words: two_condition_recall:distance=8 is "two condition recall at distance 8"."""
    name, _, options = spec.partition(":")
    words = name.replace("_", " ")
    return f"{words} at {options.replace('=', ' ').replace(',', ', ')}" if options else words


def tunnel_verdict(first: Judged, others: Sequence[Judged], steps: int) -> str:
    """One sentence on a task: the variant in question, then the others, within `steps` steps."""
    task = task_text(first.outcome.task)
    if all(one.standing == "chance" for one in (first, *others)):
        return f"{task}: nobody is better than chance within {steps:,} steps: this says nothing about the variants."
    if first.standing == "solves" and others and all(other.standing == "chance" for other in others):
        names, counts = _joined([other.title for other in others]), {other.seeds_text for other in others}
        stay = "stays" if len(others) == 1 else "stay"
        return (
            f"{first.title} solves {task} where {names} {stay} at chance ({_joined(sorted(counts))}, {steps:,} steps)."
        )
    return (
        "; ".join([_standing_text(first, f"{task} ", steps), *(_standing_text(other, "", steps) for other in others)])
        + "."
    )


def _standing_text(one: Judged, task: str, steps: int) -> str:
    wrong = f"{100 * mean(one.errors):.0f} % wrong"
    after = f", after {one.steps:,.0f} steps" if one.steps is not None else ""
    it = task or "it "
    match one.standing:
        case "solves":
            return f"{one.title} solves {it}({one.seeds_text}{after})"
        case "sometimes":
            return f"{one.title} solves {it}with {one.seeds_text} ({wrong} in the mean)"
        case "chance":
            return f"{one.title} stays at chance {f'on {task}' if task else ''}({one.seeds_text}, {steps:,} steps)"
        case _:
            return f"{one.title} learns part of {it}({wrong}, {steps:,} steps)"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""What a tunnel says in a sentence: what the variant in question can do that others cannot, or the other way round.

A training's errors are compared with those of the best guess that does not solve its task, "chance" here. It learns
part of the task only if its errors are surely fewer, by the interval of the rows that it was asked, and at most PART of
them. At HARDLY of them or more, or where the interval reaches them, it stays at chance. What lies between is hardly
better than chance, and said so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, median
from typing import Literal

from mta_eval import registry
from mta_eval.results.statistics import wilson
from mta_eval.tunnel.axes import DifficultyAxis, task_text
from mta_eval.tunnel.plan import TunnelOutcome
from mta_eval.tunnel.training_run import SOLVED

PART, HARDLY = 0.75, 0.9  # of chance's errors
Level = Literal["solves", "learns", "hardly", "chance"]  # of one training
Standing = Literal["solves", "sometimes", "learns", "hardly", "chance"]  # of all seeds


@dataclass(frozen=True)
class Judged:
    """An outcome with its counts over seeds."""

    outcome: TunnelOutcome
    title: str

    @property
    def errors(self) -> list[float]:
        """The share of wrong answers of every seed."""
        return [result.wrong for result in self.outcome.results]

    @cached_property
    def chance(self) -> float:
        """The share of wrong answers of the best guess that does not solve the task."""
        return 1 - registry.build_diagnostic(self.outcome.task).chance

    @cached_property
    def levels(self) -> list[Level]:
        """Of every seed."""
        return [level_of(one.wrong, self.chance, one.training.tested) for one in self.outcome.results]

    @property
    def standing(self) -> Standing:
        """`sometimes`: solved with some seeds; else what the best seeds do."""
        if "solves" in self.levels:
            return "solves" if set(self.levels) == {"solves"} else "sometimes"
        return next(level for level in ("learns", "hardly", "chance") if level in self.levels)

    @property
    def steps(self) -> float | None:
        """The median of steps to solve, over seeds that solve it."""
        solved = [result.solved_at for result in self.outcome.results if result.solved_at is not None]
        return median(solved) if solved else None

    @property
    def seeds_text(self) -> str:
        """ "3 of 3 seeds", of what its standing says."""
        level = "solves" if self.standing == "sometimes" else self.standing
        seeds = len(self.errors)
        return f"{self.levels.count(level)} of {seeds} seed{'s' * (seeds != 1)}"


def level_of(wrong: float, chance: float, rows: int) -> Level:
    """What a training with that share of wrong answers to `rows` held-out rows can do; `chance` is a share of errors.

    The answers of one row count as one.
    """
    if wrong <= SOLVED:
        return "solves"
    surely_less = wilson(wrong, rows)[1] < chance
    if surely_less and wrong <= PART * chance:
        return "learns"
    return "hardly" if surely_less and wrong < HARDLY * chance else "chance"


def tunnel_verdict(first: Judged, others: Sequence[Judged], steps: int) -> str:
    """One sentence on a task: the variant in question, then the others, within `steps` steps."""
    task, everyone = task_text(first.outcome.task), (first, *others)
    if all(one.standing == "chance" for one in everyone):
        return f"{task}: nobody is better than chance within {steps:,} steps: this says nothing about the variants."
    if first.standing == "solves" and others and all(other.standing == "chance" for other in others):
        names, counts = joined([other.title for other in others]), {other.seeds_text for other in others}
        stay = "stays" if len(others) == 1 else "stay"
        return (
            f"{first.title} solves {task} where {names} {stay} at chance ({joined(sorted(counts))}, {steps:,} steps)."
        )
    sentences = [_standing_text(one, task if one is first else "", steps) for one in everyone]
    return "; ".join(sentences) + "."


def axis_verdict(axis: DifficultyAxis, variants: Sequence[Sequence[Judged]]) -> str:
    """One sentence on a difficulty axis: up to which value each variant solves it, in the order of the values."""
    values = joined([str(value) for value in axis.tasks])
    if not any(one.standing in ("solves", "sometimes") for ones in variants for one in ones):
        return f"{axis.title} ({values}): nobody solves it at any of them."
    parts = [f"{ones[0].title} {_reach_text(axis.option, list(axis.tasks), ones)}" for ones in variants]
    return f"{axis.title} ({values}): {'; '.join(parts)}."


def joined(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _reach_text(option: str, values: Sequence[int], ones: Sequence[Judged]) -> str:
    """What is solved with every seed: all up to some value, or which ones."""
    solved = [value for value, one in zip(values, ones, strict=True) if one.standing == "solves"]
    seeds = len(ones[0].errors)
    of_all = f"with {'its one seed' if seeds == 1 else f'all {seeds} seeds'}"
    if not solved:
        some = [str(value) for value, one in zip(values, ones, strict=True) if one.standing == "sometimes"]
        return f"solves none {of_all}{f', {option} {joined(some)} with some' if some else ''}"
    if solved == list(values[: len(solved)]):
        return f"solves it up to {option} {solved[-1]} {of_all}"
    return f"solves it at {option} {joined([str(value) for value in solved])} {of_all}, not at all smaller ones"


def _standing_text(one: Judged, task: str, steps: int) -> str:
    """`task` is "" where it was named before."""
    wrong, chance = f"{100 * mean(one.errors):.0f} % wrong", f"chance {100 * one.chance:.0f} %"
    after = f", after {one.steps:,.0f} steps" if one.steps is not None else ""
    it, seeds = task or "it", one.seeds_text
    match one.standing:
        case "solves":
            return f"{one.title} solves {it} ({seeds}{after})"
        case "sometimes":
            return f"{one.title} solves {it} with {seeds} ({wrong} in the mean, {chance})"
        case "learns":
            return f"{one.title} learns part of {it} ({wrong}, {chance}; {seeds}, {steps:,} steps)"
        case "hardly":
            return f"{one.title} is hardly better than chance at {it} ({wrong}, {chance}; {seeds}, {steps:,} steps)"
        case _:
            return f"{one.title} stays at chance{f' on {task}' if task else ''} ({seeds}, {steps:,} steps)"

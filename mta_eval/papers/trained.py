"""Records of letter blocks -> errors by seed, by letter and by place: what Table 1 of the MTA paper is about.

An answer is wrong unless it is exactly right; its letters are compared place by place, as they were generated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

from mta_eval.core import Record, Run
from mta_eval.results.statistics import Estimate, estimate

TASK = "letter_blocks"
Axis = Literal["position", "letter"]
KINDS = ("transformer", "mta", "diff", "talking_heads")


@dataclass(frozen=True)
class Trained:
    """One trained model's answers to one task: `attention`, `preset` and `seed` of its training where known."""

    attention: str
    block: int
    target: str
    preset: str
    seed: str
    task: str
    model: str
    records: list[Record]

    @property
    def wrong(self) -> float:
        """The share of answers that are not right."""
        return 1 - mean(record.score or 0.0 for record in self.records)

    @property
    def letters_wrong(self) -> float:
        """The share of wrong letters."""
        return mean(mean(_wrong_letters(record)) for record in self.records)

    def errors_by(self, axis: Axis) -> dict[float, list[float]]:
        """`by_letter` or `by_position`."""
        return self.by_letter() if axis == "letter" else self.by_position()

    def by_letter(self) -> dict[float, list[float]]:
        """Letter of the answer, from 1 -> 1 or 0 for each record: wrong or not."""
        errors: dict[float, list[float]] = defaultdict(list)
        for record in self.records:
            for number, wrong in enumerate(_wrong_letters(record), 1):
                errors[number].append(wrong)
        return errors

    def by_position(self) -> dict[float, list[float]]:
        """Place of the target among the blocks, from 1 -> 1 - score of each record."""
        errors: dict[float, list[float]] = defaultdict(list)
        for record in self.records:
            errors[record.number("position")].append(1 - (record.score or 0.0))
        return dict(sorted(errors.items()))


@dataclass(frozen=True)
class Spread:
    """Errors over the seeds of one kind of model: every one of them, for a mean of solved and unsolved says little."""

    seeds: dict[str, float]

    @property
    def text(self) -> str:
        """Mean and sample standard deviation in per cent, "51.6 ± 43.1"; of one seed its error alone."""
        shares = [100 * share for share in self.seeds.values()]
        return f"{mean(shares):.1f} ± {stdev(shares):.1f}" if len(shares) > 1 else f"{shares[0]:.1f}"

    @property
    def seeds_text(self) -> str:
        """Every seed, "42: 77.7 · 43: 75.3"."""
        return " · ".join(f"{seed}: {100 * share:.1f}" for seed, share in self.seeds.items())


def trained_models(records: Sequence[Record], runs: Sequence[tuple[str, Run]]) -> list[Trained]:
    """The models of the family among the records of letter blocks, each with its scored answers to one task."""
    about = model_facts(runs)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.task.partition(":")[0] == TASK and record.score is not None:
            groups[record.task, record.model].append(record)
    models = []
    for (task, model), group in groups.items():
        facts, options = about.get(model, {}), _options(task)
        attention = facts.get("attention", model.partition(":")[0])
        if attention in KINDS:
            block, target = int(options.get("block", 5)), options.get("target", "all")
            preset, seed = facts.get("preset", "?"), facts.get("seed", "?")
            models.append(Trained(attention, block, target, preset, seed, task, model, group))
    return sorted(models, key=_order)


def _order(model: Trained) -> tuple[int, int, str, str, str]:
    return KINDS.index(model.attention), model.block, model.target, model.task, model.seed


def model_facts(runs: Sequence[tuple[str, Run]]) -> dict[str, dict[str, str]]:
    """What the runs (name, run) know of each model: its name in the records -> dtype, attention, preset, seed, …"""
    about: dict[str, dict[str, str]] = {}
    for name, run in runs:
        for model, facts in run.settings.items():
            about[model] = about[f"{model} ({name})"] = facts  # as `several.read_several` tells equal names apart
    return about


def curve(models: Sequence[Trained], axis: Axis) -> dict[float, Estimate]:
    """Errors of all seeds of a kind together, by "letter" or "position": value -> mean, low, high."""
    pooled: dict[float, list[float]] = defaultdict(list)
    for model in models:
        for value, errors in model.errors_by(axis).items():
            pooled[value] += errors
    return {value: estimate(errors) for value, errors in sorted(pooled.items())}


def _wrong_letters(record: Record) -> list[float]:
    output, target = (record.output or "").strip(), record.targets[0]
    return [float(output[place : place + 1] != letter) for place, letter in enumerate(target)]


def _options(task: str) -> dict[str, str]:
    _, _, rest = task.partition(":")
    return dict(part.split("=", 1) for part in rest.split(",") if "=" in part)

"""What a tunnel trains: every variant on every task, first to choose a learning rate, then with every seed.

The protocol is the same for all variants: for each variant and task, one training with each learning rate, for the same
number of steps and with a seed of its own; the rate with the least loss on held-out rows is taken (as zoology's sweeps
do, Arora et al. 2023, arXiv 2312.04927); then the trainings that are compared, with other seeds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mta_eval import registry
from mta_eval.core import DiagnosticTask
from mta_eval.errors import SpecError
from mta_eval.tunnel.matching import Fit, fit
from mta_eval.tunnel.presets import Match, ModelSize, TunnelPreset
from mta_eval.tunnel.rows.drawing import longer
from mta_eval.tunnel.training_run import FACTOR, SWEEP_SEED, TrainingResult, TunnelTraining, train_variant
from mta_eval.tunnel.variant_check import check_variant
from mta_eval.tunnel.variants import Variant, find_variant
from mta_eval.tunnel.workers import run_jobs

WARMUP = 100  # steps; a tenth of shorter trainings
DECAY = 0.5  # the last share of the steps, over which the learning rate falls to 0

Pair = tuple[str, str]  # a task's spec and a variant's label


@dataclass(frozen=True)
class TunnelPlan:
    """The variants, the first of which is in question, on the tasks, by their canonical specs."""

    variants: tuple[Variant, ...]
    tasks: tuple[str, ...]
    preset: TunnelPreset
    fits: Mapping[Pair, Fit] = field(default_factory=dict)  # where sizes are not all the preset's
    remarks: tuple[str, ...] = ()  # of the check, before anything is trained

    def pairs(self) -> Iterator[tuple[str, Variant]]:
        """Every task with every variant."""
        for task in self.tasks:
            for variant in self.variants:
                yield task, variant

    def sweep(self, task: str, variant: Variant) -> list[TunnelTraining]:
        """The trainings that a learning rate is chosen by; none if there is no choice."""
        rates, steps = self.preset.rates, self.preset.sweep_steps
        return [self._training(task, variant, rate, SWEEP_SEED, steps) for rate in rates if len(rates) > 1]

    def trainings(self, task: str, variant: Variant, rate: float) -> list[TunnelTraining]:
        """The trainings that are compared."""
        return [self._training(task, variant, rate, seed, self.preset.steps) for seed in range(self.preset.seeds)]

    @property
    def notes(self) -> list[str]:
        """What these sizes cannot show."""
        one_seed = "One seed: what a variant fails at may be the fault of its seed; --seeds 3 tells."
        notes = (self.preset.warning, one_seed if self.preset.seeds == 1 else "", *self.remarks)
        return [note for note in notes if note]

    def __len__(self) -> int:
        rates = len(self.preset.rates)
        each = self.preset.seeds + (rates if rates > 1 else 0)
        return len(self.tasks) * len(self.variants) * each

    def _training(self, task: str, variant: Variant, rate: float, seed: int, steps: int) -> TunnelTraining:
        from mta_eval.training.trainer import Schedule

        schedule = Schedule(
            steps=steps,
            batch=self.preset.batch,
            learning_rate=rate,
            warmup=min(WARMUP, steps // 10),
            decay=DECAY,
            evaluate_every=self.preset.evaluate_every,
            held_out=self.preset.held_out,
        )
        return TunnelTraining(
            task=task,
            variant=variant.named,
            kind=variant.kind,
            digest=variant.digest,
            learning_rate=rate,
            seed=seed,
            size=self.size_of(task, variant),
            schedule=schedule,
            tested=self.preset.tested,
            options=variant.options,
        )

    def size_of(self, task: str, variant: Variant) -> ModelSize:
        """The sizes of a variant's models on a task."""
        found = self.fits.get((task, variant.label))
        return found.size if found else self.preset.size


@dataclass(frozen=True)
class TunnelOutcome:
    """A variant on a task: what the sweep found, the rate that was taken, and a result for each seed."""

    task: str
    label: str  # of the variant
    sweep: dict[float, float]  # rate -> loss on held-out rows; infinite where the training diverged
    rate: float
    results: list[TrainingResult]

    @property
    def is_at_edge(self) -> bool:
        """Whether a smaller or larger rate might have been better than any that was tried."""
        return len(self.sweep) > 1 and self.rate in (min(self.sweep), max(self.sweep))


def tunnel_plan(variant: str, against: Sequence[str], tasks: Sequence[str], preset: TunnelPreset) -> TunnelPlan:
    """The plan, with every variant checked on every task. Raises SpecError or ModelError for what cannot be trained."""
    built = registry.build_all(tasks or preset.tasks, registry.build_diagnostic)
    for spec, task in built.items():
        _check_longer(spec, task)
    names = [one for name in (variant, *(against or preset.against)) for one in registry.expand(name)]
    variants = tuple({one.label: one for one in map(find_variant, names)}.values())
    fits, remarks = {}, []
    for spec, task in built.items():
        for one in variants:
            found = fits[spec, one.label] = fit(one, task, preset.size, preset.match)
            untrained = check_variant(one, task, found.size)
            remarks += [
                f"{one.title} on {spec}: {name} has no influence there: its gradient is 0." for name in untrained
            ]
    return TunnelPlan(variants, tuple(built), preset, fits, tuple(remarks))


def run_plan(
    plan: TunnelPlan,
    out: Path,
    device: str,
    processes: int,
    on_end: Callable[[TrainingResult], None],
) -> list[TunnelOutcome]:
    """Train everything that is not there yet, in folders under `out`. Raises ModelError; the same call goes on."""
    results: dict[Pair, list[TrainingResult]] = defaultdict(list)
    by_pair = {(task, variant.label): variant for task, variant in plan.pairs()}

    def ended(training: TunnelTraining, result: TrainingResult) -> Iterable[TunnelTraining]:
        on_end(result)
        pair = (training.task, training.label)
        results[pair].append(result)
        swept = [one for one in results[pair] if one.training.is_sweep]
        if training.is_sweep and len(swept) == len(plan.preset.rates):
            return plan.trainings(training.task, by_pair[pair], best_rate(swept))
        return ()

    first = [training for task, variant in plan.pairs() for training in _first(plan, task, variant)]
    run_jobs(first, partial(train_variant, out=out, device=device), ended, processes)
    return [_outcome(pair, results[pair]) for pair in by_pair]


def best_rate(swept: Sequence[TrainingResult]) -> float:
    """The learning rate of the least loss on held-out rows, of equal ones the smallest.

    Where every training diverged it is the smallest one.
    """
    return min((result.validation_loss, result.training.learning_rate) for result in swept)[1]


def _first(plan: TunnelPlan, task: str, variant: Variant) -> list[TunnelTraining]:
    return plan.sweep(task, variant) or plan.trainings(task, variant, plan.preset.rates[0])


def _outcome(pair: Pair, results: Sequence[TrainingResult]) -> TunnelOutcome:
    swept = {one.training.learning_rate: one.validation_loss for one in results if one.training.is_sweep}
    compared = sorted((one for one in results if not one.training.is_sweep), key=lambda one: one.training.seed)
    return TunnelOutcome(*pair, dict(sorted(swept.items())), compared[0].training.learning_rate, compared)


def _check_longer(spec: str, task: DiagnosticTask) -> None:
    try:
        longer(task, FACTOR)
    except SpecError as error:
        raise SpecError(f"{spec} has no rows that are {FACTOR} times longer, to ask at the end: {error}") from error


def with_changes(
    preset: TunnelPreset, seeds: int, steps: int, rates: Sequence[float], match: Match = "parameters"
) -> TunnelPreset:
    """A preset with what was asked for in place of its own; 0 or nothing is its own. Raises SpecError.

    Sweeps keep their share of the steps.
    """
    if any(not (math.isfinite(rate) and rate > 0) for rate in rates) or len(set(rates)) < len(rates):
        raise SpecError(f"learning rates are different numbers above 0, not {', '.join(map(str, rates))}")
    if steps:
        sweep_steps = max(1, round(preset.sweep_steps * steps / preset.steps))
        preset = replace(preset, steps=steps, sweep_steps=sweep_steps)
    return replace(preset, seeds=seeds or preset.seeds, rates=tuple(rates) or preset.rates, match=match)

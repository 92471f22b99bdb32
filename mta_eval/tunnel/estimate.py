"""How long a tunnel takes on this machine, from a few steps of every training."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mta_eval import registry
from mta_eval.tunnel.models import new_model, parameter_count
from mta_eval.tunnel.plan import TunnelPlan
from mta_eval.tunnel.rows.drawing import longer
from mta_eval.tunnel.step_cost import StepCost, step_cost
from mta_eval.tunnel.training_run import FACTOR, DiagnosticRows, TunnelTraining, one_thread
from mta_eval.tunnel.variants import Variant


@dataclass(frozen=True)
class Cost:
    """Of one variant on one task, measured."""

    task: str
    variant: Variant
    parameters: int
    hidden: int  # width of the SwiGLU
    step: StepCost
    total: float  # seconds of all trainings and their evaluations, if none stops early


def costs(plan: TunnelPlan, device: str) -> list[Cost]:
    """For each task and variant. Trains a few steps of each."""
    with one_thread():
        return [_cost(plan, task, variant, device) for task, variant in plan.pairs()]


def _cost(plan: TunnelPlan, task: str, variant: Variant, device: str) -> Cost:
    from mta_eval.training.processes import Share
    from mta_eval.training.trainer import Trainer

    (training, *_) = plan.trainings(task, variant, plan.preset.rates[0])
    built = registry.build_diagnostic(task)
    model = new_model(variant, built, training.size, 0).to(device)
    rows, grown = DiagnosticRows(built, 0), DiagnosticRows(longer(built, FACTOR), 0)
    trainer = Trainer(model, rows, training.schedule, 0, Share())
    step = step_cost(trainer)
    batch = training.schedule.batch
    begun = time.perf_counter()
    trainer.evaluate("validation", batch)
    held_out = (time.perf_counter() - begun) / batch
    begun = time.perf_counter()
    trainer.evaluate("validation", batch, grown)
    at_end = training.tested * (held_out + (time.perf_counter() - begun) / batch)
    seconds = sum(
        _seconds(one, step.seconds, held_out) + (0 if one.is_sweep else at_end) for one in _all(plan, task, variant)
    )
    return Cost(task, variant, parameter_count(model), training.size.hidden, step, seconds)


def _all(plan: TunnelPlan, task: str, variant: Variant) -> list[TunnelTraining]:
    return [*plan.sweep(task, variant), *plan.trainings(task, variant, plan.preset.rates[0])]


def _seconds(training: TunnelTraining, step: float, held_out: float) -> float:
    schedule = training.schedule
    evaluations = -(-schedule.steps // schedule.evaluate_every)
    return schedule.steps * step + evaluations * schedule.held_out * held_out

"""Tunnels of seconds, and made-up outcomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mta_eval.training.trainer import Schedule
from mta_eval.tunnel.plan import TunnelOutcome, TunnelPlan, run_plan, tunnel_plan
from mta_eval.tunnel.presets import ModelSize, TunnelPreset
from mta_eval.tunnel.training_run import TrainingResult, TunnelTraining
from mta_eval.tunnel.tunnel_result import Tunnel, tunnel_of
from mta_eval.tunnel.variants import Variant
from mta_eval.tunnel.verdicts import Judged

TINY = TunnelPreset(
    against=("transformer",),
    tasks=("copy:length=2,kinds=3", "order:items=2,questions=1,kinds=8"),
    seeds=2,
    size=ModelSize(layers=1, width=8, heads=2, hidden=8),
    steps=6,
    sweep_steps=3,
    rates=(1e-3, 1e-2),
    batch=4,
    evaluate_every=2,
    held_out=8,
    tested=8,
    warning="tiny.",
)


def tiny_plan(variant: str = "mta", against: tuple[str, ...] = (), tasks: tuple[str, ...] = (), **changes: Any) -> Any:
    return tunnel_plan(variant, against, tasks, replace(TINY, **changes))


def run(plan: TunnelPlan, out: Path, processes: int = 1) -> list[TunnelOutcome]:
    return run_plan(plan, out, "cpu", processes, lambda _: None)


def training(seed: int = 0, kind: str = "mta", task: str = "copy", rate: float = 1e-3) -> TunnelTraining:
    return TunnelTraining(task, kind, kind, "", rate, seed, TINY.size, Schedule(steps=6), 500)


def result(wrong: float, seed: int = 0, kind: str = "mta", task: str = "copy", **changes: Any) -> TrainingResult:
    solved = 300 if wrong <= 0.05 else None
    values = {"parameters": 1000, "validation_loss": wrong, "wrong": wrong, "wrong_tokens": wrong / 2}
    values |= {"wrong_longer": wrong, "steps": 1000, "solved_at": solved, "seconds_per_step": 0.5, "diverged": False}
    values |= {"memory": 2_000_000}
    return TrainingResult(training(seed, kind, task), **{**values, **changes})


def outcome(*wrong: float, kind: str = "mta", task: str = "copy", **changes: Any) -> TunnelOutcome:
    results = [result(share, seed, kind, task, **changes) for seed, share in enumerate(wrong)]
    return TunnelOutcome(task, kind, {1e-4: 3.0, 1e-3: 1.0, 1e-2: 2.0}, 1e-3, results)


def judged(*wrong: float, kind: str = "mta", task: str = "copy", **changes: Any) -> Judged:
    return Judged(outcome(*wrong, kind=kind, task=task, **changes), kind.upper())


def tunnel(*outcomes: TunnelOutcome, **changes: Any) -> Tunnel:
    kinds, tasks = (dict.fromkeys(values) for values in zip(*((one.label, one.task) for one in outcomes), strict=True))
    variants = tuple(Variant(kind, kind, kind.upper(), "a paper", "") for kind in kinds)
    preset = replace(TINY, seeds=len(outcomes[0].results), **changes)
    return tunnel_of(TunnelPlan(variants, tuple(tasks), preset), "tiny", outcomes)

"""Estimates: the sum of what the trainings and evaluations of a plan cost."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_tunnel import tiny_plan, training

from mta_eval.training.trainer import Schedule, Trainer
from mta_eval.tunnel import estimate
from mta_eval.tunnel.estimate import costs


def test_a_training_is_its_steps_and_its_evaluations() -> None:
    from dataclasses import replace

    one = replace(training(), schedule=Schedule(steps=101, evaluate_every=50, held_out=20))
    assert estimate._seconds(one, step=2.0, held_out=0.5) == 101 * 2 + 3 * 20 * 0.5


def test_all_trainings_of_a_pair_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that adds a second at each look: a step takes one, and so does an evaluation of a batch."""
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(estimate.time, "perf_counter", clock)
    steps: list[int] = []
    really = Trainer._advance

    def advance(trainer: Trainer, batch: Any) -> float:
        now[0] -= 1 if trainer.step == 0 else 0  # the trainer looks once before its first step
        steps.append(trainer.step)
        return really(trainer, batch)

    monkeypatch.setattr(Trainer, "_advance", advance)
    plan = tiny_plan(tasks=("copy:length=2,kinds=3",), match="none")
    first, second = costs(plan, "cpu")
    assert steps == [0, 1, 2, 3, 4] * 2  # and one whose memory is counted
    assert (first.variant.kind, second.variant.kind) == ("mta", "transformer")
    assert first.step.seconds == 1
    assert first.step.memory > second.step.memory > 4 * 4 * second.parameters
    assert (first.hidden, second.hidden) == (8, 8)
    a_row = 1 / plan.preset.batch
    swept = 2 * (3 + 2 * 8 * a_row)  # rates; steps, evaluations of 8 rows
    trained = 2 * (6 + 3 * 8 * a_row + 2 * 8 * a_row)  # seeds; and at the end 8 rows, and 8 longer ones
    assert first.total == pytest.approx(swept + trained)
    assert first.parameters - second.parameters == 2 * 27  # a kernel of 3 x 9 for each head

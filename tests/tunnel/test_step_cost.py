"""Memory of a step: tensors that live at once, the same number each time."""

from __future__ import annotations

import pytest
import torch
from tiny_tunnel import TINY

from mta_eval import registry
from mta_eval.training.processes import Share
from mta_eval.training.trainer import Schedule, Trainer
from mta_eval.tunnel.models import new_model
from mta_eval.tunnel.step_cost import Alive, step_cost
from mta_eval.tunnel.training_run import DiagnosticRows
from mta_eval.tunnel.variants import find_variant


def trainer(batch: int = 4, kind: str = "mta") -> Trainer:
    task = registry.build_diagnostic("copy:length=8")
    model = new_model(find_variant(kind), task, TINY.size, 0)
    return Trainer(model, DiagnosticRows(task, 0), Schedule(steps=100, batch=batch), 0, Share())


def test_tensors_count_while_they_live_and_views_once() -> None:
    alive = Alive()
    first = torch.zeros(100)
    alive.add([first, first[:50], first.view(10, 10)])
    assert (alive.now, alive.highest) == (400, 400)
    second = torch.zeros(50, dtype=torch.float64)
    alive.add([second])
    assert (alive.now, alive.highest) == (800, 800)
    view = first[10:]
    del first
    assert alive.now == 800
    del view, second
    assert (alive.now, alive.highest) == (0, 800)


def test_the_same_model_has_the_same_memory() -> None:
    assert len({step_cost(trainer()).memory for _ in range(3)}) == 1


def test_memory_is_weights_gradients_moments_and_what_rows_take() -> None:
    small, large = (step_cost(trainer(batch)).memory for batch in (4, 32))
    weights = sum(4 * parameter.numel() for parameter in trainer().model.parameters())
    assert small > 4 * weights
    of_a_row = (large - small) / 28
    assert large - 32 * of_a_row == pytest.approx(4 * weights, rel=0.5)
    assert of_a_row > 17 * 17 * 4 * 2  # two heads of weights


def test_a_matrix_more_takes_more() -> None:
    assert step_cost(trainer(32, "mta")).memory > step_cost(trainer(32, "transformer")).memory


def test_seconds_are_the_median_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from mta_eval.tunnel import step_cost as measured

    ticks = iter([0.0, 1.0, 3.0, 103.0])
    monkeypatch.setattr(measured.time, "perf_counter", lambda: next(ticks))
    one = trainer()
    monkeypatch.setattr(one, "run", lambda on_step=None: [on_step(step, 0.0) for step in range(4)] if on_step else [])
    assert step_cost(one).seconds == 2.0

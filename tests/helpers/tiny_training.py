"""Trainings of seconds: the letter-block recipes with models and schedules that any machine can afford."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mta_eval import registry
from mta_eval.training import letter_block_recipe as training
from mta_eval.training import training as whole
from mta_eval.training.letter_block_recipe import LetterBlockRecipe as Recipe
from mta_eval.training.trainer import Progress, Schedule

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 32, "attention_dropout": 0.0}
SCHEDULE: dict[str, Any] = {
    "steps": 6,
    "batch": 4,
    "learning_rate": 1e-2,
    "evaluate_every": 2,
    "held_out": 16,
    "tested": 16,
}
TASK = "letter_blocks:block=3,blocks=4"
EASY = "letter_blocks:block=1,query=1,blocks=2"  # say the query letter again: a hundred steps teach it


class Heard:
    """Keeps all that a training tells."""

    def __init__(self) -> None:
        self.began: list[tuple[int, int]] = []
        self.steps: list[tuple[int, float]] = []
        self.evaluations: list[Progress] = []

    def begin(self, step: int, steps: int) -> None:
        self.began.append((step, steps))

    def step(self, step: int, loss: float) -> None:
        self.steps.append((step, loss))

    def evaluated(self, progress: Progress, probes: Mapping[str, float]) -> None:
        self.evaluations.append(progress)


class Leaving(Heard):
    """Leaves the training, as an exception from anywhere would, right before `stop` says of a step that it is done."""

    def __init__(self, stop: Callable[[int], bool]) -> None:
        super().__init__()
        self.stop = stop

    def step(self, step: int, loss: float) -> None:
        if self.stop(step):
            raise KeyboardInterrupt
        super().step(step, loss)


def recipe(attention: Any = "mta", task: str = TASK, sizes: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """A tiny model on tiny rows; `changes` are of the schedule."""
    real = training.letter_blocks(attention)
    made = replace(real, task=task, schedule=Schedule(**{**SCHEDULE, **changes}))
    width = len(training.TaskRows(registry.build_task(task), 0)("training", 0))
    kernels = {"key_kernel_before": 5} if attention == "mta" else {}
    return replace(made, sizes={**real.sizes, **SIZES, **kernels, "max_position_embeddings": width, **(sizes or {})})


def train(recipe: whole.Recipe, folder: Path, watch: Heard | None = None, **options: Any) -> dict[str, float]:
    return whole.train(recipe, folder, watch or Heard(), "cpu", **options)


def log_of(folder: Path) -> list[dict[str, Any]]:
    """The log, all but what the clock says."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def result_of(folder: Path) -> tuple[list[dict[str, Any]], bytes, str]:
    """All that must be the same however often a training was stopped: the log, the weights, the errors at the end."""
    weights = (folder / "model.safetensors").read_bytes()
    return log_of(folder), weights, (folder / "evaluation.json").read_text()

"""The plan of a diagnosis: its tasks, lengths and models, with the baselines of each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args, get_type_hints

from mta_eval import registry
from mta_eval.core import Model, Plan, PromptSettings, Sweep, Task
from mta_eval.diagnosis.mechanisms import DRAWS, MECHANISMS, PRESETS
from mta_eval.models.baselines import baselines_of
from mta_eval.prompting import Form, has_chat_template


def diagnosis_specs(models: Mapping[str, Model], form: Form) -> tuple[list[str], list[str]]:
    """The tasks to ask in this form, and those that are left out, as they cannot be asked by chat."""
    specs = [task for mechanism in MECHANISMS for task in mechanism.tasks]
    if form == "chat" or (form == "auto" and all(map(has_chat_template, models.values()))):
        left_out = [spec for spec in specs if not _has_chat(spec)]
        return [spec for spec in specs if spec not in left_out], left_out
    return specs, []


def diagnosis_plan(
    tasks: Mapping[str, Task],
    models: Mapping[str, Model],
    settings: PromptSettings,
    lengths: tuple[int, ...],
    preset: str,
    repeats: int,
    seed: int,
) -> Plan:
    """Every task at the lengths, or those of the preset that a model takes; each sample is a draw of its own."""
    widest = max(model.max_length for model in models.values())
    fitting = lengths or tuple(length for length in PRESETS[preset] if length <= widest)
    asked = {**models, **registry.build_all(baselines_of(models), registry.build_model)}
    return Plan(dict(tasks), asked, Sweep(fitting, (None,), repeats * DRAWS, seed), settings=settings)


def _has_chat(spec: str) -> bool:
    task = registry.build_task(spec)
    return "chat" in get_args(get_type_hints(type(task)).get("prompt"))

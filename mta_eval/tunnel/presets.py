"""The sizes of a tunnel: which tasks, how large the models, how long the trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mta_eval.errors import SpecError, did_you_mean

Match = Literal["parameters", "none"]


@dataclass(frozen=True)
class ModelSize:
    """The decoder around the attention: the same for all variants."""

    layers: int
    width: int
    heads: int
    hidden: int  # width of the SwiGLU


@dataclass(frozen=True)
class TunnelPreset:
    """What is compared and how; the same for every variant. Budgets are steps, so that results hang on no clock."""

    against: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: int
    size: ModelSize
    steps: int
    sweep_steps: int  # of each training that a learning rate is chosen by
    rates: tuple[float, ...]
    batch: int = 32
    evaluate_every: int = 50
    held_out: int = 200  # rows that are asked on the way
    tested: int = 500  # rows of the test stream, at the end
    warning: str = ""
    match: Match = "parameters"  # with the plain Transformer's, by the width of the SwiGLU


RATES = (1e-3, 3e-3, 1e-2)
EASY_RECALL = "associative_recall:pairs=4,kinds=16"  # a Transformer of this size learns it: a control

PRESETS = {
    "quick": TunnelPreset(
        against=("transformer",),
        tasks=(EASY_RECALL, "two_condition_recall"),
        seeds=1,
        size=ModelSize(layers=2, width=64, heads=4, hidden=128),
        steps=3000,
        sweep_steps=600,
        rates=RATES,
        warning="quick shows that a variant trains, and large differences. So few steps of so small a model cannot "
        "show that it is unable to learn a task: what stays at chance here may be solved later.",
    ),
    "laptop": TunnelPreset(
        against=("transformer", "mta"),
        tasks=(EASY_RECALL, "two_condition_recall", "letter_blocks", "needles:length=64"),
        seeds=1,
        size=ModelSize(layers=2, width=128, heads=4, hidden=256),
        steps=3000,
        sweep_steps=500,
        rates=RATES,
    ),
    "gpu": TunnelPreset(
        against=("transformer", "mta", "diff", "talking_heads"),
        tasks=(
            EASY_RECALL,
            "associative_recall",
            "two_condition_recall",
            "two_condition_recall:distance=2",
            "two_condition_recall:distance=4",
            "two_condition_recall:distance=8",
            "letter_blocks",
            "induction",
            "copy",
            "selective_copy",
            "variable_chains",
            "needles",
            "order",
        ),
        seeds=3,
        size=ModelSize(layers=3, width=128, heads=4, hidden=256),
        steps=5000,
        sweep_steps=1000,
        rates=(3e-4, *RATES),
        batch=64,
        evaluate_every=100,
        held_out=500,
        tested=1000,
    ),
}


def find_preset(name: str) -> TunnelPreset:
    """The preset of a name. Raises SpecError."""
    if name not in PRESETS:
        raise SpecError(f"there is no preset {name!r}{did_you_mean(name, PRESETS)}")
    return PRESETS[name]

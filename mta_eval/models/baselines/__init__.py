"""Models without weights that say how far a task is solved by a simple trick: chance, overlap of words, copying."""

from __future__ import annotations

from collections.abc import Iterable

from mta_eval.built_in import BASELINES
from mta_eval.registry import option_text


def baselines_of(models: Iterable[str]) -> list[str]:
    """The specs of all baselines of the samples of these models, which are canonical specs."""
    return [f"{name}:of={option_text(spec)}" for spec in models for name in BASELINES]

"""What the page calls a model or a task."""

from __future__ import annotations

from mta_eval.results.table import model_text


def shown(name: str) -> str:
    """The short name of a spec."""
    return model_text(name)

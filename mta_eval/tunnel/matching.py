"""Parameters matched: a variant with more or fewer than the plain Transformer gets a narrower or wider SwiGLU.

The plain Transformer of the preset's size is what is matched, whoever else is in the tunnel, so that the same training
is asked for beside any others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mta_eval.core import DiagnosticTask
from mta_eval.errors import ModelError
from mta_eval.tunnel.models import REFUSED, new_model, parameter_count
from mta_eval.tunnel.presets import Match, ModelSize
from mta_eval.tunnel.variants import Variant, find_variant

APART = 0.02  # of the parameters: a difference from here on is mended, or said
CLOSE = 0.005  # what is aimed at; a step of the SwiGLU's width is more in very small models


@dataclass(frozen=True)
class Fit:
    """The size of a variant's models on a task."""

    size: ModelSize
    parameters: int
    before: int  # parameters with the preset's own width of the SwiGLU
    reference: int  # of the plain Transformer

    @property
    def apart(self) -> float:
        """Parameters over those of the plain Transformer, less 1."""
        return self.parameters / self.reference - 1


def fit(variant: Variant, task: DiagnosticTask, size: ModelSize, match: Match) -> Fit:
    """The size at which a variant's parameters are within CLOSE of the plain Transformer's, if they are APART.

    Raises ModelError if the variant cannot be built, or has more than any width of the SwiGLU makes up for.
    """

    def count(one: Variant, hidden: int) -> int:
        return parameter_count(new_model(one, task, replace(size, hidden=hidden), 0))

    reference, before = count(find_variant("transformer"), size.hidden), count(variant, size.hidden)
    if match == "none" or abs(before / reference - 1) <= APART:
        return Fit(size, before, before, reference)
    each = count(variant, size.hidden + 1) - before
    hidden = size.hidden + round((reference - before) / each)
    if hidden < 1:
        raise ModelError(
            f"the variant {variant.label!r} {REFUSED}: it has {before:,} parameters, the plain Transformer "
            f"{reference:,}, which no width of the SwiGLU makes up for; --match none compares them as they are"
        )
    return Fit(replace(size, hidden=hidden), count(variant, hidden), before, reference)

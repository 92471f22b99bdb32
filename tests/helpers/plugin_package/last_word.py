"""A scoring rule of another package: the last word of the output is a target."""

from __future__ import annotations

from mta_eval.scoring import ScoredOutput, needs_targets, rule


@rule("last_word", source="another package", accepts=needs_targets)
def last_word(scored: ScoredOutput) -> float:
    """The last word of the output is a target."""
    words = scored.output.rstrip(".! \n").split()
    return float(bool(words) and words[-1] in scored.targets)

"""Rules of our own tasks, registered. Each reads answers as people write them, and none forgives a second answer."""

from __future__ import annotations

from mta_eval.scoring import matching
from mta_eval.scoring.rules import ScoredOutput, rule


def _needs_choices(scored: ScoredOutput) -> str:
    if len(scored.targets) != 1:
        return "it needs one target"
    return "" if scored.targets[0] in scored.choices else "it needs the choices, the target among them"


@rule("only_choice", source="mta-eval's conjunction and semantic", accepts=_needs_choices)
def _only_choice(scored: ScoredOutput) -> float:
    """The target is the only one of the choices that the output names, each a word or number of its own, any case."""
    named = {choice for choice in scored.choices if matching.all_named(scored.output, [choice])}
    return float(named == set(scored.targets))


@rule("in_order", source="mta-eval's sorted_needles")
def _in_order(scored: ScoredOutput) -> float:
    """The output ends by naming all targets in their order, each as words of its own, in any case.

    What it names before, such as the question repeated, does not count.
    """
    named = matching.mentions(scored.output, scored.targets)
    return float(named[-len(scored.targets) :] == list(scored.targets))

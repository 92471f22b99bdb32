"""Scoring: every rule that gives an output 0 to 1, registered once by its name. No tokens, no files, no models.

    find("ruler_all").score(sample, output) -> 0..1     names() -> all of them     @rule(...) adds one

Tasks, `rescore` and the results page all use these. `matching` has the comparisons of texts, `published` and
`longbench` the rules of benchmarks, `own` those of our tasks, `benchmarks` which rules belong to which outputs.
"""

from mta_eval.scoring import longbench, own, published  # noqa: F401  register the rules
from mta_eval.scoring.benchmarks import (
    INFINITEBENCH,
    NOLIMA_RULES,
    OTHER_TASKS,
    OUR_TASKS,
    helmet_metric,
    published_for,
    scores,
)
from mta_eval.scoring.rules import Rule, ScoredOutput, accept_all, find, names, needs_targets, rule

__all__ = [
    "INFINITEBENCH",
    "NOLIMA_RULES",
    "OTHER_TASKS",
    "OUR_TASKS",
    "Rule",
    "ScoredOutput",
    "accept_all",
    "find",
    "helmet_metric",
    "names",
    "needs_targets",
    "published_for",
    "rule",
    "scores",
]

"""What scores a row: a rule of the registry, the score that stood beside the answer, or that score with a threshold.

"ruler_all"   the answer by a published rule
"stored"      the score beside the answer, as a share of the best that its judge gives
"stored>=7"   1 where the score beside the answer, as the file has it, is 7 or more; also >, <=, <
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mta_eval.errors import SpecError
from mta_eval.rescoring.rows import Row
from mta_eval.scoring import Rule, find

STORED = "stored"
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_THRESHOLD = re.compile(r"stored\s*(>=|<=|>|<)\s*(.*)")


@dataclass(frozen=True)
class Scorer:
    """One way to score rows. `refuse` says why it cannot score a row, or "" if it can; then `score` is from 0 to 1."""

    name: str
    description: str
    refuse: Callable[[Row], str]
    score: Callable[[Row], float]


def find_scorer(name: str) -> Scorer:
    """The scorer called `name`. Raises SpecError for a rule that is unknown and a threshold that is no number."""
    if name == STORED:
        return Scorer(STORED, "the score that stood beside the answer, by whoever gave it", _needs_stored, _share)
    if threshold := _THRESHOLD.fullmatch(name.strip()):
        return _with_threshold(threshold[1], threshold[2])
    return _of_rule(find(name))


def find_scorers(names: Iterable[str]) -> list[Scorer]:
    """The scorers called `names`, each once. Raises SpecError as `find_scorer` does."""
    return list({scorer.name: scorer for scorer in map(find_scorer, names)}.values())


def is_stored(name: str) -> bool:
    """Whether a scorer looks at the score beside the answer, with or without a threshold, and not at the answer."""
    return name == STORED or _THRESHOLD.fullmatch(name.strip()) is not None


def _of_rule(rule: Rule) -> Scorer:
    def refuse(row: Row) -> str:
        return rule.refuse(row.scored) if row.answered else "it holds no output"

    return Scorer(rule.name, rule.description, refuse, lambda row: rule(row.scored))


def _with_threshold(sign: str, text: str) -> Scorer:
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise SpecError(f"the rule stored{sign}{text} needs a number to compare with, such as stored{sign}7")
    written = f"{limit:g}"

    def refuse(row: Row) -> str:
        within = 0 <= limit <= row.best
        return _needs_stored(row) or ("" if within else f"the scores beside its answers go up to {row.best:g}")

    def score(row: Row) -> float:
        return float(row.stored is not None and _COMPARE[sign](row.stored, limit))

    return Scorer(f"{STORED}{sign}{written}", f"the score beside the answer is {sign} {written}", refuse, score)


def _needs_stored(row: Row) -> str:
    return "no score stands beside it" if row.stored is None else ""


def _share(row: Row) -> float:
    return (row.stored or 0) / row.best

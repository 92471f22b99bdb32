"""How sure a mean is: the 95 % interval of a list of scores. Knows numbers only, no records and no grids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean and the two ends of its 95 % interval, all from 0 to 1."""

    mean: float
    low: float
    high: float


def estimate(scores: Sequence[float]) -> Estimate:
    """The mean of `scores` (each from 0 to 1, at least one) with its interval. Raises ValueError for no scores."""
    low, high = interval(scores)
    return Estimate(math.fsum(scores) / len(scores), low, high)


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval (low, high) of the mean of `scores`, each from 0 to 1.

    Right-or-wrong scores get the Wilson interval, which stays honest at 0 of 4 and 4 of 4. Fractional scores get the
    t interval of their mean, cut to 0..1; a single one tells nothing about the spread, so its interval is all of 0..1.
    Raises ValueError for no scores.
    """
    if not scores:
        raise ValueError("an interval needs at least one score")
    if all(score in (0, 1) for score in scores):
        return _wilson(round(sum(scores)), len(scores))
    if len(scores) == 1:
        return 0.0, 1.0
    return _student(scores)


def _wilson(right: int, count: int) -> tuple[float, float]:
    found = stats.binomtest(right, count).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def _student(scores: Sequence[float]) -> tuple[float, float]:
    count = len(scores)
    mean = math.fsum(scores) / count
    variance = math.fsum((score - mean) ** 2 for score in scores) / (count - 1)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * math.sqrt(variance / count)
    return max(0.0, mean - reach), min(1.0, mean + reach)

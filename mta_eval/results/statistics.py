"""How sure a mean or a difference is. Knows numbers only, no records and no grids.

Scores are from 0 to 1. `draws`, where given, names for each score the group that it was drawn with (samples that
share a text): groups are independent of each other, what is in a group need not be.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special  # scipy.stats, a second's import, only where a test needs it

CONFIDENCE = 0.95
ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
RESAMPLES = 9999
FLIPPED_IN_FULL = 13  # draws: 8192 ways
FEW = 6  # draws: fewer, all of one sign, are so in over 5 % of cases by chance
FEW_TELLING = 5.0  # of draws, squared, that tell how much they vary: as much of their word is taken as of none
BATCH = 100_000  # numbers drawn at a time: few enough for a processor's cache
ALIKE = 1e-12  # a spread below this is the rounding of none
Numbers = npt.NDArray[np.float64]
Draws = Sequence[Hashable] | None


class Estimate(NamedTuple):
    """A mean, or a difference of means, and the two ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def estimate(scores: Sequence[float], draws: Draws = None, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of `scores` (at least one) with its interval. Raises ValueError for no scores."""
    low, high = interval(scores, draws, confidence)
    return Estimate(math.fsum(scores) / len(scores), low, high)


def interval(scores: Sequence[float], draws: Draws = None, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval (low, high) of the mean of `scores`, which holds it in `confidence` (a share) of cases.

    The Wilson interval, which stays honest at 0 of 4 and 4 of 4, of as many independent right-or-wrong scores as tell
    as much (see `effective_count`). Raises ValueError for no scores.
    """
    if not scores:
        raise ValueError("an interval needs at least one score")
    mean = math.fsum(scores) / len(scores)
    return wilson(mean, effective_count(scores, draws, confidence), confidence)


def effective_count(scores: Sequence[float], draws: Draws = None, confidence: float = CONFIDENCE) -> float:
    """How many independent right-or-wrong scores tell as much of the mean as these, at least one, do.

    Independent ones that are right or wrong: just as many. Draws that agree more than chance count for less (the design
    effect, Rao and Scott 1992), with t for few draws (Korn and Graubard 1998); fractional scores for more, the less
    they vary. How much, those draws tell that are not all right, or, where these are fewer, not all wrong. Where few
    tell, the estimate is mostly far too sure: it is pulled towards draws that are of a piece, by a weight that was
    chosen by simulation (bench/coverage.py). Where none tells, or all are alike, they are taken to be of a piece.
    """
    values = np.asarray(scores, dtype=np.float64)
    sums, counts = _by_draw(values, draws)
    count, groups, mean = float(np.sum(counts)), len(counts), math.fsum(scores) / len(scores)
    of_a_piece = count**2 / float(np.sum(counts**2))
    telling = int(min(np.sum(sums < counts - ALIKE), np.sum(sums > ALIKE)))
    if groups == 1 or not telling:
        return of_a_piece
    right_or_wrong = bool(np.isin(values, (0, 1)).all())
    effect = _variance(sums, counts, mean) / (mean * (1 - mean) / count)
    if right_or_wrong:
        effect, full = max(effect, 1.0), float(special.stdtrit(count - 1, _upper(confidence)))
    elif effect < ALIKE:
        return of_a_piece
    else:
        full = float(special.ndtri(_upper(confidence)))
    measured = count / effect * (full / float(special.stdtrit(groups - 1, _upper(confidence)))) ** 2
    if right_or_wrong:
        measured = max(measured, of_a_piece)
    return (telling**2 + FEW_TELLING) / (telling**2 / measured + FEW_TELLING / of_a_piece)


def standard_error(scores: Sequence[float], draws: Draws = None) -> float:
    """Of the mean of `scores` (at least one): that of as many independent right-or-wrong ones as tell as much."""
    mean = math.fsum(scores) / len(scores)
    return math.sqrt(mean * (1 - mean) / effective_count(scores, draws))


def wilson(mean: float, count: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The Wilson interval of a share; `count`, of samples that are worth as much as independent ones, may be broken."""
    z = float(special.ndtri(_upper(confidence)))
    centre, spread = mean + z * z / (2 * count), z * math.sqrt(mean * (1 - mean) / count + (z / (2 * count)) ** 2)
    whole = 1 + z * z / count
    low, high = (centre - spread) / whole, (centre + spread) / whole
    return (0.0 if mean == 0 else max(0.0, low)), (1.0 if mean == 1 else min(1.0, high))


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test: pairs that only the first, or only the second, has right."""
    if not only_first + only_second:
        return 1.0
    from scipy import stats

    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def sign_flip(differences: Sequence[float], draws: Draws = None, seed: int = 0) -> float:
    """The two-sided p that paired differences are 0 in the mean, by flipping the signs of whole draws.

    Exact up to FLIPPED_IN_FULL draws that differ; for right-or-wrong pairs without draws it is McNemar's exact p.
    """
    sums, _ = _by_draw(np.asarray(differences, dtype=np.float64), draws)
    sums = sums[np.abs(sums) > ALIKE]  # what does not differ stays the same when flipped
    if len(sums) < 2:
        return 1.0
    if len(sums) <= FLIPPED_IN_FULL:
        from scipy import stats

        found = stats.permutation_test(
            (sums,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
        )
        return float(found.pvalue)
    # of draws with the same sum, it matters only how many are flipped
    sizes, counts = np.unique(np.abs(sums).round(12), return_counts=True)
    drawn = (2 * np.random.default_rng(seed).binomial(counts, 0.5, (RESAMPLES, len(counts))) - counts) @ sizes
    return float((1 + np.sum(np.abs(drawn) >= abs(sums.sum()) - 1e-9)) / (1 + RESAMPLES))


def difference(first: Sequence[float], second: Sequence[float], draws: Draws = None, seed: int = 0) -> Estimate:
    """The mean of second - first over pairs, with the percentile interval of the paired bootstrap over draws.

    Its ends lie further out the fewer draws there are (the expanded percentile interval, Hesterberg 2015), with
    less than six at least as far as those of the t interval. One draw tells nothing: its interval is -1..1. Raises
    ValueError for no pairs.
    """
    if not first:
        raise ValueError("a difference needs at least one pair")
    gaps = np.subtract(second, first)
    sums, counts = _by_draw(gaps, draws)
    mean = float(gaps.mean())
    if len(sums) == 1:
        return Estimate(mean, -1.0, 1.0)
    total, size = _resample([sums, counts], seed)
    return _between(mean, total / size, len(sums))


def contrast(
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[Hashable],
    others: Sequence[Hashable],
    seed: int = 0,
) -> Estimate:
    """The mean of `first` minus that of `second`, which may share draws (`groups` of first, `others` of second).

    The interval is that of `difference`. Raises ValueError if one side has no scores.
    """
    if not first or not second:
        raise ValueError("a contrast needs scores on both sides")
    names = list(dict.fromkeys([*groups, *others]))
    sides = [_by_draw(np.asarray(scores), own, names) for scores, own in ((first, groups), (second, others))]
    mean = math.fsum(first) / len(first) - math.fsum(second) / len(second)
    if len(names) == 1:
        return Estimate(mean, -1.0, 1.0)
    upper, above, lower, below = _resample([*sides[0], *sides[1]], seed)
    whole = (above > 0) & (below > 0)  # a resample may leave one side empty
    return _between(mean, upper[whole] / above[whole] - lower[whole] / below[whole], len(names))


def margin(first: Estimate, second: Estimate, share: float) -> Estimate:
    """`second` minus `share` times `first`, two independent means, with its interval made of theirs.

    The method of variance estimates recovery (MOVER; Zou and Donner 2008): no resampling, and sound at 0 and at 1.
    """
    mean = second.mean - share * first.mean
    below = math.hypot(second.mean - second.low, share * (first.high - first.mean))
    above = math.hypot(second.high - second.mean, share * (first.mean - first.low))
    return Estimate(mean, mean - below, mean + above)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in their order: under 0.05, the family errs in 5 % at most."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _upper(confidence: float) -> float:
    """The share of a distribution below the upper end of its interval."""
    return (1 + confidence) / 2


def _variance(sums: Numbers, counts: Numbers, mean: float) -> float:
    """Of the mean, from the spread between draws (at least two)."""
    residuals = sums - mean * counts
    groups = len(sums)
    return float(groups / (groups - 1) * np.sum(residuals**2)) / float(np.sum(counts)) ** 2


def _by_draw(values: Numbers, draws: Draws, names: Sequence[Hashable] = ()) -> tuple[Numbers, Numbers]:
    """Sum and size of each draw: of `names`, or else of all in order of appearance."""
    if draws is None:
        return values, np.ones(len(values))
    places = {name: place for place, name in enumerate(names or dict.fromkeys(draws))}
    index = np.array([places[name] for name in draws])
    sums, counts = np.bincount(index, values, len(places)), np.bincount(index, minlength=len(places))
    return sums.astype(np.float64), counts.astype(np.float64)


def _between(mean: float, resampled: Numbers, draws: int) -> Estimate:
    """A difference with the middle of its `resampled` values; where all draws are alike, with what they leave open.

    Resamples lie no further out than the draws themselves, so few draws get at least the t interval.
    """
    tail = special.ndtr(math.sqrt(draws / (draws - 1)) * special.stdtrit(draws - 1, ENDS[0]))
    low, high = np.quantile(resampled, (tail, 1 - tail))
    if high - low < ALIKE:
        low, high = _all_alike(mean, draws, -1.0)
    elif draws < FEW:
        error = float(np.std(resampled)) * math.sqrt(draws / (draws - 1))
        half_width = float(special.stdtrit(draws - 1, ENDS[1])) * error
        low, high = max(-1.0, min(low, mean - half_width)), min(1.0, max(high, mean + half_width))
    return Estimate(mean, float(low), float(high))


def _all_alike(mean: float, draws: int, least: float) -> tuple[float, float]:
    """What draws that are all alike leave open, from `least` to 1: up to a share of them may be otherwise."""
    _, others = wilson(0.0, draws)
    return mean - others * (mean - least), mean + others * (1 - mean)


def _resample(columns: Sequence[Numbers], seed: int) -> list[Numbers]:
    """The sums of the columns in each of RESAMPLES resamples of their rows, with replacement.

    Not scipy's bootstrap: it warns where a resample has no statistic, as a contrast may have none.
    """
    drawn, table = np.random.default_rng(seed), np.column_stack(columns)
    rows = len(table)
    step, sums = max(1, BATCH // rows), []
    for start in range(0, RESAMPLES, step):
        chosen = drawn.integers(rows, size=(min(step, RESAMPLES - start), rows))
        chosen += rows * np.arange(len(chosen))[:, np.newaxis]  # each resample counts at places of its own
        times = np.bincount(chosen.ravel(), minlength=chosen.size).reshape(chosen.shape)
        sums.append(times @ table)
    return list(np.concatenate(sums).T)

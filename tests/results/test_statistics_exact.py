"""Statistics to the last digit: ties, tiny spreads, sides of one score, and the borders between two methods."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from mta_eval.results import statistics
from mta_eval.results.statistics import contrast, difference, estimate, interval, mcnemar, sign_flip


def test_an_estimate_knows_the_draws() -> None:
    scores, draws = [1.0, 1.0, 0.0, 0.0], "aabb"
    assert estimate(scores, draws) == (0.5, *interval(scores, draws))
    assert estimate(scores, draws) != estimate(scores)


def test_a_spread_of_a_millionth_is_a_spread() -> None:
    alike, nearly = interval([0.5] * 50), interval([0.5 + 1e-6 * number for number in range(50)])
    assert alike[1] - alike[0] > 0.26  # nothing is known of the spread: 50 right-or-wrong scores
    assert nearly[1] - nearly[0] < 0.02


def test_as_many_draws_as_are_flipped_in_full_are_exact() -> None:
    gaps = [0.05 * number - 0.21 for number in range(1, statistics.FLIPPED_IN_FULL + 1)]
    sums = [
        abs(sum(sign * gap for sign, gap in zip(signs, gaps, strict=True)))
        for signs in product((1, -1), repeat=len(gaps))
    ]
    expected = sum(value >= abs(sum(gaps)) - 1e-9 for value in sums) / len(sums)
    assert sign_flip(gaps) == pytest.approx(expected)
    assert sign_flip(gaps + [0.0] * 40) == sign_flip(gaps)  # those that do not differ are not counted


def test_the_flips_that_were_tried_are_the_least_p() -> None:
    assert sign_flip([1.0] * 5000) == 1 / (statistics.RESAMPLES + 1)


@pytest.mark.parametrize("size", [1.0, 0.3])
@pytest.mark.parametrize("first", [1, -1])
def test_a_flip_that_ties_with_what_was_seen_counts(size: float, first: int) -> None:
    gaps = [first * size] * 20 + [-first * size] * 10
    assert sign_flip(gaps) == pytest.approx(mcnemar(10, 20), abs=0.01)  # 0.099; without the ties 0.043


def test_a_contrast_is_the_difference_of_two_means() -> None:
    found = contrast([0.2, 0.6, 1.0], [0.5, 0.25], "abc", "ab")
    assert found.mean == pytest.approx(0.6 - 0.375)


@pytest.mark.parametrize(("first", "second"), [([1.0], [0.0, 0.0]), ([1.0, 1.0], [0.0])])
def test_resamples_without_one_of_the_sides_are_passed_over(first: list[float], second: list[float]) -> None:
    found = contrast(first, second, "a" * len(first), "b" * len(second))
    others = 1.959964**2 / (2 + 1.959964**2)  # the upper end of Wilson's interval of 0 of 2
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, 1 - 2 * others, 1.0))


def test_either_side_of_a_contrast_needs_scores() -> None:
    with pytest.raises(ValueError, match="both sides"):
        contrast([], [1.0], [], "a")


def test_six_draws_have_the_percentiles_alone() -> None:
    gaps = np.random.default_rng(6).uniform(-0.6, 0.6, 6).tolist()
    assert difference([0.0] * 6, gaps).low > stats.ttest_1samp(gaps, 0).confidence_interval().low + 0.05
    assert difference([0.0] * 5, gaps[:5]).low <= stats.ttest_1samp(gaps[:5], 0).confidence_interval().low + 0.005


def test_all_wrong_begins_at_nothing_and_all_right_ends_at_one_for_any_number() -> None:
    for count in range(1, 200):
        assert interval([0.0] * count)[0] == 0.0
        assert interval([1.0] * count)[1] == 1.0


def test_the_interval_of_a_difference_of_few_draws_never_leaves_minus_one_to_one() -> None:
    assert difference([0.0, 0.0], [0.9, -0.9]) == (0.0, -1.0, 1.0)


def test_more_draws_than_a_batch_holds_are_resampled_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = np.random.default_rng(1).uniform(-0.5, 0.5, 12).tolist()
    at_once = difference([0.0] * 12, gaps)
    monkeypatch.setattr(statistics, "BATCH", 5)
    assert difference([0.0] * 12, gaps) == at_once


@pytest.mark.parametrize("batch", [2, 1000, 100_000])
def test_there_are_as_many_resamples_whatever_a_batch_holds(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BATCH", batch)
    (sums,) = statistics._resample([np.ones(3)], seed=0)
    assert sums.tolist() == [3.0] * statistics.RESAMPLES

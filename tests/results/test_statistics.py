from __future__ import annotations

import pytest
from scipy import stats

from mta_eval.results.statistics import estimate, interval


def test_three_of_four_right_has_the_wilson_interval_of_the_textbook() -> None:
    # Wilson's formula by hand with z = 1.959964: centre (p + z²/2n) / (1 + z²/n), half width as usual
    z, n, p = stats.norm.ppf(0.975), 4, 0.75
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)
    assert interval([1, 0, 1, 1.0]) == pytest.approx((centre - half, centre + half))


@pytest.mark.parametrize(("scores", "inside"), [([0.0] * 4, 0.3), ([1.0] * 4, 0.7)])
def test_all_wrong_or_all_right_is_not_certainty(scores: list[float], inside: float) -> None:
    low, high = interval(scores)
    assert 0 <= low <= inside <= high <= 1
    assert high - low > 0.4


def test_fractional_scores_get_the_t_interval_of_their_mean() -> None:
    scores = [0.2, 0.4, 0.5, 0.6]
    expected = stats.t.interval(0.95, 3, loc=0.425, scale=stats.sem(scores))
    assert interval(scores) == pytest.approx(expected)


def test_the_interval_never_leaves_zero_to_one() -> None:
    assert interval([0.1, 0.9]) == (0.0, 1.0)


def test_one_fractional_score_tells_nothing_about_the_spread() -> None:
    assert interval([0.4]) == (0.0, 1.0)


def test_one_right_answer_is_a_wilson_interval_too() -> None:
    low, high = interval([1.0])
    assert low == pytest.approx(0.2065, abs=1e-4)
    assert high == 1.0


def test_more_samples_make_the_interval_narrower() -> None:
    few, many = interval([1, 0] * 5), interval([1, 0] * 500)
    assert many[1] - many[0] < (few[1] - few[0]) / 5


def test_an_estimate_is_the_mean_with_its_interval() -> None:
    scores = [1.0, 0.0, 1.0, 1.0]
    assert estimate(scores) == (0.75, *interval(scores))


def test_no_scores_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one score"):
        interval([])

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mta_eval.results.statistics import (
    Estimate,
    contrast,
    difference,
    effective_count,
    estimate,
    holm,
    interval,
    margin,
    mcnemar,
    sign_flip,
)


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


def test_fractional_scores_are_worth_the_more_right_or_wrong_ones_the_less_they_vary() -> None:
    scores = [0.2, 0.4, 0.5, 0.6]
    measured = 0.425 * 0.575 / stats.sem(scores) ** 2 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 3)) ** 2
    worth = (4**2 + 5) / (4**2 / measured + 5 / 4)
    assert worth > 5
    assert effective_count(scores) == pytest.approx(worth)
    assert interval(scores) == pytest.approx(wilson(0.425, worth))


def test_many_fractional_scores_have_about_the_t_interval_of_their_mean() -> None:
    scores = [0.2, 0.4, 0.5, 0.6] * 20
    expected = stats.t.interval(0.95, 79, loc=0.425, scale=stats.sem(scores))
    assert interval(scores) == pytest.approx(expected, abs=0.002)


def test_the_interval_never_leaves_zero_to_one() -> None:
    low, high = interval([0.01, 0.99])
    assert 0 < low < 0.1
    assert 0.9 < high < 1


def test_one_fractional_score_tells_nothing_about_the_spread() -> None:
    assert interval([0.4]) == pytest.approx(wilson(0.4, 1))


def test_a_higher_confidence_makes_a_wider_interval_of_its_own_quantiles() -> None:
    scores, draws = [1.0, 0, 1, 1, 0, 1, 1, 1, 0, 1], [number // 2 for number in range(10)]
    low, high = interval(scores, draws, 0.99)
    count = effective_count(scores, draws, 0.99)
    z = float(stats.norm.ppf(0.995))
    assert (high - 0.7) ** 2 == pytest.approx(z**2 * high * (1 - high) / count)  # an end of Wilson's interval
    assert (0.7 - low) ** 2 == pytest.approx(z**2 * low * (1 - low) / count)
    assert count < effective_count(scores, draws)


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


def wilson(share: float, count: float) -> tuple[float, float]:
    """By hand, as in Wilson 1927; `count` may be broken."""
    z = float(stats.norm.ppf(0.975))
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


def test_the_design_effect_is_that_of_a_calculation_by_hand() -> None:
    # three draws of 4: 4, 2 and 0 right; residuals of their sums from 4 * 0.5 are 2, 0, -2
    scores = [1.0] * 4 + [1.0, 1.0, 0.0, 0.0] + [0.0] * 4
    draws = [name for name in "abc" for _ in range(4)]
    variance = 3 / 2 * (2**2 + 0 + 2**2) / 12**2
    effect = variance / (0.5 * 0.5 / 12)
    assert effect == pytest.approx(4)
    # 12 / 4 = 3 are worth as much, and t for 2 degrees of freedom would make it less than the three draws: 3
    assert interval(scores, draws) == pytest.approx(wilson(0.5, 3))


def test_few_draws_that_agree_by_chance_only_count_for_less_than_all_their_samples() -> None:
    # ten draws of 2 with one right each: no design effect at all, so 20 times (t of 19 / t of 9) squared; all ten tell
    scores, draws = [1.0, 0.0] * 10, [number // 2 for number in range(20)]
    measured = 20 * (stats.t.ppf(0.975, 19) / stats.t.ppf(0.975, 9)) ** 2
    worth = 105 / (100 / measured + 5 / 10)
    assert interval(scores, draws) == pytest.approx(wilson(0.5, worth))


def test_what_a_single_draw_with_mistakes_tells_is_hardly_believed() -> None:
    # ten draws of 10, all right but 2 samples of one: one draw tells, the nine that are all right do not
    scores, draws = [0.0] * 2 + [1.0] * 98, [number // 10 for number in range(100)]
    sums = np.array([8.0] + [10.0] * 9)
    variance = 10 / 9 * np.sum((sums - 9.8) ** 2) / 100**2
    measured = 0.98 * 0.02 / variance * (stats.t.ppf(0.975, 99) / stats.t.ppf(0.975, 9)) ** 2
    assert effective_count(scores, draws) == pytest.approx(6 / (1 / measured + 5 / 10))
    wrong = [1 - score for score in scores]
    assert effective_count(wrong, draws) == pytest.approx(effective_count(scores, draws))


def test_draws_of_one_change_nothing() -> None:
    scores = [1.0, 0.0, 1.0, 1.0, 0.0]
    assert interval(scores, "abcde") == interval(scores)
    assert interval([0.1, 0.5, 0.6], "abc") == pytest.approx(interval([0.1, 0.5, 0.6]))


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_where_all_are_alike_each_draw_counts_once(right: float) -> None:
    low, high = interval([right] * 20, [number // 5 for number in range(20)])
    assert (low, high) == pytest.approx(wilson(right, 4))


def test_one_big_draw_that_is_all_right_does_not_count_as_two_for_a_small_one() -> None:
    # 19 samples of one text and 1 of another: (19 + 1)² / (19² + 1²) draws of one size
    assert interval([1.0] * 20, ["big"] * 19 + ["small"]) == pytest.approx(wilson(1.0, 400 / 362))


def test_one_draw_of_right_and_wrong_is_worth_one_sample() -> None:
    assert interval([1.0, 0.0, 1.0, 0.0], ["a"] * 4) == pytest.approx(wilson(0.5, 1))


def test_grouped_fractions_vary_as_the_means_of_their_draws() -> None:
    scores, draws = [0.1, 0.3, 0.4, 0.6, 0.2, 0.4], ["a", "a", "b", "b", "c", "c"]
    error = stats.sem([0.2, 0.5, 0.3])
    measured = 1 / 3 * 2 / 3 / error**2 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 2)) ** 2
    assert effective_count(scores, draws) == pytest.approx((9 + 5) / (9 / measured + 5 / 3))


def test_fractions_that_are_all_alike_are_not_certainty() -> None:
    low, high = interval([0.5] * 4)
    assert 0 <= low < 0.4
    assert 0.6 < high <= 1


def draws_of_texts(random: np.random.Generator, groups: int, size: int, alike: float) -> np.ndarray:
    """Right-or-wrong scores [groups, size] whose chance, 0.7 in the mean, is the text's own (beta-binomial)."""
    spread = (1 - alike) / alike
    chances = random.beta(0.7 * spread, 0.3 * spread, groups)
    return (random.random((groups, size)) < chances[:, None]).astype(float)


@pytest.mark.parametrize("groups", [3, 5, 12, 40])
def test_the_interval_of_grouped_scores_covers_the_truth_where_wilson_alone_does_not(groups: int) -> None:
    random = np.random.default_rng(groups)
    draws = [number // 5 for number in range(5 * groups)]
    covered = plain = 0
    for _ in range(400):
        scores = draws_of_texts(random, groups, 5, 0.5).ravel().tolist()
        low, high = interval(scores, draws)
        covered += low <= 0.7 <= high
        low, high = interval(scores)
        plain += low <= 0.7 <= high
    assert covered >= 0.92 * 400
    assert plain < 0.8 * 400


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_fair_coin_by_definition(first: int, second: int) -> None:
    count = first + second
    chances = [math.comb(count, wins) / 2**count for wins in range(count + 1)]
    expected = sum(chance for chance in chances if chance <= chances[first] * (1 + 1e-9))
    assert mcnemar(first, second) == pytest.approx(min(1.0, expected))
    assert mcnemar(first, second) == mcnemar(second, first)


@pytest.mark.parametrize(
    "gaps", [[0.5, 0.25, -0.1, 0.3], [1.0, 1.0, 1.0, 0.0, -1.0], [0.1] * 6, [0.2, -0.7, 0.4, 0.4, 0.4, -0.1, 0.3]]
)
def test_sign_flips_are_those_of_the_full_enumeration(gaps: list[float]) -> None:
    seen = abs(sum(gaps))
    flipped = [abs(sum(sign * gap for sign, gap in zip(signs, gaps, strict=True))) for signs in flips(len(gaps))]
    expected = sum(value >= seen - 1e-9 for value in flipped) / len(flipped)
    assert sign_flip(gaps) == pytest.approx(expected)
    assert sign_flip([-gap for gap in gaps]) == pytest.approx(expected)


def flips(count: int) -> list[tuple[int, ...]]:
    return list(product((1, -1), repeat=count))


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=13))
@settings(max_examples=25, deadline=None)
def test_sign_flips_of_right_and_wrong_pairs_are_mcnemar(gaps: list[float]) -> None:
    assert sign_flip(gaps) == pytest.approx(mcnemar(gaps.count(-1.0), gaps.count(1.0)))


@pytest.mark.parametrize("gaps", [[], [0.0, 0.0], [0.5], [0.0, 0.0, -1.0], [0.1 + 0.2 - 0.3]])
def test_pairs_of_which_one_at_most_differs_prove_nothing(gaps: list[float]) -> None:
    assert sign_flip(gaps) == 1.0


def test_a_draw_flips_as_a_whole() -> None:
    gaps, draws = [1.0] * 20, [number // 5 for number in range(20)]
    assert sign_flip(gaps, draws) == pytest.approx(2 / 2**4)
    assert sign_flip(gaps) < 1e-3


def test_many_pairs_are_flipped_at_random_and_the_same_every_time() -> None:
    gaps = np.random.default_rng(0).normal(0.1, 1, 200).tolist()
    expected = stats.ttest_1samp(gaps, 0).pvalue
    assert sign_flip(gaps) == sign_flip(gaps)
    assert sign_flip(gaps) == pytest.approx(expected, abs=0.02)
    assert sign_flip([1.0] * 5000) >= 1e-4  # never surer than the flips that were tried


def test_two_models_that_differ_in_nothing_are_seldom_found_to_differ_although_depths_share_a_text() -> None:
    random = np.random.default_rng(3)
    draws = [number // 5 for number in range(50)]
    found = alone = 0
    for _ in range(200):
        gaps = (draws_of_texts(random, 10, 5, 0.6) - draws_of_texts(random, 10, 5, 0.6)).ravel()
        found += sign_flip(gaps.tolist(), draws) < 0.05
        alone += mcnemar(int((gaps < 0).sum()), int((gaps > 0).sum())) < 0.05
    assert found <= 0.09 * 200
    assert alone > 0.15 * 200  # which takes the depths of one text for independent


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_its_definition(p_values: list[float]) -> None:
    adjusted, count = holm(p_values), len(p_values)
    order = sorted(range(count), key=lambda index: p_values[index])
    for place, index in enumerate(order):
        stepped = [(count - rank) * p_values[order[rank]] for rank in range(place + 1)]
        assert adjusted[index] == pytest.approx(min(1.0, max(stepped)))
    assert all(p <= q <= min(1.0, count * p) + 1e-12 for p, q in zip(p_values, adjusted, strict=True))
    assert [adjusted[index] for index in order] == sorted(adjusted)


def test_holm_of_the_textbook_and_of_nothing() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_a_difference_is_second_minus_first() -> None:
    found = difference([0.0] * 10, [1.0] * 8 + [0.0] * 2)
    assert found.mean == pytest.approx(0.8)
    assert 0.3 < found.low < 0.8 < found.high <= 1


@pytest.mark.parametrize("pairs", [1, 2, 5, 30])
def test_pairs_that_are_all_alike_leave_open_what_wilson_leaves_open(pairs: int) -> None:
    same, better = difference([1.0] * pairs, [1.0] * pairs), difference([0.0] * pairs, [1.0] * pairs)
    _, others = wilson(0.0, pairs)
    expected = (-1.0, 1.0) if pairs == 1 else (-others, others)
    assert (same.mean, same.low, same.high) == pytest.approx((0.0, *expected))
    assert (better.mean, better.high) == (1.0, 1.0)
    assert better.low == pytest.approx(-1.0 if pairs == 1 else 1 - 2 * others)


def test_one_draw_of_many_pairs_tells_nothing() -> None:
    assert difference([0.0] * 9, [1.0, 0.5, 0.0] * 3, ["a"] * 9)[1:] == (-1.0, 1.0)
    assert contrast([1.0, 0.0], [0.0], ["a", "a"], ["a"])[1:] == (-1.0, 1.0)


@pytest.mark.parametrize("gaps", [(0.2, 0.3), (0.1, 0.3, 0.2), (0.1, 0.3, 0.2, 0.25), (0.1, 0.3, 0.2, 0.5, 0.0)])
def test_a_difference_of_few_draws_has_at_least_the_t_interval(gaps: tuple[float, ...]) -> None:
    draws = [number for number in range(len(gaps)) for _ in range(2)]
    found = difference([0.0] * 2 * len(gaps), [gap for gap in gaps for _ in range(2)], draws)
    wanted = stats.ttest_1samp(gaps, 0).confidence_interval()
    assert found.mean == pytest.approx(np.mean(gaps))
    reach = found.mean - max(-1, wanted.low)
    assert found.mean - found.low == pytest.approx(reach, rel=0.03)
    assert found.high == pytest.approx(min(1, wanted.high), rel=0.03)


@pytest.mark.parametrize("count", [7, 10])
def test_the_percentiles_of_few_draws_are_expanded(count: int) -> None:
    gaps = np.random.default_rng(count).uniform(-0.6, 0.6, count)
    found = difference([0.0] * count, gaps.tolist())
    means = np.random.default_rng(99).choice(gaps, (100_000, count)).mean(axis=1)
    tail = stats.norm.cdf(math.sqrt(count / (count - 1)) * stats.t.ppf(0.025, count - 1))
    assert found.low == pytest.approx(np.quantile(means, tail), abs=0.012)
    assert found.high == pytest.approx(np.quantile(means, 1 - tail), abs=0.012)
    not_expanded = np.quantile(means, (stats.norm.cdf(stats.t.ppf(0.025, count - 1)), 0.975))
    assert found.low < not_expanded[0] - 0.012
    assert found.high > not_expanded[1] + 0.012


def test_two_draws_of_one_sign_do_not_make_a_difference_sure() -> None:
    assert contrast([1.0, 0.7, 0.2, 0.1], [0.5, 0.4, 0.1, 0.0], ["a", "a", "b", "b"], ["a", "a", "b", "b"]).low < 0


@pytest.mark.parametrize("groups", [5, 20])
def test_the_interval_of_a_grouped_difference_covers_the_truth(groups: int) -> None:
    random = np.random.default_rng(groups)
    draws = [number // 5 for number in range(5 * groups)]
    covered = plain = 0
    for _ in range(60):
        first, second = (draws_of_texts(random, groups, 5, 0.5).ravel().tolist() for _ in range(2))
        one, other = difference(first, second, draws), difference(first, second)
        covered += one.low <= 0 <= one.high
        plain += other.low <= 0 <= other.high
    assert covered >= 0.9 * 60
    assert plain < 0.85 * 60


def test_the_interval_of_a_contrast_covers_the_truth_and_uses_that_sides_share_texts() -> None:
    random = np.random.default_rng(5)
    groups, others = [number // 2 for number in range(30)], [number // 3 for number in range(45)]
    covered, widths, apart = 0, [], []
    for _ in range(80):
        scores = draws_of_texts(random, 15, 5, 0.7)
        first, second = scores[:, :2].ravel().tolist(), scores[:, 2:].ravel().tolist()
        found = contrast(first, second, groups, others)
        covered += found.low <= 0 <= found.high
        widths.append(found.high - found.low)
        alone = contrast(first, second, [("a", name) for name in groups], [("b", name) for name in others])
        apart.append(alone.high - alone.low)
    assert covered >= 0.9 * 80
    assert np.mean(widths) < 0.7 * np.mean(apart)


def test_a_contrast_of_draws_that_hold_one_side_each_has_an_interval() -> None:
    found = contrast([1.0, 1.0], [0.0], ["a", "a"], ["b"])
    assert found.mean == 1.0
    assert -1 <= found.low < 1 == found.high


def test_a_margin_of_two_means_is_the_root_of_the_sum_of_squares() -> None:
    found = margin(Estimate(0.8, 0.7, 0.88), Estimate(0.6, 0.5, 0.65), 0.5)
    assert found.mean == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - math.sqrt(0.1**2 + (0.5 * 0.08) ** 2))
    assert found.high == pytest.approx(0.2 + math.sqrt(0.05**2 + (0.5 * 0.1) ** 2))


def test_differences_and_contrasts_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        difference([], [])
    with pytest.raises(ValueError, match="both sides"):
        contrast([1.0], [], ["a"], [])

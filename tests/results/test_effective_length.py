from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from mta_eval.core import Record
from mta_eval.errors import SpecError
from mta_eval.results.effective_length import (
    chance_of,
    effective_length,
    effective_length_brief,
    effective_length_of_scores,
    effective_length_text,
)
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule

Counts = Mapping[int, tuple[int, int]]
RULER = LengthRule(share=0.0, floor=0.856)


def record(score: float | None, target: str = "", **axes: float | None) -> Record:
    return Record(str(axes), "niah", "m", dict(axes), [target or str(axes)], "7", score, 100, 8, 0.1, finish="stop")


def at_lengths(right: Counts, score: float = 1.0) -> list[Record]:
    """{length: (right, count)} -> records, each a draw of its own with an answer of its own."""
    return [
        record(score if repeat < right_count else 0.0, length=length, repeat=repeat)
        for length, (right_count, count) in right.items()
        for repeat in range(count)
    ]


def text_of(records: list[Record], rule: LengthRule = LENGTH_RULE) -> str:
    found = effective_length(records, rule)
    assert found is not None
    return effective_length_text(found)


def text_of_counts(right: Counts, rule: LengthRule = LENGTH_RULE) -> str:
    return text_of(at_lengths(right), rule)


def test_what_is_sure_what_holds_so_far_and_what_may_hold() -> None:
    found = effective_length(at_lengths({512: (100, 100), 1024: (99, 100), 2048: (88, 100), 4096: (20, 100)}))
    assert found is not None
    # 99 of 100 is at least 94.6 %; 88 of 100 at least 80 %
    assert (found.length, found.so_far, found.high, found.longest) == (1024, 2048, 2048, 4096)
    assert text_of_counts({512: (100, 100), 1024: (99, 100), 2048: (88, 100), 4096: (20, 100)}).startswith(
        "1K surely, 2K so far; "
    )


def test_few_draws_that_are_all_right_say_how_many_it_takes() -> None:
    assert text_of_counts({512: (5, 5), 1024: (5, 5)}) == "512 surely, 1K so far; 22 draws a length to be sure"
    assert text_of_counts({512: (3, 3), 1024: (3, 3)}) == "1K so far; 22 draws a length to be sure"
    assert text_of_counts({512: (21, 21), 1024: (21, 21)}).endswith("1K so far; 22 draws a length to be sure")
    assert text_of_counts({512: (22, 22), 1024: (22, 22)}) == "1K, the longest measured"
    assert text_of_counts({512: (45, 45), 1024: (45, 45), 2048: (45, 45)}) == "2K, the longest measured"


def test_the_number_of_draws_that_it_takes_is_enough_and_one_less_is_not() -> None:
    found = effective_length(at_lengths({512: (20, 20), 1024: (19, 20)}))
    assert found is not None
    assert found.draws is not None
    assert found.draws % 20 == 0 or found.draws > 20
    enough, fewer = (
        effective_length(at_lengths({512: (n, n), 1024: (round(0.95 * n), n)}))
        for n in (20 * -(-found.draws // 20), 20 * (found.draws // 20 - 1))
    )
    assert enough is not None
    assert fewer is not None
    assert (fewer.length, enough.length) == (512, 1024)


def test_a_mean_on_the_bound_is_never_sure() -> None:
    assert (
        text_of_counts({512: (100, 100), 1024: (85, 100)}) == "512 surely, 1K so far; too close to the bound to be sure"
    )


def test_one_draw_of_many_depths_is_not_sure() -> None:
    records = [record(1.0, length=length, depth=depth / 99, repeat=0) for length in (512, 1024) for depth in range(100)]
    found = effective_length(records)
    assert found is not None
    assert (found.length, found.so_far, found.draws) == (None, 1024, 22)


@pytest.mark.parametrize("share", [0.5, 0.29])
def test_a_model_that_is_flat_and_poor_has_no_effective_length(share: float) -> None:
    right = {length: (round(share * 98), 100) for length in (512, 1024, 2048, 4096)}
    assert text_of_counts(right).startswith("none (")


def test_a_guesser_has_none() -> None:
    """Yes to every question of which half are to be answered so."""
    answers = ["yes", "no"] * 30
    yes = [
        record(float(answer == "yes"), answer, length=length, repeat=repeat)
        for length in (1024, 2048, 4096)
        for repeat, answer in enumerate(answers)
    ]
    assert chance_of(yes) == pytest.approx(89 / 179)
    assert text_of(yes) == "none (1 % at the shortest)"
    right = [record(1.0, one.targets[0], **one.axes) for one in yes]  # type: ignore[arg-type]
    assert text_of(right) == "4K, the longest measured"


def test_the_chance_is_that_of_the_choices_where_answers_were_chosen() -> None:
    free = [record(1.0, length=512, repeat=n) for n in range(8)]
    chosen = [dataclasses.replace(one, choices=["a", "b", "c", "d"], finish=None) for one in free]
    assert chance_of(chosen) == 0.25
    assert chance_of(free) == 0
    assert chance_of([dataclasses.replace(one, finish="stop") for one in chosen]) == 0  # generated
    assert chance_of([]) == 0


def test_depths_of_one_draw_have_one_answer_and_are_none_to_guess() -> None:
    records = [
        record(1.0, f"answer {n}", length=512, depth=depth, repeat=n) for n in range(2) for depth in (0.0, 0.5, 1.0)
    ]
    assert chance_of(records) == 0


def test_a_length_that_holds_beyond_one_that_does_not_is_said() -> None:
    assert text_of_counts({512: (100, 100), 1024: (10, 100), 2048: (100, 100)}) == "512; holds again at 2K"


def test_a_floor_alone_is_rulers_way() -> None:
    right = {4096: (400, 400), 8192: (370, 400), 16384: (330, 400)}
    found = effective_length(at_lengths(right), RULER)
    assert found is not None
    assert (found.length, found.so_far, found.high) == (8192, 8192, 16384)
    poor = {4096: (240, 400), 8192: (230, 400)}
    assert text_of_counts(poor) == "8K, the longest measured"
    assert text_of_counts(poor, RULER) == "none (60 % at the shortest)"


@pytest.mark.parametrize("rule", [LengthRule(share=1.01), LengthRule(floor=-0.1), LengthRule(floor=float("nan"))])
def test_a_rule_of_no_shares_is_refused(rule: LengthRule) -> None:
    with pytest.raises(SpecError, match="is a share of the score from 0 to 1"):
        rule.check()


def simulate(rates: Mapping[int, float], runs: int, draws: int, seed: int) -> tuple[float, float]:
    """Shares of `runs` that claim a length beyond the true one to be sure, and that deny the true one."""
    random = np.random.default_rng(seed)
    true = max(length for length, rate in rates.items() if rate >= 0.85 * rates[min(rates)])
    over = under = 0
    for _ in range(runs):
        counts = {length: (int(random.binomial(draws, rate)), draws) for length, rate in rates.items()}
        found = effective_length(at_lengths(counts))
        assert found is not None
        over += (found.length or 0) > true
        under += found.high < true
    return over / runs, under / runs


@pytest.mark.parametrize("draws", [20, 60])
def test_false_claims_stay_under_their_level(draws: int) -> None:
    """The length after the true one lies just under the bound: the worst case for a claim of too much."""
    rates = {512: 0.95, 1024: 0.95, 2048: 0.85 * 0.95 - 0.001, 4096: 0.85 * 0.95 - 0.001}
    over, under = simulate(rates, 400, draws, 0)
    assert over <= 0.025 + 0.016  # two standard errors of 400
    assert under <= 0.05


@pytest.mark.parametrize(
    "records",
    [
        [],
        at_lengths({512: (5, 5)}),
        [record(None, length=512, repeat=0), record(None, length=1024, repeat=0)],
        [record(1.0, repeat=0), record(1.0, repeat=1)],
    ],
    ids=["none", "one length", "all failed", "no length"],
)
def test_some_records_have_no_effective_length(records: list[Record]) -> None:
    assert effective_length(records) is None


def test_nothing_right_at_the_shortest_is_said() -> None:
    assert text_of_counts({512: (0, 50), 1024: (50, 50)}) == "none (0 % at the shortest); holds again at 1K"


@pytest.mark.parametrize(
    ("right", "text"),
    [
        ({512: (100, 100), 1024: (10, 100)}, "512"),
        ({512: (100, 100), 1024: (100, 100)}, "≥ 1K"),
        ({512: (3, 3), 1024: (3, 3)}, "1K so far"),
        ({512: (3, 30), 1024: (3, 30)}, "none"),
    ],
)
def test_in_a_word(right: Counts, text: str) -> None:
    found = effective_length(at_lengths(right))
    assert found is not None
    assert effective_length_brief(found) == text


def test_a_chance_that_is_given_is_taken() -> None:
    records = at_lengths({512: (60, 100), 1024: (60, 100)})
    lengths = {length: ([1.0] * 60 + [0.0] * 40, list(range(100))) for length in (512, 1024)}
    rule = LengthRule(0.0, 0.45)
    assert effective_length_brief(effective_length_of_scores(lengths, rule) or pytest.fail("none")) == "≥ 1K"
    assert effective_length_brief(effective_length_of_scores(lengths, rule, 0.5) or pytest.fail("none")) == "none"
    assert effective_length_of_scores(lengths, rule) == effective_length(records, rule)
    assert chance_of([dataclasses.replace(one, targets=[]) for one in records]) == 0  # what was wanted is not known

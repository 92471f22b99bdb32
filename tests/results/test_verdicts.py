from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats
from test_comparison_page import answers

from mta_eval.results.comparison import compare_pairs, pair_up
from mta_eval.results.statistics import Estimate
from mta_eval.results.verdicts import (
    DISAGREEMENT_HEAD,
    detectable,
    disagreeing_pairs,
    disagreement_frame,
    disagreement_rows,
    verdict,
)


def verdict_of(first: int, second: int) -> str:
    """Of two models that have so many of ten draws right."""
    pairs = pair_up(answers("a", first), answers("b", second))
    return verdict(compare_pairs(pairs.pairs, "length", "depth")[0], "a", "b")


def test_a_verdict_names_the_better_model_and_by_how_much() -> None:
    assert verdict_of(0, 10).startswith("niah: b is better: 0 % and 100 %, +100 [+44, +100] points, p 0.002; ")
    assert verdict_of(10, 0).startswith("niah: a is better: 100 % and 0 %, +100 [+44, +100] points, p 0.002; ")
    assert verdict_of(0, 10).endswith("; 20 pairs of 10 draws")


def test_without_a_sure_difference_it_says_what_would_have_been_seen() -> None:
    assert verdict_of(5, 6).startswith("niah: no sure difference: 50 % and 60 %, +10 [")
    text = verdict_of(5, 5)
    assert text.startswith("niah: no sure difference: 50 % and 50 %, +0 [-28, +28] points, p 1; ")
    assert text.endswith("a difference of 40 points would have been seen in 80% of cases")


def test_what_is_detectable_is_seen_in_four_of_five_cases() -> None:
    error = 0.05
    least = detectable(Estimate(0.0, -stats.norm.ppf(0.975) * error, stats.norm.ppf(0.975) * error))
    assert stats.norm.sf(stats.norm.ppf(0.975), loc=least / error) == pytest.approx(0.8)
    assert detectable(Estimate(0.0, -1.0, 1.0)) == 1.0


def test_a_small_p_beside_an_interval_that_holds_zero_is_no_sure_difference() -> None:
    row = compare_pairs(pair_up(answers("a", 0), answers("b", 10)).pairs, "length", "depth")[0]
    assert "no sure difference" in verdict(row._replace(gap=Estimate(0.3, -0.1, 0.5)), "a", "b")


def test_whole_tasks_are_corrected_for_their_number() -> None:
    first = answers("a", 0) + answers("a", 0, "passkey")
    second = answers("b", 10) + answers("b", 10, "passkey")
    wholes = [row for row in compare_pairs(pair_up(first, second).pairs, "length", "depth") if row.whole]
    assert [row.holm / row.p for row in wholes] == [2, 2]


def test_the_disagreements_are_the_pairs_whose_scores_differ_the_widest_first() -> None:
    first, second = answers("a", 2), answers("b", 4)
    first[3] = replace(first[3], score=0.5)
    found = disagreeing_pairs(pair_up(first, second).pairs)
    assert [(pair.first.sample_id, pair.first.score) for pair in found] == [
        ("niah/512/0.00/2", 0.0),
        ("niah/512/1.00/2", 0.0),
        ("niah/512/1.00/3", 0.0),
        ("niah/512/0.00/3", 0.5),
    ]
    rows = disagreement_rows(found)
    assert {len(row) for row in rows} == {len(DISAGREEMENT_HEAD)}
    assert rows[0] == ["niah", "niah/512/0.00/2", "7", "7", "7", "second"]
    assert {row[-1] for row in disagreement_rows(disagreeing_pairs(pair_up(second, first).pairs))} == {"first"}
    frame = disagreement_frame(found)
    assert list(frame["first_score"]) == [0.0, 0.0, 0.0, 0.5]
    assert list(frame["second_score"]) == [1.0] * 4
    assert list(disagreement_frame([]).columns) == list(frame.columns)


def test_a_long_answer_is_cut_in_the_list_and_whole_in_the_table() -> None:
    first, second = answers("a", 0), answers("b", 1)
    first[0] = replace(first[0], output="x " * 100)
    found = disagreeing_pairs(pair_up(first, second).pairs)
    assert len(disagreement_rows(found)[0][3]) == 60
    assert disagreement_frame(found)["first_output"][0] == "x " * 100

"""The sentences, against outcomes made by hand."""

from __future__ import annotations

import pytest
from tiny_tunnel import judged

from mta_eval.tunnel.verdicts import Judged, task_text, tunnel_verdict

TWO = "two_condition_recall:distance=8"


def on(*wrong: float, kind: str = "mta", task: str = TWO) -> Judged:
    return judged(*wrong, kind=kind, task=task)


def test_the_sentence_of_the_paper() -> None:
    first, other = on(0.0, 0.01, 0.05), on(0.7, 0.63, 0.9, kind="transformer")
    assert tunnel_verdict(first, [other], 1000) == (
        "MTA solves two condition recall at distance 8 where TRANSFORMER stays at chance (3 of 3 seeds, 1,000 steps)."
    )
    another = on(0.7, 0.7, 0.7, kind="diff")
    assert "where TRANSFORMER and DIFF stay at chance (3 of 3 seeds, 1,000 steps)." in tunnel_verdict(
        first, [other, another], 1000
    )


def test_both_solve_it() -> None:
    assert tunnel_verdict(on(0.0), [on(0.02, kind="diff")], 500) == (
        "MTA solves two condition recall at distance 8 (1 of 1 seed, after 300 steps); "
        "DIFF solves it (1 of 1 seed, after 300 steps)."
    )


def test_the_variant_fails_where_another_solves() -> None:
    assert tunnel_verdict(on(0.65, 0.7), [on(0.02, 0.0, kind="diff")], 500) == (
        "MTA stays at chance on two condition recall at distance 8 (2 of 2 seeds, 500 steps); "
        "DIFF solves it (2 of 2 seeds, after 300 steps)."
    )


def test_some_seeds_and_parts_are_said() -> None:
    assert tunnel_verdict(on(0.01, 0.6), [on(0.3, 0.7, kind="diff")], 500) == (
        "MTA solves two condition recall at distance 8 with 1 of 2 seeds (30 % wrong in the mean); "
        "DIFF learns part of it (50 % wrong, 500 steps)."
    )


def test_nobody_learns_anything() -> None:
    assert tunnel_verdict(on(0.65), [on(0.7, kind="diff")], 50) == (
        "two condition recall at distance 8: nobody is better than chance within 50 steps: "
        "this says nothing about the variants."
    )


def test_a_variant_alone() -> None:
    assert tunnel_verdict(on(0.0, task="copy"), [], 50) == "MTA solves copy (1 of 1 seed, after 300 steps)."


@pytest.mark.parametrize(
    ("wrong", "standing", "solved", "at_chance"),
    [
        ((0.05, 0.0), "solves", 2, 0),
        ((0.051, 0.0), "sometimes", 1, 0),
        ((0.3, 0.2), "learns", 0, 0),
        ((0.5626, 0.2), "learns", 0, 1),
        ((0.5626, 0.9), "chance", 0, 2),  # 0.9 of 1 - 3/8
        ((0.5624, 0.9), "learns", 0, 1),
    ],
)
def test_standings(wrong: tuple[float, ...], standing: str, solved: int, at_chance: int) -> None:
    one = on(*wrong)
    assert (one.standing, one.solved, one.at_chance) == (standing, solved, at_chance)


def test_steps_are_the_median_of_seeds_that_solve() -> None:
    assert on(0.0, 0.0, 0.5).steps == 300
    assert on(0.5).steps is None


def test_tasks_in_words() -> None:
    assert task_text("copy") == "copy"
    assert task_text("needles:length=64,needles=4") == "needles at length 64, needles 4"

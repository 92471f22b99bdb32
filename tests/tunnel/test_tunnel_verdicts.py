"""The sentences, against outcomes made by hand."""

from __future__ import annotations

import pytest
from tiny_tunnel import judged

from mta_eval.tunnel.axes import axes_of, task_text
from mta_eval.tunnel.verdicts import Judged, axis_verdict, level_of, tunnel_verdict

TWO = "two_condition_recall:distance=8"


def on(*wrong: float, kind: str = "mta", task: str = TWO) -> Judged:
    return judged(*wrong, kind=kind, task=task)


def test_the_sentence_of_the_paper() -> None:
    first, other = on(0.0, 0.01, 0.05), on(0.7, 0.63, 0.9, kind="transformer")
    assert tunnel_verdict(first, [other], 1000) == (
        "MTA solves two-condition recall at distance 8 where TRANSFORMER stays at chance (3 of 3 seeds, 1,000 steps)."
    )
    another = on(0.7, 0.7, 0.7, kind="diff")
    assert "where TRANSFORMER and DIFF stay at chance (3 of 3 seeds, 1,000 steps)." in tunnel_verdict(
        first, [other, another], 1000
    )


def test_both_solve_it() -> None:
    assert tunnel_verdict(on(0.0), [on(0.02, kind="diff")], 500) == (
        "MTA solves two-condition recall at distance 8 (1 of 1 seed, after 300 steps); "
        "DIFF solves it (1 of 1 seed, after 300 steps)."
    )


def test_the_variant_fails_where_another_solves() -> None:
    assert tunnel_verdict(on(0.65, 0.7), [on(0.02, 0.0, kind="diff")], 500) == (
        "MTA stays at chance on two-condition recall at distance 8 (2 of 2 seeds, 500 steps); "
        "DIFF solves it (2 of 2 seeds, after 300 steps)."
    )


def test_some_seeds_and_parts_are_said() -> None:
    assert tunnel_verdict(on(0.01, 0.6), [on(0.3, 0.7, kind="diff")], 500) == (
        "MTA solves two-condition recall at distance 8 with 1 of 2 seeds (30 % wrong in the mean, chance 62 %); "
        "DIFF learns part of it (50 % wrong, chance 62 %; 1 of 2 seeds, 500 steps)."
    )


def test_nobody_learns_anything() -> None:
    assert tunnel_verdict(on(0.65), [on(0.7, kind="diff")], 50) == (
        "two-condition recall at distance 8: nobody is better than chance within 50 steps: "
        "this says nothing about the variants."
    )


def test_a_variant_alone() -> None:
    assert tunnel_verdict(on(0.0, task="copy"), [], 50) == "MTA solves copy (1 of 1 seed, after 300 steps)."


@pytest.mark.parametrize(
    ("wrong", "standing", "seeds"),
    [
        ((0.05, 0.0), "solves", "2 of 2"),
        ((0.051, 0.0), "sometimes", "1 of 2"),
        ((0.3, 0.2), "learns", "2 of 2"),
        ((0.46, 0.47), "learns", "1 of 2"),  # 0.75 of 1 - 3/8 is 0.469
        ((0.47, 0.56), "hardly", "2 of 2"),
        ((0.5626, 0.2), "learns", "1 of 2"),
        ((0.5626, 0.9), "chance", "2 of 2"),  # 0.9 of 1 - 3/8
        ((0.5624, 0.9), "hardly", "1 of 2"),
    ],
)
def test_standings(wrong: tuple[float, ...], standing: str, seeds: str) -> None:
    one = on(*wrong)
    assert (one.standing, one.seeds_text) == (standing, f"{seeds} seeds")


def test_few_rows_are_not_surely_better_than_chance() -> None:
    assert level_of(0.4, 0.6, 500) == "learns"
    assert level_of(0.4, 0.6, 8) == "chance"


def test_what_is_hardly_better_than_chance_learns_nothing() -> None:
    assert tunnel_verdict(on(0.0, task="copy"), [on(0.89, 0.88, 0.89, kind="diff", task="copy")], 50) == (
        "MTA solves copy (1 of 1 seed, after 300 steps); "
        "DIFF is hardly better than chance at it (89 % wrong, chance 100 %; 3 of 3 seeds, 50 steps)."
    )


def along(*wrong: tuple[float, ...], kind: str = "mta") -> list[Judged]:
    return [on(*seeds, kind=kind) for seeds in wrong]


def test_an_axis_says_up_to_which_value_each_variant_solves_it() -> None:
    (axis,) = axes_of([f"two_condition_recall:distance={value}" for value in (8, 2, 4)])
    solved, some, gone = (0.0, 0.01), (0.0, 0.6), (0.6, 0.6)
    ones = [along(solved, solved, some), along(gone, gone, gone, kind="diff"), along(gone, solved, gone, kind="x")]
    assert axis_verdict(axis, ones) == (
        "two-condition recall, by distance (2, 4 and 8): MTA solves it up to distance 4 with all 2 seeds; "
        "DIFF solves none with all 2 seeds; X solves it at distance 4 with all 2 seeds, not at all smaller ones."
    )
    assert axis_verdict(axis, [along((0.0,), (0.0,), (0.0,))]) == (
        "two-condition recall, by distance (2, 4 and 8): MTA solves it up to distance 8 with its one seed."
    )
    assert "MTA solves none with all 2 seeds, distance 2 with some." in axis_verdict(axis, [along(some, gone, gone)])
    assert axis_verdict(axis, [along(gone, gone, gone)]).endswith("(2, 4 and 8): nobody solves it at any of them.")


def test_tasks_of_one_name_that_differ_in_one_number_are_an_axis() -> None:
    tasks = ["two_condition_recall:distance=8", "copy", "two_condition_recall", "order:items=4", "copy:kinds=3"]
    axes = axes_of(tasks)
    assert [(axis.name, axis.option, list(axis.tasks)) for axis in axes] == [
        ("two_condition_recall", "distance", [1, 8]),
        ("copy", "kinds", [3, 26]),
    ]
    assert axes[0].tasks == {1: "two_condition_recall", 8: "two_condition_recall:distance=8"}
    grid = axes_of([f"copy:length={length},kinds={kinds}" for length in (2, 3) for kinds in (4, 5)])
    assert [axis.title for axis in grid] == [
        "copy at kinds 4, by length",
        "copy at length 2, by kinds",
        "copy at kinds 5, by length",
        "copy at length 3, by kinds",
    ]
    assert axes_of(["letter_blocks:target=first", "letter_blocks"]) == []


def test_steps_are_the_median_of_seeds_that_solve() -> None:
    assert on(0.0, 0.0, 0.5).steps == 300
    assert on(0.5).steps is None


def test_tasks_in_words() -> None:
    assert task_text("copy") == "copy"
    assert task_text("needles:length=64,needles=4") == "needles at length 64, needles 4"

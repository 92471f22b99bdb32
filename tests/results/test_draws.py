from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mta_eval.core import Record
from mta_eval.results.draws import draw_of, estimate_of, scores_of
from mta_eval.results.statistics import estimate


def record(score: float | None = 1.0, task: str = "niah", sample_id: str = "s", **axes: Any) -> Record:
    return Record(sample_id, task, "m", axes, ["7"], "7", score, 100, 8, 0.1)


def test_depths_of_one_draw_are_one_draw() -> None:
    assert draw_of(record(length=512, depth=0.0, repeat=1)) == draw_of(record(length=512, depth=1.0, repeat=1))


@pytest.mark.parametrize(
    "other",
    [
        record(length=1024, repeat=1, seed=0),
        record(length=512, repeat=2, seed=0),
        record(length=512, repeat=1, seed=1),
        record(task="passkey", length=512, repeat=1, seed=0),
    ],
)
def test_another_length_repeat_seed_or_task_is_another_draw(other: Record) -> None:
    assert draw_of(record(length=512, repeat=1, seed=0)) != draw_of(other)


def test_the_draw_that_a_task_names_goes_before_all_and_seeds_are_apart() -> None:
    named = [replace(record(length=length, repeat=0), draw="niah/0/3") for length in (512, 1024)]
    assert draw_of(named[0]) == draw_of(named[1])
    assert draw_of(replace(named[0], draw="niah/0/4")) != draw_of(named[0])
    assert draw_of(replace(named[0], axes={"seed": 1})) != draw_of(replace(named[0], axes={"seed": 2}))


def test_answers_of_other_projects_without_a_repeat_stand_for_themselves() -> None:
    assert draw_of(record(sample_id="a", length=512)) != draw_of(record(sample_id="b", length=512))


def test_only_what_was_scored_counts() -> None:
    records = [record(1.0, length=1, repeat=0), record(None, length=1, repeat=1), record(0.0, length=1, repeat=2)]
    scores, draws = scores_of(records)
    assert scores == [1.0, 0.0]
    assert draws == [draw_of(records[0]), draw_of(records[2])]
    assert estimate_of(records) == estimate([1.0, 0.0])
    assert estimate_of([record(None)]) is None


def test_five_depths_of_one_draw_tell_no_more_than_one() -> None:
    records = [record(1.0, length=512, depth=depth / 4, repeat=0) for depth in range(5)]
    assert estimate_of(records) == pytest.approx(estimate([1.0]))

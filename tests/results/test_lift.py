"""Lift: a model beside the best of the baselines that were asked its very samples."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mta_eval.core import Record
from mta_eval.results.findings import findings_of
from mta_eval.results.lift import is_baseline, lifts
from mta_eval.results.pictures.registry import Subject, find


def answered(model: str, scores: Sequence[float | None], prompt: str = "a") -> list[Record]:
    return [
        Record(
            *(f"niah/512/0.50/{n}", "niah", model, {"length": 512, "depth": 0.5, "repeat": n}, ["7"], "7"),
            *(score, 100, 8, 0.1),
            prompt_sha256=prompt,
            draw=str(n),
        )
        for n, score in enumerate(scores)
    ]


MODEL = answered("m", [1, 1, 1, 0])
BAG, CHANCE = answered("bag:of=m", [1, 0, 0, 0]), answered("chance:of=m", [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("bag", True), ("copier:of=smollm2", True), ("chance", True), ("bagel", False), ("hf:bag", False)],
)
def test_baselines_are_told_by_their_names(spec: str, expected: bool) -> None:
    assert is_baseline(spec) == expected


def test_the_best_baseline_is_subtracted_sample_by_sample() -> None:
    (lift,) = lifts([*MODEL, *CHANCE, *BAG]).values()
    assert (lift.baseline, lift.score) == ("bag:of=m", 0.25)
    assert lift.gap.mean == 0.5
    assert lift.gap.low < 0.5 < lift.gap.high


def test_baselines_have_no_lift_and_models_without_one_neither() -> None:
    assert set(lifts([*MODEL, *BAG])) == {"m"}
    assert lifts(MODEL) == {}
    assert lifts(BAG) == {}


def test_a_baseline_of_other_prompts_does_not_count() -> None:
    other = answered("bag:of=n", [1, 1, 1, 1], prompt="b")
    assert lifts([*MODEL, *other]) == {}
    assert lifts([*MODEL, *other, *CHANCE])["m"].baseline == "chance:of=m"


def test_samples_that_failed_in_one_of_both_are_left_out() -> None:
    (lift,) = lifts([*answered("m", [1, None, 1, 0]), *BAG]).values()
    assert len(lift.pairs) == 3
    assert lift.gap.mean == pytest.approx(1 / 3)


def test_findings_name_the_lift_and_the_baseline() -> None:
    found = findings_of([*MODEL, *BAG])
    assert found.head == ["task", "model", "lift (points)"]
    assert found.rows == [["niah", "m", found.rows[0][2]]]
    assert found.rows[0][2].startswith("+50 [")
    assert found.rows[0][2].endswith("over bag:of=m (25 %)")
    assert "Lift: the score minus" in found.note


def test_a_picture_shows_the_lift_of_each_model() -> None:
    records = [*MODEL, *answered("n", [0, 0, 0, 0]), *BAG]
    drawings = list(find("lift").drawings(Subject("niah", records, "length", "depth")))
    assert [drawing.title for drawing in drawings] == ["m: lift over bag:of=m", "n: lift over bag:of=m"]
    assert "4 pairs of answers" in drawings[0].note
    assert not list(find("lift").drawings(Subject("niah", MODEL, "length", "depth")))
    assert not list(find("lift").drawings(Subject("niah", records, "length", "model")))

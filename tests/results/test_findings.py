from __future__ import annotations

from collections.abc import Mapping

import pytest

from mta_eval.core import Record
from mta_eval.results.findings import findings_of, lost_in_the_middle
from mta_eval.results.length_rule import LengthRule


def at_lengths(right: Mapping[int, tuple[int, int]], score: float = 1.0) -> list[Record]:
    """{length: (right, count)} -> records, each a draw of its own."""
    return [
        record(score if repeat < right_count else 0.0, length=length, repeat=repeat)
        for length, (right_count, count) in right.items()
        for repeat in range(count)
    ]


def record(score: float | None, model: str = "m", task: str = "niah", **axes: float | None) -> Record:
    return Record(str(axes), task, model, dict(axes), [str(axes)], "7", score, 100, 8, 0.1)


def swept(scores: Mapping[float, float], lengths: tuple[int, ...] = (512,), repeats: int = 12) -> list[Record]:
    return [
        record(score, length=length, depth=depth, repeat=repeat)
        for length in lengths
        for repeat in range(repeats)
        for depth, score in scores.items()
    ]


def test_lost_in_the_middle_is_the_ends_minus_the_middle() -> None:
    found = lost_in_the_middle(swept({0.0: 1.0, 0.25: 0.0, 0.5: 0.0, 0.75: 0.0, 1.0: 1.0}))
    assert found is not None
    assert found.mean == 1.0
    assert 0 < found.low < 1 == found.high


def test_a_score_that_hangs_on_no_depth_has_no_contrast() -> None:
    found = lost_in_the_middle(swept({0.0: 1.0, 0.5: 1.0, 1.0: 1.0}))
    assert found is not None
    assert found.mean == 0
    assert found.low < 0 < found.high


def test_lengths_where_the_middle_was_not_measured_do_not_look_like_a_lost_middle() -> None:
    short, long = swept({0.0: 1.0, 0.5: 1.0, 1.0: 1.0}), swept({0.0: 0.0, 1.0: 0.0}, lengths=(4096,))
    failed = [record(None, length=4096, depth=0.5, repeat=repeat) for repeat in range(12)]
    found = lost_in_the_middle(short + long + failed)
    assert found is not None
    assert found.mean == 0


@pytest.mark.parametrize("depths", [{0.5: 1.0}, {0.0: 1.0, 1.0: 1.0}], ids=["middle only", "ends only"])
def test_one_side_alone_has_no_contrast(depths: dict[float, float]) -> None:
    assert lost_in_the_middle(swept(depths)) is None


def test_a_sweep_without_depths_has_no_contrast() -> None:
    assert lost_in_the_middle([record(1.0, length=512, depth=None, repeat=0)]) is None


def test_the_rows_are_texts_and_seeds_are_shown_where_there_are_several() -> None:
    one_seed = at_lengths({512: (50, 50), 1024: (0, 50)})
    seeds = [record(float(seed), "n", seed=seed, length=512, depth=0.5, repeat=0) for seed in (0, 1)]
    head, (first, second), note, _ = findings_of(one_seed + seeds)
    assert head == ["task", "model", "effective length", "seeds"]
    assert first == ["niah", "m", "512", "–"]
    assert "stays above 50 % and 0.85 times the shortest length's" in note
    assert second == ["niah", "n", "–", "0: 0 %, 1: 100 %"]
    assert "Lift" not in note


def test_a_rule_says_when_a_length_holds() -> None:
    records = at_lengths({512: (100, 100), 1024: (70, 100)})
    assert [findings_of(records, LengthRule(share, floor)).rows[0][2] for share, floor in ((0.85, 0.5), (0, 0.5))] == [
        "512",
        "1K, the longest measured",
    ]
    assert "stays above 86 % (lower" in findings_of(records, LengthRule(0, 0.856)).note

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mta_eval.core import Record
from mta_eval.results.findings import (
    FINDINGS_HEAD,
    THRESHOLD,
    EffectiveLength,
    effective_length,
    finding_rows,
    lost_in_the_middle,
)


def at_lengths(right: Mapping[int, tuple[int, int]], score: float = 1.0) -> list[Record]:
    """{length: (right, count)} -> records, each a draw of its own."""
    return [
        record(score if repeat < right_count else 0.0, length=length, repeat=repeat)
        for length, (right_count, count) in right.items()
        for repeat in range(count)
    ]


def record(score: float | None, model: str = "m", task: str = "niah", **axes: float | None) -> Record:
    return Record(str(axes), task, model, dict(axes), ["7"], "7", score, 100, 8, 0.1)


def test_the_effective_length_is_the_last_whose_lower_bound_stays_above() -> None:
    found = effective_length(at_lengths({512: (100, 100), 1024: (99, 100), 2048: (88, 100), 4096: (20, 100)}))
    # 99 of 100 is at least 94.6 %, 88 of 100 at least 80 %, at most 93 %
    assert found == EffectiveLength(1024, 1024, 2048, 4096)


def test_a_length_that_recovers_does_not_count() -> None:
    found = effective_length(at_lengths({512: (100, 100), 1024: (10, 100), 2048: (100, 100)}))
    assert found == EffectiveLength(512, 512, 512, 2048)


def test_few_answers_that_are_all_right_are_not_sure_and_leave_all_open() -> None:
    assert effective_length(at_lengths({512: (5, 5), 1024: (5, 5)})) == EffectiveLength(None, 512, 1024, 1024)


def test_a_shortest_length_of_few_answers_makes_no_longer_one_sure() -> None:
    assert effective_length(at_lengths({512: (5, 5), 1024: (1000, 1000)})) == EffectiveLength(None, 512, 1024, 1024)


def test_one_draw_of_many_depths_is_not_sure() -> None:
    records = [record(1.0, length=length, depth=depth / 99, repeat=0) for length in (512, 1024) for depth in range(100)]
    assert effective_length(records) == EffectiveLength(None, 512, 1024, 1024)


def test_the_effective_length_lies_in_its_interval() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        counts = {2**power: int(random.integers(1, 60)) for power in range(9, 9 + int(random.integers(2, 6)))}
        found = effective_length(
            at_lengths({length: (int(random.integers(0, n + 1)), n) for length, n in counts.items()})
        )
        assert found is None or found.low <= (found.length or found.low) <= found.high <= found.longest


def test_the_interval_of_the_effective_length_covers_the_true_one() -> None:
    random = np.random.default_rng(1)
    chances = {512: 0.9, 1024: 0.85, 2048: 0.8, 4096: 0.6, 8192: 0.3}
    true = max(length for length, chance in chances.items() if chance > THRESHOLD * 0.9)
    covered = over = 0
    for _ in range(100):
        found = effective_length(
            at_lengths({length: (int(random.binomial(60, p)), 60) for length, p in chances.items()})
        )
        assert found is not None
        covered += found.low <= true <= found.high
        over += (found.length or 0) > true
    assert true == 2048
    assert covered >= 93
    assert over <= 5


@pytest.mark.parametrize(
    "records",
    [
        [],
        at_lengths({512: (5, 5)}),
        at_lengths({512: (0, 5), 1024: (5, 5)}),
        [record(None, length=512, repeat=0), record(None, length=1024, repeat=0)],
        [record(1.0, repeat=0), record(1.0, repeat=1)],
    ],
    ids=["none", "one length", "nothing right at the shortest", "all failed", "no length"],
)
def test_some_records_have_no_effective_length(records: list[Record]) -> None:
    assert effective_length(records) is None


def test_fractions_and_missing_repeats_have_an_effective_length_too() -> None:
    records = at_lengths({512: (40, 40), 1024: (37, 40), 2048: (3, 9)}, score=0.5)
    assert effective_length([*records, record(None, length=2048, repeat=9)]) == EffectiveLength(512, 512, 1024, 2048)


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
    first, second = finding_rows(one_seed + seeds)
    assert len(FINDINGS_HEAD) == len(first)
    assert first == ["niah", "m", "512 [512–512]", "–", "–"]
    assert second[:4] == ["niah", "n", "–", "–"]
    assert second[4] == "0: 0 %, 1: 100 %"

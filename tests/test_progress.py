"""The time that is left, of answers that come one by one and in bursts."""

from __future__ import annotations

import pytest

from mta_eval.core import Plan, Sweep
from mta_eval.progress import RemainingTime, duration_text, lengths_of
from mta_eval.registry import build_model, build_task

LOADING, EACH = 60.0, 2.0


def finish(remaining: RemainingTime, samples: int, burst: int, now: float) -> list[tuple[float, float]]:
    """(estimate, truth) after each sample, where bursts of answers come every `EACH` seconds a sample."""
    seen = []
    for number in range(samples):
        if number % burst == 0:
            now += EACH * min(burst, samples - number)
        remaining.add(now + 0.001 * (number % burst))
        last = samples - (number // burst + 1) * burst
        seen.append((remaining.seconds, EACH * max(last, 0)))
    return seen


@pytest.mark.parametrize("burst", [1, 8])
def test_from_the_third_burst_on_it_is_right_within_a_burst(burst: int) -> None:
    seen = finish(RemainingTime([512] * 80, 0, 0.0), 80, burst, LOADING)
    for estimate, truth in seen[2 * burst :]:
        assert estimate == pytest.approx(truth, abs=EACH * burst + 0.5)
    assert seen[-1][0] == 0


def test_longer_samples_are_expected_to_take_longer() -> None:
    remaining = RemainingTime([100] * 10 + [1000] * 10, 0, 0.0)
    for number in range(10):
        remaining.add(1.0 * (number + 1))
    assert remaining.seconds == pytest.approx(100.0, rel=0.15)


def test_what_was_there_already_took_no_time() -> None:
    remaining = RemainingTime([512] * 20, 10, 100.0)
    assert remaining.seconds == 0.0
    remaining.add(103.0)
    assert remaining.seconds == pytest.approx(27.0)


def test_more_samples_than_were_planned_leave_nothing() -> None:
    remaining = RemainingTime([512], 0, 0.0)
    remaining.add(1.0)
    remaining.add(2.0)
    assert remaining.seconds == 0.0


def test_lengths_are_those_of_the_plan_in_its_order() -> None:
    sweep = Sweep((256, 512), (0.5,), 1)
    plan = Plan({"niah": build_task("niah")}, {"a": build_model("window:9"), "b": build_model("window:8")}, sweep)
    assert lengths_of(plan) == [256, 512, 256, 512]
    facts = Plan({"babilong": build_task("babilong")}, {"a": build_model("window:9")}, Sweep((0,), (0.5,), 1))
    assert lengths_of(facts) == [1]


def test_durations_are_texts_for_people() -> None:
    assert [duration_text(seconds) for seconds in (45, 89, 720, 9000)] == ["45 s", "89 s", "12 min", "2.5 h"]

"""The time that is left, of answers that come one by one and in bursts."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from mta_eval.core import Plan, Record, Sweep
from mta_eval.progress import RemainingTime, bar_columns, duration_text, lengths_of, progress
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


@pytest.mark.parametrize("width", [40, 60, 80, 110, 160])
def test_a_bar_is_one_line_of_every_terminal(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bar = Progress(*bar_columns(width), console=screen, expand=True)
    task = bar.add_task("hf:some/long/name-of-a-model,dtype=bfloat16 · niah:needles=4", total=12_000, completed=7_654)
    bar.update(task, rate="1,260,000 tokens/s", left="95 min left")
    screen.print(bar)
    (line,) = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.startswith("hf:some")
    assert "7654/12000" in line
    assert line.rstrip().endswith("95 min left")
    assert ("━" in line, "tokens/s" in line) == (width >= 60, width >= 110)


def test_a_log_gets_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan({"niah": build_task("niah")}, {"window:9": build_model("window:9")}, Sweep((256,), (0.5,), 2))
    record = Record("niah/256/0.50/1", "niah", "window:9", {}, ["7"], "7", 1.0, 9, 9, 0.1)
    with progress(plan, 1, {"window:9": {"dtype": "none"}}) as advance:
        advance(record)
    with progress(plan, 2, {"window:9": {}}):
        pass
    first = ["window:9: dtype none", "1 of 2 samples are there already", "2 of 2 samples"]
    assert capsys.readouterr().err.splitlines() == [*first, "window:9", "2 of 2 samples are there already"]

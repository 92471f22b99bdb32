"""What a record keeps of its sample: needles with the text around them, memory, time; and what a probe asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mta_eval import runner
from mta_eval.core import Answer, Cell, Needle, Plan, Sample, Sweep
from mta_eval.models.window import Window
from mta_eval.registry import build_task


def needle(text: str, asked: bool = False) -> Needle:
    return Needle("key", "value", text, 3, 4, 0.5, asked)


@dataclass
class Hides:
    """A task whose samples hide `count` needles, of which the first is asked."""

    count: int

    def sample(self, cell: Cell, seed: int, tokenizer: Any) -> Sample:
        needles = tuple(needle(f"<{number}>", asked=number == 0) for number in range(self.count))
        prompt = " ".join(one.text for one in needles)
        return Sample(
            f"hides/{cell}", "hides", prompt, ("a",), {}, cell.length, self.count, 4, ("a", "b"), needles=needles
        )

    def score(self, sample: Sample, output: str) -> float:
        return 1.0


@dataclass
class Notes:
    """A model that answers anything and notes what it was asked."""

    max_length: int = 1 << 30
    asked: list[tuple[str, int]] = field(default_factory=list)
    tokenizer: Any = field(default_factory=lambda: Window(9).tokenizer)

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            self.asked.append((sample.id, sample.max_new_tokens))
            yield Answer(" a")


def plan(task: Any, model: Any, *lengths: int, **options: str) -> Plan:
    return Plan({"t": task}, {"m": model}, Sweep(lengths, (0.0, 1.0), 2), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("hidden", "kept"), [(runner.NEEDLES_KEPT, runner.NEEDLES_KEPT), (runner.NEEDLES_KEPT + 1, 1)])
def test_of_many_needles_a_record_keeps_those_that_are_asked(hidden: int, kept: int) -> None:
    record = next(runner.run(plan(Hides(hidden), Notes(), 300)))
    assert len(record.needles) == kept
    assert record.needles[0].asked


def test_a_record_keeps_the_choices_as_a_list() -> None:
    assert next(runner.run(plan(Hides(1), Notes(), 300))).choices == ["a", "b"]


def test_a_needle_is_quoted_with_the_text_on_both_sides_of_it() -> None:
    before, after = "".join(map(chr, range(200, 400))), "".join(map(chr, range(500, 700)))
    quoted = runner.quote(needle("(here)", asked=True), before + "(here)" + after)
    assert (quoted.before, quoted.after) == (before[-runner.AROUND :], after[: runner.AROUND])
    assert (quoted.text, quoted.token_start, quoted.asked) == ("(here)", 3, True)


def test_a_needle_near_an_end_is_quoted_with_what_there_is() -> None:
    quoted = runner.quote(needle("(here)"), "ab(here)yz")
    assert (quoted.before, quoted.after) == ("ab", "yz")


def test_a_records_memory_is_that_of_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([999, 1, 2, 3, 4])  # the first is of what was there before
    monkeypatch.setattr(runner, "take_peak", lambda: next(peaks))
    assert [record.peak_memory for record in runner.run(plan(Hides(1), Notes(), 300))] == [1, 2, 3, 4]


def test_the_memory_of_a_model_in_another_process_is_unknown() -> None:
    class Elsewhere(Notes):
        in_process = False

    assert {record.peak_memory for record in runner.run(plan(Hides(1), Elsewhere(), 300))} == {None}


def test_seconds_are_kept_to_a_tenth_of_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ask", lambda _, samples: ((one, Answer(""), None, 1.23456) for one in samples))
    assert {record.seconds for record in runner.run(plan(Hides(1), Notes(), 300))} == {1.2346}


def test_a_sample_that_could_not_be_answered_is_a_record_of_which_nothing_was_measured() -> None:
    asked = plan(build_task("niah"), Notes(max_length=300), 256, 512, over_length="mark")
    for length, cut in ((256, False), (512, True)):
        record = runner.failed(asked, "m", "t", Cell(length, 1.0, 1), "its worker died")
        assert (record.sample_id, record.model, record.error) == (f"niah/{length}/1.00/1", "m", "its worker died")
        assert (record.truncated, record.output, record.score) == (cut, None, None)
        assert (record.seconds, record.peak_memory) == (0.0, None)


def test_a_probe_asks_the_shortest_and_the_longest_and_loads_the_weights_with_one_token_of_another() -> None:
    model = Notes()
    assert [tokens for tokens, _ in runner.probe(plan(Hides(1), model, 2048, 900, 300), "m", "t")] == [300, 2048]
    assert model.asked == [("hides/300/0.00/1", 1), ("hides/300/1.00/0", 4), ("hides/2048/1.00/0", 4)]


def test_a_probe_times_the_answer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.5, 20.0, 24.0])
    monkeypatch.setattr(runner, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert runner.probe(plan(Hides(1), Notes(), 300, 2048), "m", "t") == [(300, 0.5), (2048, 4.0)]

"""How samples become answers: whose time is whose."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import cast

import pytest

from mta_eval import answering
from mta_eval.answering import Feed, ask
from mta_eval.core import Answer, Model, Sample


class Time:
    """A clock that goes on only where a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    told = Time()
    monkeypatch.setattr(answering, "time", told)
    return told


def feed(count: int) -> Feed:
    samples = (Sample(f"t/0/any/{number}", "t", "?", (), {}, 8, 4, 4) for number in range(count))
    return Feed((sample, False) for sample in samples)


class Chooser:
    name = "chooser"
    abilities = frozenset({"chooses"})

    def __init__(self, *scores: float) -> None:
        self.scores = scores

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        return list(self.scores)


@pytest.mark.parametrize("scores", [(math.nan, -1.0), (math.inf, -1.0), (-math.inf, -math.inf)])
def test_no_choice_is_made_of_what_is_no_number(scores: tuple[float, float]) -> None:
    sample = replace(next(feed(1)), choices=("a", "b"))
    made = next(ask(partial(answering._choose, cast(Model, Chooser(*scores))), Feed([(sample, False)])))
    assert (made.response, made.error) == (
        None,
        "ValueError: log-likelihoods of the choices are NaN or infinite: the model computes no numbers here",
    )
    masked = cast(Model, Chooser(-math.inf, -9.0))
    made = next(ask(partial(answering._choose, masked), Feed([(sample, False)])))
    assert made.response == Answer("b")


def batches(time: Time, size: int, seconds: float) -> Callable[[Iterable[Sample]], Iterator[str]]:
    """A model that takes `size` samples at once, and so many seconds for them together."""

    def generate(samples: Iterable[Sample]) -> Iterator[str]:
        waiting = iter(samples)
        while group := list(islice(waiting, size)):
            time.now += seconds
            yield from (sample.id for sample in group)

    return generate


def test_one_at_a_time_each_has_its_own_seconds(time: Time) -> None:
    assert [one.seconds for one in ask(batches(time, 1, 2.0), feed(3))] == pytest.approx([2.0, 2.0, 2.0])


def test_samples_that_are_answered_together_share_the_time(time: Time) -> None:
    assert [one.seconds for one in ask(batches(time, 4, 2.0), feed(6))] == pytest.approx([0.5] * 4 + [1.0] * 2)


def test_what_is_done_with_an_answer_is_nobodys_time(time: Time) -> None:
    told = []
    for one in ask(batches(time, 2, 1.0), feed(4)):
        told.append(one.seconds)
        time.now += 50
    assert told == pytest.approx([0.5] * 4)


def test_the_seconds_add_up_where_samples_overlap(time: Time) -> None:
    def three_in_hand(samples: Iterable[Sample]) -> Iterator[str]:
        waiting, held = iter(samples), []
        while True:
            held += list(islice(waiting, 3 - len(held)))
            if not held:
                return
            time.now += 1.0
            yield held.pop(0).id

    told = [one.seconds for one in ask(three_in_hand, feed(5))]
    assert sum(told) == pytest.approx(5.0)
    assert told[2] == pytest.approx(1.0)  # in hand for three seconds, with two others each


def test_a_failed_sample_has_its_share_and_the_others_begin_anew(time: Time) -> None:
    def breaks(samples: Iterable[Sample]) -> Iterator[str]:
        for sample in samples:
            time.now += 2.0
            if sample.id.endswith("/1"):
                raise RuntimeError("no")
            yield sample.id

    answered = list(ask(breaks, feed(3)))
    assert [one.error for one in answered] == [None, "RuntimeError: no", None]
    assert [one.seconds for one in answered] == pytest.approx([2.0, 2.0, 2.0])

"""How samples become answers: generated, chosen or read; one that fails is set apart, and the others go on."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Literal, NamedTuple

from mta_eval.core import Model, ReadingTask, Sample, Task
from mta_eval.errors import ModelError, MtaEvalError

Answer = Literal["generate", "choose"]
Given = str | list[float]  # an output, or what a model makes of each token
Asker = Callable[[Iterable[Sample]], Iterator[str] | Iterator[list[float]]]


class Answered(NamedTuple):
    """What became of a sample: what was given, or else the error; and its share of the time (see `Clock`)."""

    sample: Sample
    given: Given | None
    error: str | None
    seconds: float


class Clock:
    """Parts the time equally among the samples that a model has in hand, for it may answer many at once.

    The seconds of all samples add up to the time that the model took; nobody is charged while none is in hand.
    """

    def __init__(self) -> None:
        self._share = 0.0  # what a sample that was in hand all the time would have been charged
        self._last = time.perf_counter()
        self._entered: deque[float] = deque()

    def enter(self) -> None:
        """A sample is handed over."""
        self._tick()
        self._entered.append(self._share)

    def leave(self) -> float:
        """The first sample is done: its seconds."""
        self._tick()
        return self._share - self._entered.popleft()

    def resume(self) -> None:
        """What happened since the last sample left (marking, saving) is nobody's."""
        self._last = time.perf_counter()

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._entered:
            self._share += (now - self._last) / len(self._entered)
        self._last = now


class Feed:
    """Samples on their way to a model: remembers which were cut, and whether making one failed."""

    def __init__(self, samples: Iterable[tuple[Sample, bool]]) -> None:
        self._samples = iter(samples)
        self.cut: set[str] = set()
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[Sample]:
        return self

    def __next__(self) -> Sample:
        try:
            sample, cut = next(self._samples)
        except StopIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise
        if cut:
            self.cut.add(sample.id)
        return sample


def asker_of(task: Task, model: Model, how: Answer) -> Asker:
    """What gives an answer for each sample: an output, or what the model makes of each token."""
    if isinstance(task, ReadingTask):
        return partial(_read, model)
    return model.generate if how == "generate" else partial(_choose, model)


def ask(asker: Asker, samples: Feed) -> Iterator[Answered]:
    """The answers in order. A model that breaks down is asked again from the next sample on."""
    waiting: deque[Sample] = deque()
    feed: Iterator[Sample] = iter(samples)
    clock = Clock()

    def fed() -> Iterator[Sample]:
        for sample in feed:
            waiting.append(sample)
            clock.enter()
            yield sample

    while True:
        try:
            for answer in asker(fed()):
                yield Answered(waiting.popleft(), answer, None, clock.leave())
                clock.resume()
            if waiting:
                raise ModelError(f"the model gave no answer to {len(waiting)} samples, the first {waiting[0].id}")
            return
        except MtaEvalError:
            raise
        except Exception as error:
            if samples.failure is not None or not waiting:
                raise
            yield Answered(waiting.popleft(), None, f"{type(error).__name__}: {error}", clock.leave())
            feed = chain(list(waiting), feed)
            waiting.clear()
            clock = Clock()


def _choose(model: Model, samples: Iterable[Sample]) -> Iterator[str]:
    """The choice that the model finds likeliest after the prompt."""
    for sample in samples:
        scores = model.loglikelihood([(sample, sample.lead + choice) for choice in sample.choices])
        yield max(zip(scores, sample.choices, strict=True), key=lambda pair: pair[0])[1]


def _read(model: Model, samples: Iterable[Sample]) -> Iterator[list[float]]:
    """What the model makes of each token. Raises ValueError for what is no log-probability."""
    for values in model.token_loglikelihoods(samples):
        if wrong := [value for value in values if not math.isfinite(value)]:
            raise ValueError(f"{len(wrong)} of {len(values)} log-probabilities are {wrong[0]} or the like")
        yield values

"""How samples become answers: generated, chosen or read; one that fails is set apart, and the others go on."""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple

from mta_eval.core import Ability, Answer, AnswerMode, Model, ReadingTask, Sample, Task
from mta_eval.errors import ModelError, MtaEvalError

Response = Answer | list[float]  # an answer, or log p of each token of a text
Asker = Callable[[Iterable[Sample]], Iterator[Answer] | Iterator[list[float]]]
ABILITIES: frozenset[Ability] = frozenset({"answers", "chooses", "reads"})
CANNOT: dict[Ability, str] = {
    "answers": "makes prompts but generates no answers",
    "chooses": "gives no log-likelihoods, so it cannot choose between answers",
    "reads": "gives no log-likelihoods of tokens, so it cannot read texts",
}


class Outcome(NamedTuple):
    """What became of a sample: the model's response, or else the error; and its share of the time (see `Clock`)."""

    sample: Sample
    response: Response | None
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


def asker_of(task: Task, model: Model, mode: AnswerMode) -> Asker:
    """What makes a response for each sample. Raises ModelError where the model cannot do what is asked of it."""
    if isinstance(task, ReadingTask):
        return _able(model, "reads", partial(_read, model))
    if mode == "choose":
        return _able(model, "chooses", partial(_choose, model))
    return _able(model, "answers", partial(_generate, model))


def check_abilities(task: Task, model: Model, mode: AnswerMode) -> None:
    """Raises ModelError where the model cannot do what this task asks of it."""
    asker_of(task, model, mode)


def ask(asker: Asker, samples: Feed) -> Iterator[Outcome]:
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
                yield Outcome(waiting.popleft(), answer, None, clock.leave())
                clock.resume()
            if waiting:
                raise ModelError(f"the model gave no answer to {len(waiting)} samples, the first {waiting[0].id}")
            return
        except MtaEvalError:
            raise
        except Exception as error:
            if samples.failure is not None or not waiting:
                raise
            yield Outcome(waiting.popleft(), None, f"{type(error).__name__}: {error}", clock.leave())
            feed = chain(list(waiting), feed)
            waiting.clear()
            clock = Clock()


def _able(model: Model, ability: Ability, asker: Asker) -> Asker:
    if ability in getattr(model, "abilities", ABILITIES):  # adapters of other packages may be older than the word
        return asker
    raise ModelError(f"{model.name} {CANNOT[ability]}; name a model that can, such as hf:PATH")


def _generate(model: Model, samples: Iterable[Sample]) -> Iterator[Answer]:
    for answer in model.generate(samples):
        if isinstance(answer, str):
            warnings.warn(
                f"{type(model).__name__}.generate yields str; from mta-eval 0.3 on it must yield mta_eval.core.Answer",
                DeprecationWarning,
                stacklevel=2,
            )
            answer = Answer(answer)
        yield answer


def _choose(model: Model, samples: Iterable[Sample]) -> Iterator[Answer]:
    """The choice that the model finds likeliest after the prompt. Raises ValueError for what is no log-likelihood."""
    for sample in samples:
        scores = model.loglikelihood([(sample, sample.target_delimiter + choice) for choice in sample.choices])
        if any(map(math.isnan, scores)) or max(scores) in (math.inf, -math.inf):
            raise ValueError("log-likelihoods of the choices are NaN or infinite: the model computes no numbers here")
        yield Answer(max(zip(scores, sample.choices, strict=True), key=lambda pair: pair[0])[1])


def _read(model: Model, samples: Iterable[Sample]) -> Iterator[list[float]]:
    """What the model makes of each token. Raises ValueError for what is no log-probability."""
    for values in model.token_loglikelihoods(samples):
        if wrong := [value for value in values if not math.isfinite(value)]:
            raise ValueError(f"{len(wrong)} of {len(values)} log-probabilities are {wrong[0]} or the like")
        yield values

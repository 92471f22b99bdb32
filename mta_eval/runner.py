"""The runner: tasks x models x sweep -> records. Knows no torch, no JSON, no terminal.

A model that fails on a sample is data (`Record.error`; a later run tries again). A task that raises is a bug, or a
user's mistake, and stops the run.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any, Literal

from mta_eval.core import Cell, Model, Needle, Record, Sample, Sweep, Task
from mta_eval.errors import LengthError, ModelError, MtaEvalError, SpecError
from mta_eval.memory import take_peak

Answer = Literal["generate", "choose"]
OverLength = Literal["refuse", "mark"]
SHORT, CHECKED = 512, 100  # at short lengths, where some samples may not fit, so many are made beforehand
NEEDLES_KEPT = 64  # a record keeps the asked needles, and all of them up to this many
AROUND = 120  # characters that it keeps on each side of one


@dataclass(frozen=True)
class Plan:
    """What there is to do: named tasks and models, a sweep, and how to ask."""

    tasks: Mapping[str, Task]
    models: Mapping[str, Model]
    sweep: Sweep
    answer: Answer = "generate"
    over_length: OverLength = "refuse"

    def sweep_of(self, task: str, model: str) -> Sweep:
        """What of the sweep a model is asked.

        Where no lengths were named: those of the task that fit all models, or else their window. Named ones that are
        beyond this model's window but not beyond another's are left out, where prompts are not to be cut.
        """
        windows = [model.max_length for model in self.models.values()]
        if not self.sweep.lengths:
            own = self.tasks[task].default_lengths
            fitting = tuple(length for length in own if length <= min(windows))
            return replace(self.sweep, lengths=fitting or (min(windows),))
        return replace(self.sweep, lengths=tuple(x for x in self.sweep.lengths if x not in self.left_out(model)))

    def left_out(self, model: str) -> tuple[int, ...]:
        """The lengths that a model is not asked, because only another model's window takes them."""
        if self.over_length == "mark":
            return ()
        window, widest = self.models[model].max_length, max(model.max_length for model in self.models.values())
        return tuple(length for length in self.sweep.lengths if window < length <= widest)

    def __len__(self) -> int:
        return sum(len(self.sweep_of(task, model)) for task in self.tasks for model in self.models)


def check(plan: Plan) -> None:
    """Find the user's mistakes before any weights are loaded: make one sample of every task, length and model.

    Raises LengthError for a length beyond a model's window (unless over_length is "mark") or too small for a task,
    SpecError where choices are wanted and a task has none, TextError for a haystack that cannot be read.
    """
    for model_name, model in plan.models.items():
        for task_name, task in plan.tasks.items():
            sweep = plan.sweep_of(task_name, model_name)
            for length in sweep.lengths:
                if length > model.max_length and plan.over_length == "refuse":
                    raise LengthError(
                        f"length {length} is beyond the window of {model_name}, {model.max_length} tokens; drop it, or "
                        "let --over-length mark cut such prompts and mark their records"
                    )
                cells = replace(sweep, lengths=(length,)).cells()
                for cell in islice(cells, CHECKED if length <= SHORT else 1):
                    sample = task.sample(cell, sweep.seed, model.tokenizer)
                if plan.answer == "choose" and not sample.choices:
                    raise SpecError(f"{task_name} offers no choices; use --answer generate")


def run(plan: Plan, done: Collection[tuple[str, str]] = ()) -> Iterator[Record]:
    """Answer every sample that is not `done`, pairs of (model, sample id), and yield its record as soon as it is there.

    Raises LengthError, ModelError and the like for what cannot go on; a single failed answer becomes a record.
    """
    for model_name, model in plan.models.items():
        for task_name, task in plan.tasks.items():
            sweep = plan.sweep_of(task_name, model_name)
            samples = _Feed(
                fit_window(sample, model, plan.over_length)
                for cell in sweep.cells()
                if (model_name, f"{task_name}/{cell}") not in done
                for sample in [task.sample(cell, sweep.seed, model.tokenizer)]
            )
            take_peak()
            before = time.perf_counter()
            for sample, output, error in _answer(model, samples, plan.answer):
                now = time.perf_counter()
                score = None if output is None else task.score(sample, output)
                yield _record(sample, model_name, output, score, error, now - before, samples.cut)
                before = time.perf_counter()


def probe(plan: Plan, model_name: str, task_name: str) -> list[tuple[int, float]]:
    """(tokens, seconds) of one real answer at the shortest and the longest length, loading left out."""
    task, model, sweep = plan.tasks[task_name], plan.models[model_name], plan.sweep_of(task_name, model_name)
    answer = model.generate if plan.answer == "generate" else partial(_choose, model)
    timed: list[tuple[int, float]] = []
    for length in sorted({min(sweep.lengths), max(sweep.lengths)}) if sweep.lengths else ():
        sample = task.sample(Cell(length, sweep.depths[0], 0), sweep.seed, model.tokenizer)
        sample, _ = fit_window(sample, model, plan.over_length)
        if not timed:
            list(answer([replace(sample, max_new_tokens=1)]))  # loads the weights
        start = time.perf_counter()
        list(answer([sample]))
        timed.append((sample.length, time.perf_counter() - start))
    return timed


class _Feed:
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


def _answer(model: Model, samples: _Feed, how: Answer) -> Iterator[tuple[Sample, str | None, str | None]]:
    """(sample, output, error) in order. A model that breaks down is asked again from the next sample on."""
    waiting: deque[Sample] = deque()
    feed: Iterator[Sample] = iter(samples)

    def fed() -> Iterator[Sample]:
        for sample in feed:
            waiting.append(sample)
            yield sample

    while True:
        try:
            for output in model.generate(fed()) if how == "generate" else _choose(model, fed()):
                yield waiting.popleft(), output, None
            if waiting:
                raise ModelError(f"the model gave no answer to {len(waiting)} samples, the first {waiting[0].id}")
            return
        except MtaEvalError:
            raise
        except Exception as error:
            if samples.failure is not None or not waiting:
                raise
            yield waiting.popleft(), None, f"{type(error).__name__}: {error}"
            feed = chain(list(waiting), feed)
            waiting.clear()


def _choose(model: Model, samples: Iterable[Sample]) -> Iterator[str]:
    """The choice that the model finds likeliest after the prompt."""
    for sample in samples:
        scores = model.loglikelihood([(sample, sample.lead + choice) for choice in sample.choices])
        yield max(zip(scores, sample.choices, strict=True), key=lambda pair: pair[0])[1]


def fit_window(sample: Sample, model: Model, over_length: OverLength) -> tuple[Sample, bool]:
    """The sample, cut on the left to the model's window if need be, and whether it was cut.

    A cut sample keeps the needles that are still whole in it. Raises LengthError if it must not or cannot be cut.
    """
    room = model.max_length - sample.max_new_tokens
    if sample.prompt_tokens <= room:
        return sample, False
    if over_length == "refuse":
        raise LengthError(
            f"{sample.id}: {sample.prompt_tokens} prompt tokens and {sample.max_new_tokens} of answer do not fit the "
            f"window of {model.max_length}; --over-length mark cuts such prompts and marks their records"
        )
    specials = sum(model.tokenizer.specials) if sample.chat is None else 0
    prompt, keep = sample.prompt, room - specials
    if keep < 1:
        raise LengthError(f"{sample.id}: its answer alone fills the window of {model.max_length} tokens")
    while len(spans := model.tokenizer.encode(prompt).spans) > keep:
        prompt = prompt[spans[len(spans) - keep][0] :]
    lost = sample.prompt_tokens - specials - len(spans)
    needles = tuple(
        replace(needle, token_start=needle.token_start - lost, token_end=needle.token_end - lost)
        for needle in sample.needles
        if needle.text in prompt
    )
    return replace(sample, prompt=prompt, prompt_tokens=len(spans) + specials, needles=needles), True


def _record(
    sample: Sample,
    model: str,
    output: str | None,
    score: float | None,
    error: str | None,
    seconds: float,
    cut: Collection[str],
) -> Record:
    few = len(sample.needles) <= NEEDLES_KEPT
    return Record(
        sample_id=sample.id,
        task=sample.task,
        model=model,
        axes=sample.axes,
        targets=list(sample.targets),
        output=output,
        score=score,
        prompt_tokens=sample.prompt_tokens,
        max_new_tokens=sample.max_new_tokens,
        seconds=round(seconds, 4),
        truncated=sample.id in cut,
        error=error,
        choices=list(sample.choices),
        needles=[_kept(needle, sample.prompt) for needle in sample.needles if few or needle.asked],
        prompt_sha256=hashlib.sha256(sample.prompt.encode()).hexdigest(),
        peak_memory=take_peak(),
    )


def _kept(needle: Needle, prompt: str) -> dict[str, Any]:
    """A needle and the text around it, since records hold no prompts."""
    start = prompt.index(needle.text)
    end = start + len(needle.text)
    return asdict(needle) | {"before": prompt[max(0, start - AROUND) : start], "after": prompt[end : end + AROUND]}

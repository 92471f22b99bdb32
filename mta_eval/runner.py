"""The runner: tasks x models x sweep -> records. Knows no torch, no JSON, no terminal.

A model that fails on a sample is data (`Record.error`; a later run tries again). A task that raises is a bug, or a
user's mistake, and stops the run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from mta_eval.answering import Feed, Response, ask, asker_of, check_abilities
from mta_eval.core import (
    Answer,
    Cell,
    Model,
    Needle,
    OverLength,
    Plan,
    QuotedNeedle,
    ReadingTask,
    Record,
    Sample,
    SampleKey,
    Task,
    cells_of,
)
from mta_eval.errors import LengthError, SpecError, did_you_mean
from mta_eval.memory import take_peak

SHORT, CHECKED = 512, 100  # at short lengths, where some samples may not fit, so many are made beforehand
EVERY_RECORD = ("task", "model", "seed")  # axes beside those of a sample
NEEDLES_KEPT = 64  # a record keeps the asked needles, and all of them up to this many
QUESTION = 600  # characters of a prompt's end at most that a record keeps
AROUND = 120  # characters that it keeps on each side of one


def check(plan: Plan) -> None:
    """Find the user's mistakes before any weights are loaded: make a sample of every task, length, model and seed.

    Raises LengthError for a length beyond a model's window (unless over_length is "mark") or too small for a task,
    SpecError where choices are wanted and a task has none or where no sample has an axis that reports are to have,
    TextError for a text that cannot be read. What is read and not answered is never cut.
    """
    axes = dict.fromkeys(axis for one in plan.by_seed() for axis in _check_seed(one))
    if not any(isinstance(task, ReadingTask) for task in plan.tasks.values()):  # what is read has axes of its own
        _check_report_axes(plan, (*axes, *EVERY_RECORD))


def _check_report_axes(plan: Plan, known: Sequence[str]) -> None:
    chosen = {option: plan.presentation[option] for option in ("x", "y") if option in plan.presentation}
    for option, axis in chosen.items():
        if axis not in known:
            raise SpecError(f"--{option}: no sample has the axis {axis!r}{did_you_mean(str(axis), known)}")
    if len(chosen) == 2 and len(set(chosen.values())) == 1:
        raise SpecError(f"--x and --y are both {chosen['x']!r}; choose two of: {', '.join(known)}")


def _check_seed(plan: Plan) -> Iterator[str]:
    """The axes of the samples that were made."""
    for model_name, model in plan.models.items():
        for task_name, task in plan.tasks.items():
            check_abilities(task, model, plan.answer)
            sweep, reading = plan.sweep_of(task_name, model_name), isinstance(task, ReadingTask)
            for length in sweep.lengths:
                if length > model.max_length and (reading or plan.over_length == "refuse"):
                    raise LengthError(_beyond(length, model_name, model, reading))
                cells = cells_of(task, replace(sweep, lengths=(length,)), plan.tokenizer_of(model_name))
                for cell in islice(cells, CHECKED if length <= SHORT else 1):
                    sample = task.sample(cell, sweep.seed, plan.tokenizer_of(model_name))
                    yield from sample.axes
                if plan.answer == "choose" and not reading and not sample.choices:
                    raise SpecError(f"{task_name} offers no choices; use --answer generate")


def _beyond(length: int, name: str, model: Model, reading: bool) -> str:
    """Why a length is refused, and each way on."""
    ways = ["drop it"] if reading else ["drop it", "let --over-length mark cut such prompts and mark their records"]
    if hasattr(model, "max_length_override"):
        ways.append("give the model max_length_override=TOKENS if it can read more")
    return f"length {length} is beyond the window of {name}, {model.max_length} tokens; {', or '.join(ways)}"


def run(plan: Plan, done: Collection[SampleKey] = ()) -> Iterator[Record]:
    """Answer every sample that is not `done`, and yield its record as soon as it is there.

    Raises LengthError, ModelError and the like for what cannot go on; a single failed answer becomes a record.
    """
    for model_name in plan.models:
        for task_name in plan.tasks:
            for one in plan.by_seed():
                yield from answer(one, model_name, task_name, one.remaining(task_name, model_name, done))


def answer(plan: Plan, model_name: str, task_name: str, cells: Sequence[Cell]) -> Iterator[Record]:
    """Answer these cells of one task, model and seed (the sweep's), and yield each record as soon as it is there.

    Raises as `run` does.
    """
    task, model = plan.tasks[task_name], plan.models[model_name]
    samples = Feed(make(plan, model_name, task_name, cell) for cell in cells)
    in_process = getattr(model, "in_process", True)  # adapters of other packages may be older than the word
    take_peak()
    for sample, response, error, seconds in ask(asker_of(task, model, plan.answer), samples):
        peak = take_peak() if in_process else None
        record = unanswered(sample, model_name, error, seconds, samples.cut, peak)
        record = record if response is None else scored(record, task, sample, response)
        yield record.with_seed(plan.sweep.seed) if len(plan.seeds) > 1 else record


def make(plan: Plan, model_name: str, task_name: str, cell: Cell) -> tuple[Sample, bool]:
    """The sample of a cell as the model is asked it, and whether it was cut to the model's window."""
    model = plan.models[model_name]
    sample = plan.tasks[task_name].sample(cell, plan.sweep.seed, plan.tokenizer_of(model_name))
    return fit_window(sample, model, plan.over_length)


def failed(plan: Plan, model_name: str, task_name: str, cell: Cell, error: str) -> Record:
    """The record of a sample that could not be answered, and nothing was measured."""
    sample, cut = make(plan, model_name, task_name, cell)
    record = unanswered(sample, model_name, error, 0.0, [sample.id] if cut else [])
    return record.with_seed(plan.sweep.seed) if len(plan.seeds) > 1 else record


def probe(plan: Plan, model_name: str, task_name: str) -> list[tuple[int, float]]:
    """(tokens, seconds) of one real answer at the shortest and the longest length, loading left out."""
    task, model, sweep = plan.tasks[task_name], plan.models[model_name], plan.sweep_of(task_name, model_name)
    asker, cells = asker_of(task, model, plan.answer), plan.cells_of(task_name, model_name)
    timed: list[tuple[int, float]] = []
    for length in sorted({min(sweep.lengths), max(sweep.lengths)}) if sweep.lengths else ():
        these = [cell for cell in cells if cell.length == length]
        sample, _ = make(plan, model_name, task_name, these[0])
        if not timed:
            other, _ = make(plan, model_name, task_name, these[-1])  # shares least with the one that is timed
            list(asker([replace(other, max_new_tokens=1)]))  # loads the weights
        start = time.perf_counter()
        list(asker([sample]))
        timed.append((sample.length, time.perf_counter() - start))
    return timed


def fit_window(sample: Sample, model: Model, over_length: OverLength) -> tuple[Sample, bool]:
    """The sample, cut on the left to the model's window if need be, and whether it was cut.

    A cut sample keeps the needles that are still whole in it. Raises LengthError if it must not or cannot be cut.
    """
    room = model.max_length - sample.budget
    if sample.prompt_tokens <= room:
        return sample, False
    if over_length == "refuse":
        raise LengthError(
            f"{sample.id}: {sample.prompt_tokens} prompt tokens and {sample.budget} of answer do not fit the "
            f"window of {model.max_length}; --over-length mark cuts such prompts and marks their records"
        )
    specials = sum(model.tokenizer.specials) if sample.chat is None else 0
    prompt, keep = sample.prompt, room - specials
    while len(spans := model.tokenizer.encode(prompt).spans) > keep:
        # some tokenizers begin every text with a token of no characters: each cut must take at least one
        cut = next((start for start, _ in spans[len(spans) - keep :] if start), 0)
        if not cut:
            raise LengthError(f"{sample.id}: its answer alone fills the window of {model.max_length} tokens")
        prompt = prompt[cut:]
    lost = sample.prompt_tokens - specials - len(spans)
    needles = tuple(
        replace(needle, token_start=needle.token_start - lost, token_end=needle.token_end - lost)
        for needle in sample.needles
        if needle.text in prompt
    )
    return replace(sample, prompt=prompt, prompt_tokens=len(spans) + specials, needles=needles), True


def unanswered(
    sample: Sample, model: str, error: str | None, seconds: float, cut: Collection[str], peak_memory: int | None = None
) -> Record:
    """The record of a sample without an answer: `error` says why, None that it is still to come (see `scored`).

    `cut` holds the ids of samples whose prompt was cut.
    """
    few = len(sample.needles) <= NEEDLES_KEPT
    return Record(
        sample_id=sample.id,
        task=sample.task,
        model=model,
        axes=sample.axes,
        targets=list(sample.targets),
        output=None,
        score=None,
        prompt_tokens=sample.prompt_tokens,
        max_new_tokens=sample.max_new_tokens,
        seconds=round(seconds, 4),
        truncated=sample.id in cut,
        error=error,
        choices=list(sample.choices),
        needles=[quote(needle, sample.prompt) for needle in sample.needles if few or needle.asked],
        prompt_sha256=hashlib.sha256(sample.prompt.encode()).hexdigest(),
        peak_memory=peak_memory,
        draw=sample.draw,
        question=asked_question(sample),
    )


def scored(record: Record, task: Task, sample: Sample, response: Response) -> Record:
    """The record with an answer, or with log p of each token of a text that was read, and its score."""
    if isinstance(response, Answer):
        return replace(
            record,
            output=response.text,
            score=task.score(sample, response.text),
            finish=response.finish,
            thought=response.thought,
            output_tokens=response.output_tokens,
            unverified=response.unverified,
        )
    assert isinstance(task, ReadingTask)
    reading = task.read(sample, response)
    return replace(record, score=reading.score, axes={**record.axes, **reading.axes}, positions=reading.positions)


def quote(needle: Needle, prompt: str) -> QuotedNeedle:
    """A needle and the text around it, since records hold no prompts."""
    start = prompt.index(needle.text)
    end = start + len(needle.text)
    return QuotedNeedle(**vars(needle), before=prompt[max(0, start - AROUND) : start], after=prompt[end : end + AROUND])


def asked_question(sample: Sample) -> str:
    """What a sample asks, for people: its prompt's last paragraph, or else the last QUESTION characters of it.

    Of a chat the user's last message is looked at, not the template around it. "" where nothing is asked for.
    """
    if not sample.targets:
        return ""
    asked = [message["content"] for message in sample.chat or () if message.get("role") == "user"]
    text = (asked[-1] if asked else sample.prompt).strip()
    return text[-QUESTION:].rpartition("\n\n")[2].strip() or text[-QUESTION:]

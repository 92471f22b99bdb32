"""Answers that another pipeline gave to exported samples -> a run folder like any other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mta_eval import registry, runner
from mta_eval.core import Answer, PromptSettings, ReadingTask, Record, Run, Sample, Sweep, Task
from mta_eval.errors import MtaEvalError, SpecError, StoreError
from mta_eval.models.stop_strings import cut_at_stop
from mta_eval.models.thoughts import FORMATS, opened_by, split_thoughts
from mta_eval.results import store
from mta_eval.results.answer_lines import AnswerLine, line_error, read_answers, read_lines
from mta_eval.results.parts import cell_or_none, parts_of_samples
from mta_eval.results.sample_json import Exported, read_sample, rule_of
from mta_eval.version import VERSION

ANSWERED_BY, PROMPTS_OF = "answered by", "prompts of"


@dataclass(frozen=True)
class Imported:
    """All records of the run folder, and how many samples have no answer in the file that was read."""

    records: list[Record]
    missing: int


def import_run(samples: Path, answers: Path, name: str, out: Path) -> Imported:
    """Join answers to the samples that were exported, by id; score them, and keep them in the run folder `out`.

    `name` is what the model is called there. Nothing is written before everything is read and checked. A sample without
    an answer gets a record with an error. A folder that is there grows by what it has not; an answer that it holds
    already must be the same. Raises StoreError, SpecError.
    """
    if not name.strip() or not name.isprintable():
        raise SpecError("--name is what the model is called in the run: a text on one line, such as my-model")
    given = read_answers(answers)
    joined = [_join(line, given, name, answers) for line in _read_samples(samples)]
    if not joined:
        raise StoreError(f"{str(samples)!r} holds no samples; write them with mta-eval export")
    if not given:
        raise StoreError(f'{str(answers)!r} holds no answers; a line of it is {{"id": …, "output": …}}')
    if unknown := given.keys() - {record.sample_id for _, record in joined}:
        first = min((given[one] for one in unknown), key=lambda answer: answer.line)
        raise line_error(answers, first.line, f"there is no sample {first.id!r} in {str(samples)!r}")
    run = _question([exported for exported, _ in joined], name)
    with store.RunFolder(out, run) as folder:
        whole, held = store.read(out)
        there = {whole.key_of(record): record for record in held if record.error is None}
        if len(whole.seeds) > 1:
            joined = [(exported, record.with_seed(run.sweep.seed)) for exported, record in joined]
        for _, record in joined:
            before = there.get(whole.key_of(record), record)
            if record.error is None and before.output != record.output:
                raise StoreError(
                    f"{record.sample_id} of {name} has two answers, in {str(out)!r} and in {str(answers)!r} line "
                    f"{given[record.sample_id].line}; choose another --out or --name"
                )
        for _, record in joined:
            if whole.key_of(record) not in there:
                folder.append(record)
    return Imported(store.read(out)[1], sum(record.error is not None for _, record in joined))


@dataclass(frozen=True)
class _Line:
    """A sample with its task and the number of its line."""

    exported: Exported
    task: Task
    number: int


def _read_samples(path: Path) -> Iterator[_Line]:
    """The samples of an export. Raises StoreError with file and line for what is none."""
    seen: dict[str, int] = {}
    first: tuple[object, ...] | None = None
    for number, value in read_lines(path):
        try:
            exported = read_sample(value)
            sample = exported.sample
            task = _task(exported)
            if cell_or_none(sample.id) is None or not sample.id.startswith(f"{sample.task}/"):
                raise ValueError(f"{sample.id!r} is no id of a sample of {sample.task}")
            if lost := next((needle for needle in sample.needles if needle.text not in sample.prompt), None):
                raise ValueError(f"its prompt does not hold the needle {lost.text!r:.60}")
            if sample.id in seen:
                raise ValueError(f"{sample.id} is there twice, first on line {seen[sample.id]}; import each seed alone")
            about = exported.seed, exported.model, exported.tokenizer, sample.settings
            if first not in (None, about):
                raise ValueError("its seed, tokenizer or settings are not those of the first line; import them alone")
        except (ValueError, MtaEvalError) as error:
            raise line_error(path, number, error) from error
        first, seen[sample.id] = about, number
        yield _Line(exported, task, number)


def _task(exported: Exported) -> Task:
    """The task of a sample. Raises SpecError for one that reads or does not exist, ValueError if its rule changed."""
    task = registry.build_task(exported.sample.task)
    if isinstance(task, ReadingTask):
        raise SpecError(f"{exported.sample.task} reads texts and takes no answers; ask it with mta-eval run")
    if exported.rule != rule_of(task):
        raise ValueError(f"rule is {exported.rule!r}, but {exported.sample.task} scores by {rule_of(task)!r}")
    return task


def _join(line: _Line, answers: Mapping[str, AnswerLine], name: str, path: Path) -> tuple[Exported, Record]:
    """A sample (without its prompt, which may be long) and the record of its answer."""
    sample = line.exported.sample
    given = answers.get(sample.id)
    error = None if given else f"missing: no answer in {path.name}"
    record = replace(runner.unanswered(sample, name, error, 0.0, ()), seconds=math.nan)
    if given:
        if refusal := _refusal(sample, given):
            raise line_error(path, given.line, refusal)
        record = _scored(record, line.task, sample, given)
    return line.exported._replace(sample=replace(sample, prompt="", needles=(), chat=None)), record


def _refusal(sample: Sample, given: AnswerLine) -> str:
    """Why an answer cannot be one to this sample, "" if it can."""
    if sample.prompt and given.output.startswith(sample.prompt):
        return "the output begins with the prompt; give the new text alone"
    if given.prompt_tokens not in (None, sample.prompt_tokens):
        return (
            f"prompt_tokens is {given.prompt_tokens}, but the prompt has {sample.prompt_tokens}: it was cut, or read "
            "by another tokenizer; without prompt_tokens the answer is taken and marked unverified"
        )
    return ""


def _scored(record: Record, task: Task, sample: Sample, given: AnswerLine) -> Record:
    """The record with the answer as any model's: a chat's thoughts told apart, cut at the sample's stop strings."""
    thought, text, finish = given.thought, given.output, given.finish
    if sample.chat is not None and not thought:
        thought, text, unfinished = split_thoughts(text, FORMATS, opened_by(sample.prompt, FORMATS))
        finish = finish or ("length" if unfinished else None)
    cut = cut_at_stop(text, sample.stop)
    finish = "stop" if len(cut) < len(text) else finish
    unverified = given.prompt_tokens is None
    answer = Answer(cut, thought, finish or "stop", given.prompt_tokens, given.output_tokens, unverified)
    seconds = math.nan if given.seconds is None else given.seconds
    return replace(runner.scored(record, task, sample, answer), finish=finish, seconds=seconds)


def _question(exported: list[Exported], name: str) -> Run:
    first = exported[0]
    samples = [one.sample for one in exported]
    cells = [cell for sample in samples if (cell := cell_or_none(sample.id))]
    tasks = tuple(dict.fromkeys(sample.task for sample in samples))
    asked = (((sample.task, name, first.seed), cell) for sample, cell in zip(samples, cells, strict=True))
    settings: PromptSettings = first.sample.settings
    return Run(
        tasks=tasks,
        models=(name,),
        sweep=Sweep(
            tuple(dict.fromkeys(cell.length for cell in cells)),
            tuple(sorted({cell.depth for cell in cells}, key=lambda depth: -1.0 if depth is None else depth)),
            1 + max(cell.repeat for cell in cells),
            first.seed,
        ),
        answer="generate",
        over_length="refuse",
        version=VERSION,
        tokenizers={name: first.tokenizer},
        environment={"models": {name: {ANSWERED_BY: "another pipeline", PROMPTS_OF: first.model}}},
        prompt=settings,
        parts=parts_of_samples(asked, tasks, (name,)),
    )


def prompts_of(run: Run, model: str) -> str:
    """The spec of the model that makes the prompts of a run's model again: itself, or that of the export."""
    return run.settings.get(model, {}).get(PROMPTS_OF, model).partition(", ")[0]

"""`mta-eval show`: one sample, the sample behind a record, or the ids of a run's samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from mta_eval import registry
from mta_eval.arguments import parse_depth, parse_length
from mta_eval.commands import terminal
from mta_eval.commands.listing import Chosen, list_samples
from mta_eval.commands.options import (
    NO_OPTIONS_GIVEN,
    PromptOptions,
    Repeat,
    Seed,
    Tokenizer,
    takes_prompt_options,
)
from mta_eval.core import Cell, Record
from mta_eval.errors import SpecError


@takes_prompt_options
def show(
    what: Annotated[str, typer.Argument(help="Task spec, or run folder.")],
    sample_id: Annotated[
        str | None, typer.Argument(help="With a run folder: id of the sample; without one all ids are listed.")
    ] = None,
    model: Tokenizer = "",
    length: Annotated[str, typer.Option(help="Window size in tokens; default: 2k, or all of a run.")] = "",
    depth: Annotated[
        str, typer.Option(help="Needle depth from 0 (start) to 1 (end), or any; default: 0.5, or all of a run.")
    ] = "",
    repeat: Repeat = 0,
    seed: Seed = 0,
    task: Annotated[str, typer.Option(help="List only the samples of this task.")] = "",
    wrong: Annotated[bool, typer.Option("--wrong", help="List only samples whose answer is not right.")] = False,
    asking: PromptOptions = NO_OPTIONS_GIVEN,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, or one for each listed.")] = False,
) -> None:
    """Print one sample: prompt, targets, token counts, needle positions; or a record of a run and its prompt.

    With a run folder alone: list the ids of its samples with task, model, score, length, depth and kind of mistake; a
    table on a terminal, values with tabs between them in a pipe.
    """
    if sample_id is not None:
        return _show_record(Path(what), sample_id, model, seed, as_json)
    if _is_run(what):
        return list_samples(Path(what), Chosen(task, model, length, depth, wrong), as_json)
    if task or wrong:
        raise SpecError(f"{'--task' if task else '--wrong'} chooses samples of a run folder, and {what!r} is a task")
    if not model:
        raise SpecError("show needs --model, for its tokenizer: smollm2, tokenizer:PATH, …")
    built = registry.build_model(model)
    tasks, settings = asking.tasks_and_settings([what], {model: built})
    (maker,), tokenizer = tasks.values(), built.tokenizer.with_settings(settings)
    cell = Cell(parse_length(length or "2k"), parse_depth(depth or "0.5", "show"), repeat)
    sample = maker.sample(cell, seed, tokenizer)
    return terminal.print_sample(sample, as_json)


def _is_run(what: str) -> bool:
    """Whether a folder is meant, and not a task; ./niah is the folder where there is also a task of that name."""
    return registry.parse(what)[0] not in registry.names("tasks") and (Path(what).exists() or "/" in what)


def _show_record(folder: Path, sample_id: str, model: str, seed: int, as_json: bool) -> None:
    """Print a record with its prompt made again. Raises StoreError if that is not the prompt that was answered.

    `seed` chooses where the run has several.
    """
    from mta_eval.evaluation import make_again
    from mta_eval.results import store
    from mta_eval.results.importing import prompts_of

    question, records = store.read(folder)
    model = next((spec for spec, label in question.labels.items() if label == model), model)
    known: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in records:
        if model in ("", record.model):
            known[record.sample_id][question.seed_of(record)] = record
    if sample_id not in known:
        raise SpecError(f"{folder} has no sample {sample_id!r}{_hint(folder, sample_id, known)}")
    by_seed = known[sample_id]
    if len(question.seeds) > 1 and seed not in by_seed:
        seeds = ", ".join(map(str, sorted(by_seed)))
        raise SpecError(f"{folder} has {sample_id!r} of seed {seeds}; name one with --seed")
    record = by_seed[seed if len(question.seeds) > 1 else question.sweep.seed]
    task, reader = registry.build_task(record.task), registry.build_model(prompts_of(question, record.model))
    sample = make_again(record, task, reader, question)
    terminal.print_sample(sample, as_json, record)


def _hint(folder: Path, sample_id: str, known: Collection[str]) -> str:
    """The nearest id that there is, and where all are listed."""
    near = registry.did_you_mean(sample_id, known) if known else "; it holds no answers yet"
    return f"{near}{'' if near.endswith('?') else ';'} mta-eval show {folder} lists all" if known else near

"""The command line: arguments and printing, nothing else. Each command imports the heavy rooms that it needs."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mta_eval import __version__, registry, terminal
from mta_eval.arguments import parse_depths, parse_length, parse_lengths
from mta_eval.core import Cell, Run, Sweep
from mta_eval.errors import MtaEvalError, SpecError, StoreError

if TYPE_CHECKING:
    from mta_eval.runner import Plan

app = typer.Typer(
    name="mta-eval",
    help="Where in a long context does a model find things, and where does it fail?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ModelSpecs = Annotated[
    list[str], typer.Option("--model", help="Model spec, such as smollm2 or hf:PATH_OR_ID; repeatable.")
]
ModelSpec = Annotated[str, typer.Option("--model", help="Model spec; tokenizer:PATH is enough here.")]
Lengths = Annotated[str, typer.Option(help="Whole windows in tokens: 512,1k,128k; 0 is the task alone.")]
Depths = Annotated[str, typer.Option(help="Where the needle stands: 0,0.5,1, or any.")]
Seed = Annotated[int, typer.Option(help="All samples hang on it.")]


class Kind(StrEnum):
    """What `list` lists."""

    tasks = "tasks"
    models = "models"


class AnswerMode(StrEnum):
    """How a model answers."""

    generate = "generate"
    choose = "choose"


class OverLengthMode(StrEnum):
    """What becomes of prompts beyond the model's window."""

    refuse = "refuse"
    mark = "mark"


@app.command("list")
def list_names(kind: Annotated[Kind | None, typer.Argument(help="tasks or models; both without it.")] = None) -> None:
    """List every task and model with its options, defaults and one line."""
    for group in ("tasks", "models"):
        if kind is None or kind == group:
            typer.echo(f"{group.upper()}")
            for name in registry.names(group):
                terminal.print_options(name, registry.find(group, name))


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A task spec, or a run folder.")],
    sample_id: Annotated[str | None, typer.Argument(help="With a run folder: the sample to make again.")] = None,
    model: ModelSpec = "",
    length: Annotated[str, typer.Option(help="Whole window in tokens.")] = "2k",
    depth: Annotated[str, typer.Option(help="Where the needle stands, 0 to 1, or any.")] = "0.5",
    repeat: Annotated[int, typer.Option(help="Which of the repeats.", min=0)] = 0,
    seed: Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show one sample: prompt, targets, token counts, needle positions; or a record of a run, its prompt made again."""
    if sample_id is not None:
        return _show_record(Path(what), sample_id, model, as_json)
    if not model:
        raise SpecError("show needs --model, for its tokenizer: smollm2, tokenizer:PATH, …")
    depths = parse_depths(depth)
    if len(depths) > 1:
        raise SpecError("show makes one sample; give one --depth")
    task, tokenizer = registry.build_task(what), registry.build_model(model).tokenizer
    sample = task.sample(Cell(parse_length(length), depths[0], repeat), seed, tokenizer)
    return terminal.print_sample(sample, as_json)


@app.command()
def export(
    task: Annotated[str, typer.Argument(help="Task spec.")],
    model: ModelSpec,
    out: Annotated[Path, typer.Option(help="The JSONL file to write.")],
    lengths: Lengths = "",
    depths: Depths = "0,0.25,0.5,0.75,1",
    repeats: Annotated[int, typer.Option(help="Samples per length and depth.", min=1)] = 1,
    seed: Seed = 0,
) -> None:
    """Write samples for other pipelines, one JSON object a line; no weights are loaded, only the tokenizer."""
    made = registry.build_task(task)
    tokenizer = registry.build_model(model).tokenizer
    sweep = Sweep(parse_lengths(lengths) or made.default_lengths, parse_depths(depths), repeats, seed)
    unfinished = out.with_name(out.name + ".part")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            for cell in sweep.cells():
                sample = made.sample(cell, seed, tokenizer)
                file.write(json.dumps(dataclasses.asdict(sample), ensure_ascii=False) + "\n")
        unfinished.replace(out)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{len(sweep)} samples in {out}")


@app.command()
def run(
    tasks: Annotated[list[str], typer.Argument(help="Task specs, such as niah:needles=4.")],
    model: ModelSpecs,
    out: Annotated[Path | None, typer.Option(help="The run folder; the same command goes on with it.")] = None,
    lengths: Lengths = "",
    depths: Depths = "0,0.25,0.5,0.75,1",
    repeats: Annotated[int, typer.Option(help="Samples per length and depth.", min=1)] = 5,
    seed: Seed = 0,
    answer: Annotated[AnswerMode, typer.Option(help="Generate, or choose the likeliest choice.")] = AnswerMode.generate,
    over_length: Annotated[
        OverLengthMode, typer.Option(help="Refuse prompts beyond a model's window, or cut and mark them.")
    ] = OverLengthMode.refuse,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and how long it takes.")
    ] = False,
) -> None:
    """Run tasks on models, and keep every answer. Stopped or killed, the same command goes on where it was."""
    from mta_eval import runner

    plan = runner.Plan(
        tasks=_named(tasks, registry.build_task),
        models=_named(model, registry.build_model),
        sweep=Sweep(parse_lengths(lengths), parse_depths(depths), repeats, seed),
        answer=answer.value,
        over_length=over_length.value,
    )
    if out is None and not dry_run:
        raise SpecError("run needs --out, the folder to keep the answers in: --out runs/NAME")
    _quiet_libraries()
    runner.check(plan)
    if dry_run or out is None:
        return terminal.print_plan(plan)
    return _run(plan, out)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    x: Annotated[str, typer.Option(help="Axis across.")] = "length",
    y: Annotated[str, typer.Option(help="Axis down.")] = "depth",
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/report without it.")] = None,
) -> None:
    """Draw heatmaps and write tables and a page of one or more runs."""
    from mta_eval.results import report as reporting
    from mta_eval.results import store

    questions, records = store.read_several(runs)
    for path in reporting.write_report(records, out or runs[0] / "report", x=x, y=y, runs=questions):
        typer.echo(path)


@app.callback(invoke_without_command=True)
def version(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Where in a long context does a model find things, and where does it fail?"""
    if show_version:
        typer.echo(f"mta-eval {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr and exit code 2."""
    usage_error: Any = typer.BadParameter.__base__  # click's UsageError, wherever typer keeps its click
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except MtaEvalError as error:
        print(f"mta-eval: {error}", file=sys.stderr)
    except usage_error as error:
        where = error.ctx.command_path if error.ctx else "mta-eval"
        print(f"{where}: {error.format_message()} (see {where} --help)", file=sys.stderr)
    except (KeyboardInterrupt, typer.Abort):
        print("mta-eval: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(2)


def _run(plan: Plan, out: Path) -> None:
    from mta_eval import runner
    from mta_eval.results.store import RunFolder, read

    question = Run(
        tasks=tuple(plan.tasks),
        models=tuple(plan.models),
        sweep=plan.sweep,
        answer=plan.answer,
        over_length=plan.over_length,
        version=__version__,
        tokenizers={name: model.tokenizer.fingerprint for name, model in plan.models.items()},
        environment=_environment(plan),
    )
    with RunFolder(out, question) as folder, terminal.progress(plan, len(folder.done)) as advance:
        for record in runner.run(plan, folder.done):
            folder.append(record)
            advance(record)
    records = read(out)[1]
    terminal.print_summary(records, out)
    if any(record.error for record in records):
        raise typer.Exit(1)


def _environment(plan: Plan) -> dict[str, Any]:
    """What else shaped the answers: versions, and the dtype and device of each model."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    versions = {}
    for package in ("torch", "transformers", "tokenizers", "datasets"):
        try:
            versions[package] = version_of(package)
        except PackageNotFoundError:
            continue
    return {"models": {name: model.describe() for name, model in plan.models.items()}, "versions": versions}


def _named(specs: list[str], build: Any) -> dict[str, Any]:
    built = [build(spec) for spec in specs]
    return {registry.spec_of(thing): thing for thing in built}


def _show_record(folder: Path, sample_id: str, model: str, as_json: bool) -> None:
    import hashlib

    from mta_eval.results import store

    question, records = store.read(folder)
    known = {record.sample_id: record for record in records if model in ("", record.model)}
    if sample_id not in known:
        raise SpecError(f"{folder} has no sample {sample_id!r}{registry.did_you_mean(sample_id, list(known)[:500])}")
    record = known[sample_id]
    task, length, depth, repeat = sample_id.rsplit("/", 3)
    cell = Cell(int(length), None if depth == "any" else float(depth), int(repeat))
    tokenizer = registry.build_model(record.model).tokenizer
    sample = registry.build_task(task).sample(cell, question.sweep.seed, tokenizer)
    same = hashlib.sha256(sample.prompt.encode()).hexdigest() == record.prompt_sha256
    if not same and not record.truncated:
        raise StoreError(
            f"{sample_id}: the prompt made now is not the one that was answered; has its text file changed?"
        )
    terminal.print_sample(sample, as_json, record)


def _quiet_libraries() -> None:
    """Keep the bars and notes of the libraries off the terminal; they read this when they are first imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")

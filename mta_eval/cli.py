"""The command line: arguments and printing, nothing else. Each command imports the heavy rooms that it needs."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mta_eval import (
    __version__,
    cli_checkpoints,
    cli_lm_eval,
    cli_rescoring,
    cli_results,
    cli_suites,
    cli_training,
    registry,
)
from mta_eval.commands import asking, terminal
from mta_eval.commands.arguments import parse_depths, parse_length, parse_lengths
from mta_eval.core import Cell, Plan, Sweep
from mta_eval.distributed.cluster import Cluster
from mta_eval.errors import MtaEvalError, SpecError

app = typer.Typer(
    name="mta-eval",
    help="Where in a long context does a model find things, and where does it fail?",
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


class Executor(StrEnum):
    """Where a run is answered."""

    local = "local"
    ray = "ray"


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
        return asking.show_record(Path(what), sample_id, model, as_json)
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
    count = asking.write_samples(made, sweep, tokenizer, out)
    typer.echo(f"{count} samples in {out}")


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
    executor: Annotated[
        Executor, typer.Option(help="This process, or replicas of the models on a Ray cluster.")
    ] = Executor.local,
    address: Annotated[str, typer.Option(help="The Ray cluster: auto or HOST:PORT; without it, one here.")] = "",
    replicas: Annotated[
        int | None, typer.Option(help="Replicas at a time; without it, one for each GPU, or else each node.", min=1)
    ] = None,
    gpus_per_replica: Annotated[
        float | None, typer.Option(help="GPUs of each: 0, 0.5, 2; without it, 1 if there are any.")
    ] = None,
) -> None:
    """Run tasks on models, and keep every answer. Stopped or killed, the same command goes on where it was."""
    from mta_eval import runner

    plan = Plan(
        tasks=asking.build_all(tasks, registry.build_task),
        models=asking.build_all(model, registry.build_model),
        sweep=Sweep(parse_lengths(lengths), parse_depths(depths), repeats, seed),
        answer=answer.value,
        over_length=over_length.value,
    )
    if out is None and not dry_run:
        raise SpecError("run needs --out, the folder to keep the answers in: --out runs/NAME")
    cluster = _cluster(executor, address, replicas, gpus_per_replica)
    runner.check(plan)
    if dry_run or out is None:
        return terminal.print_plan(plan)
    return asking.run(plan, out, cluster)


def _cluster(executor: Executor, address: str, replicas: int | None, gpus: float | None) -> Cluster | None:
    """What `run` was told of a Ray cluster. Raises SpecError where it is told of one that it would not use."""
    given = {"--address": address or None, "--replicas": replicas, "--gpus-per-replica": gpus}
    if executor == Executor.ray:
        return Cluster(address, replicas, gpus)
    if unused := [name for name, value in given.items() if value is not None]:
        raise SpecError(f"{unused[0]} is for a Ray cluster; add --executor ray")
    return None


app.add_typer(cli_results.app)
app.add_typer(cli_rescoring.app)
app.add_typer(cli_checkpoints.app)
app.add_typer(cli_training.app)
app.add_typer(cli_suites.app)
app.add_typer(cli_lm_eval.app)


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Where in a long context does a model find things, and where does it fail?"""
    if show_version:
        typer.echo(f"mta-eval {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr and exit code 2."""
    usage_error: Any = typer.BadParameter.__base__  # click's UsageError, wherever typer keeps its click
    _quiet_libraries()
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
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


def _quiet_libraries() -> None:
    """Keep the bars and notes of the libraries off the terminal; they read this when they are first imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # the warnings of its C++, which Python cannot silence

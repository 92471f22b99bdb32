"""`mta-eval run`: tasks x models x a sweep, every answer kept."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mta_eval import registry
from mta_eval.arguments import parse_depths, parse_lengths, parse_seeds
from mta_eval.commands import terminal
from mta_eval.commands.options import (
    NO_OPTIONS_GIVEN,
    Depths,
    Lengths,
    ModelSpecs,
    PromptOptions,
    Repeats,
    Seed,
    Seeds,
    takes_prompt_options,
)
from mta_eval.core import Plan, Sweep
from mta_eval.errors import SpecError

if TYPE_CHECKING:
    from mta_eval.distributed.cluster import Cluster
    from mta_eval.results.given_labels import ByKind

NAMED = ("labels", "task_labels")  # of models and of tasks, as a run keeps them


class AnswerChoice(StrEnum):
    """How a model answers."""

    generate = "generate"
    choose = "choose"


class Executor(StrEnum):
    """Where a run is executed."""

    local = "local"
    ray = "ray"


class OverLengthChoice(StrEnum):
    """What becomes of prompts beyond the model's window."""

    refuse = "refuse"
    mark = "mark"


@takes_prompt_options
def run(
    context: typer.Context,
    tasks: Annotated[
        list[str], typer.Argument(help="Task specs, such as niah:needles=4, or a STUDY.toml with any of these options.")
    ],
    model: ModelSpecs,
    out: Annotated[Path | None, typer.Option(help="Run folder; the same command continues it.")] = None,
    lengths: Lengths = "",
    depths: Depths = "0,0.25,0.5,0.75,1",
    repeats: Repeats = 5,
    seed: Seed = 0,
    seeds: Seeds = "",
    answer: Annotated[
        AnswerChoice, typer.Option(help="Generate the answer, or choose the likeliest of the choices.")
    ] = AnswerChoice.generate,
    over_length: Annotated[
        OverLengthChoice,
        typer.Option(help="Prompts beyond a model's window: refuse them, or cut them and mark their records."),
    ] = OverLengthChoice.refuse,
    asking: PromptOptions = NO_OPTIONS_GIVEN,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--name", "--label", help="Name of a model or task in tables and pictures, SPEC=NAME; repeatable."
        ),
    ] = None,
    x: Annotated[str, typer.Option("--x", help="Column axis of this run's reports.")] = "",
    y: Annotated[str, typer.Option("--y", help="Row axis of this run's reports.")] = "",
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also ask chance, bag and copier the samples of each model.")
    ] = False,
    write_study: Annotated[
        Path | None, typer.Option("--write-study", help="Write this command as a STUDY.toml, and do nothing else.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print samples, tokens and estimated time; answer nothing.")
    ] = False,
    executor: Annotated[
        Executor, typer.Option(help="This process, or replicas of the models on a Ray cluster.")
    ] = Executor.local,
    address: Annotated[str, typer.Option(help="Ray cluster, auto or HOST:PORT; default: start a local one.")] = "",
    replicas: Annotated[
        int | None, typer.Option(help="Model replicas at a time; default: one per GPU, else one per node.", min=1)
    ] = None,
    gpus_per_replica: Annotated[
        float | None, typer.Option(help="GPUs per replica: 0, 0.5, 2; default: 1 if there are any.")
    ] = None,
) -> None:
    """Run tasks on models and keep every answer. Stopped or killed, the same command continues where it was.

    A run folder grows: more repeats, depths, lengths, tasks, models or seeds ask only what it does not hold yet.
    """
    from mta_eval import runner
    from mta_eval.evaluation import answer_all
    from mta_eval.models.baselines import baselines_of
    from mta_eval.results.given_labels import read_labels
    from mta_eval.results.labels import make_labels
    from mta_eval.results.store import read_run

    several = parse_seeds(seeds, seed)
    models = registry.build_all(model, registry.build_model)
    if baselines:
        models |= registry.build_all(baselines_of(models), registry.build_model)
    built, settings = asking.tasks_and_settings(tasks, models)
    names = read_labels(label or (), list(models), list(built), build_task=asking.task_namer(models))
    if write_study is not None:
        return _write_study(context, names, asking.task_namer(models), write_study)
    plan = Plan(
        tasks=built,
        models=models,
        sweep=Sweep(parse_lengths(lengths), parse_depths(depths), repeats, several[0] if several else seed),
        answer=answer.value,
        over_length=over_length.value,
        settings=settings,
        seeds=several,
        presentation={name: value for name, value in (*zip(NAMED, names, strict=True), ("x", x), ("y", y)) if value},
    )
    if out is None and not dry_run:
        raise SpecError("run needs --out, the folder to keep the answers in: --out runs/NAME")
    cluster = _cluster(executor, address, replicas, gpus_per_replica)
    runner.check(plan)
    if dry_run or out is None:
        return terminal.print_plan(plan)
    records = answer_all(plan, out, cluster)
    terminal.print_summary(make_labels(records, [(out.name, read_run(out))]).shown(records), out)
    if any(record.error for record in records):
        raise SystemExit(1)
    return None


def _write_study(context: typer.Context, labels: ByKind, task_spec: Callable[[str], str], path: Path) -> None:
    """Write what was given on the command line as a study."""
    from mta_eval.results.text_files import write_lines
    from mta_eval.study import study_text

    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {
        name: value
        for name, value in context.params.items()
        if (source := sources[name]) and source.name == "COMMANDLINE" and name not in ("write_study", "dry_run")
    }
    write_lines([study_text(given, *labels, task_spec).rstrip()], path)
    terminal.print_line(f"{path}: run it with mta-eval run {path}")


def _cluster(executor: Executor, address: str, replicas: int | None, gpus: float | None) -> Cluster | None:
    """The Ray cluster that the options name. Raises SpecError for options of a cluster without one."""
    if executor == Executor.ray:
        from mta_eval.distributed.cluster import Cluster

        return Cluster(address, replicas, gpus)
    given = {"--address": address or None, "--replicas": replicas, "--gpus-per-replica": gpus}
    if unused := [name for name, value in given.items() if value is not None]:
        raise SpecError(f"{unused[0]} is for a Ray cluster; add --executor ray")
    return None

"""The commands that read runs. Arguments and printing only; each imports the heavy rooms that it needs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import reading, watching
from mta_eval.papers import reproduction

app = typer.Typer()

Runs = Annotated[list[Path], typer.Argument(help="Run folders, or samples_*.jsonl of lm-eval.")]
Across = Annotated[str, typer.Option("--x", help="Axis across.")]
Down = Annotated[str, typer.Option("--y", help="Axis down.")]
Every = Annotated[float, typer.Option(help="Seconds between two looks at a run that goes on.", min=0.1)]


class Form(StrEnum):
    """How a table is written."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"
    parquet = "parquet"


class Paper(StrEnum):
    """Whose tables are set beside measured ones."""

    mta = "mta"
    longheads = "longheads"


@app.command()
def report(
    runs: Runs,
    x: Across = "length",
    y: Down = "depth",
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/report without it.")] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also draw where models of the attention family look, on one sample.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Draw again while the runs go on; the page reloads.")] = False,
    every: Every = 20.0,
) -> None:
    """Draw heatmaps and write tables and a page of one or more runs."""
    home = runs[0].parent if runs[0].is_file() else runs[0]  # a file: the samples of lm-eval
    reading.report(runs, x, y, out or home / "report", attention, every if watch else None)


@app.command()
def paper(
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    which: Annotated[
        Paper | None, typer.Argument(help="mta or longheads; without it both, in a folder of each.")
    ] = None,
    runs: Annotated[
        list[Path] | None, typer.Option(help="Run folder; repeatable. Without it the shipped checkpoints are asked.")
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Without --runs: rows of letter blocks for each checkpoint.", min=1)
    ] = reproduction.SAMPLES,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also draw where models of the attention family look, on one sample.")
    ] = False,
) -> None:
    """Draw a paper's tables and figures again: what it reports beside what runs measured."""
    if not runs and which is not Paper.longheads:
        typer.echo(f"no --runs: asking the shipped checkpoints, {samples} rows of letter blocks each", err=True)
    names = [which.value] if which else [one.value for one in Paper]
    for path in reproduction.draw_papers(names, runs or [], out, samples, attention):
        typer.echo(path)
    if not runs and which is not Paper.mta:
        typer.echo("LongHeads: nothing measured, no checkpoint of it is shipped; paper.md has the commands", err=True)


@app.command()
def compare(
    first_run: Annotated[Path, typer.Argument(help="A run folder.")],
    second_run: Annotated[Path | None, typer.Argument(help="Another; without it, two models of the first.")] = None,
    first: Annotated[str, typer.Option(help="The first model, where its run has several.")] = "",
    second: Annotated[str, typer.Option(help="The second model, where its run has several.")] = "",
    x: Across = "length",
    y: Down = "depth",
    out: Annotated[Path | None, typer.Option(help="Also write a page, a table and pictures there.")] = None,
) -> None:
    """Say how two models differ on the same samples: by how much, and how sure that is."""
    runs = [first_run] if second_run is None else [first_run, second_run]
    reading.compare(runs, (first, second), x, y, out)


@app.command()
def table(
    runs: Runs,
    x: Across = "length",
    y: Down = "depth",
    form: Annotated[Form | None, typer.Option(help="markdown without it, or what the end of --out says.")] = None,
    mistakes: Annotated[bool, typer.Option("--mistakes", help="The wrong answers by kind instead of scores.")] = False,
    out: Annotated[Path | None, typer.Option(help="The file to write; printed without it.")] = None,
) -> None:
    """Print or write scores over any two axes, or the wrong answers by kind: Markdown, CSV, LaTeX, Parquet."""
    reading.tabulate(runs, x, y, form.value if form else None, mistakes, out)


@app.command()
def watch(
    runs: Runs,
    x: Across = "length",
    y: Down = "depth",
    every: Every = 2.0,
) -> None:
    """Redraw the table of scores while runs go on."""
    watching.watch(runs, x, y, every)

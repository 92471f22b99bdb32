"""The commands that read runs. Arguments and printing only; each imports the heavy rooms that it needs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval import commands

app = typer.Typer()


class Paper(StrEnum):
    """Whose tables are set beside measured ones."""

    mta = "mta"
    longheads = "longheads"


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    x: Annotated[str, typer.Option(help="Axis across.")] = "length",
    y: Annotated[str, typer.Option(help="Axis down.")] = "depth",
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/report without it.")] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also draw where models of the attention family look, on one sample.")
    ] = False,
) -> None:
    """Draw heatmaps and write tables and a page of one or more runs."""
    from mta_eval.results import report as reporting
    from mta_eval.results import store

    questions, records, lacking = store.read_several(runs)
    for folder, missing in lacking.items():
        typer.echo(f"mta-eval: {folder} is not finished: {missing} samples are missing; its command goes on", err=True)
    look = commands.looker([run for _, run in questions], records) if attention else None
    for path in reporting.write_report(records, out or runs[0] / "report", x=x, y=y, runs=questions, look=look):
        typer.echo(path)


@app.command()
def paper(
    which: Annotated[Paper, typer.Argument(help="mta: Table 1, from letter_blocks; longheads: the passkey figure.")],
    runs: Annotated[list[Path], typer.Option(help="Run folder; repeatable.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
) -> None:
    """Set what runs measured beside what a paper reports."""
    from mta_eval.results import paper as papers
    from mta_eval.results import store

    questions, records, _ = store.read_several(runs)
    for path in papers.PAPERS[which.value](records, questions, out):
        typer.echo(path)

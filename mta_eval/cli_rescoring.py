"""The command that marks stored answers again. Arguments and printing only; it imports the heavy rooms itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
MOST_LINES = 80  # of the tables, on the terminal


@app.command()
def rescore(
    files: Annotated[list[Path], typer.Argument(help="Files of answers, run folders, or folders to search.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    rule: Annotated[
        list[str] | None,
        typer.Option(help="Rule, such as ruler_all or keyword:WORD,WORD; repeatable. Without: the published ones."),
    ] = None,
    task: Annotated[str, typer.Option(help="Only this task; also names it where a file does not.")] = "",
) -> None:
    """Mark stored answers again, by other published rules.

    Reads our run folders, lm-eval samples_*.jsonl, BABILong's evaluation CSVs, InfiniteBench and RULER predictions,
    needlehaystack results.
    """
    from mta_eval.rescoring import scoring as marking
    from mta_eval.rescoring import sources, tables, writing

    found, passed = sources.find_sources(files)
    marks = marking.mark(found, rule or [], task)
    marks.passed[:0] = passed
    paths = writing.write(marks, out)
    lines = "\n".join(tables.sections(marks)).splitlines()
    for line in lines[:MOST_LINES]:
        typer.echo(line)
    if len(lines) > MOST_LINES:
        typer.echo(f"… {len(lines) - MOST_LINES} more lines in {paths[0]}")
    if marks.passed:
        typer.echo(
            f"mta-eval: {len(marks.passed)} files are no answers that a rule here marks; see {paths[0]}", err=True
        )
    typer.echo()
    for path in paths:
        typer.echo(path)

"""`mta-eval rescore`: stored answers scored again by published rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal

MOST_LINES = 80  # of the tables, on the terminal


def rescore(
    files: Annotated[list[Path], typer.Argument(help="Files of answers, run folders, or folders to search.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    rule: Annotated[
        list[str] | None,
        typer.Option(help="Rule, such as ruler_all or keyword:WORD,WORD; repeatable. Without: the published ones."),
    ] = None,
    task: Annotated[str, typer.Option(help="Only this task; also names the task of files that do not.")] = "",
) -> None:
    """Score stored answers again, by other published rules.

    Reads our run folders, lm-eval samples_*.jsonl, BABILong's evaluation CSVs, InfiniteBench and RULER predictions,
    needlehaystack results.
    """
    from mta_eval.rescoring import scoring as rescoring
    from mta_eval.rescoring import sources, tables, writing

    found, passed = sources.find_sources(files)
    rescored = rescoring.rescore_files(found, rule or [], task)
    rescored.passed[:0] = passed
    paths = writing.write_rescored(rescored, out)
    lines = "\n".join(tables.sections(rescored)).splitlines()
    for line in lines[:MOST_LINES]:
        terminal.print_line(line)
    if len(lines) > MOST_LINES:
        terminal.print_line(f"… {len(lines) - MOST_LINES} more lines in {paths[0]}")
    if rescored.passed:
        terminal.note(f"mta-eval: {len(rescored.passed)} files are no answers that a rule here scores; see {paths[0]}")
    terminal.print_line("")
    for path in paths:
        terminal.print_line(path)

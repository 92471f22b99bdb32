"""`mta-eval rescore`: stored answers scored again by published rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal

MOST_LINES = 80  # of the tables, on the terminal
MOST_BOARDS, MOST_RANKED = 2, 20  # leaderboards, and models of each, on the terminal
MOST_NAMED = 5  # files that were left out, on the terminal


def rescore(
    files: Annotated[list[Path], typer.Argument(help="Files of answers, run folders, or folders to search.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="Rule, such as ruler_all, keyword:WORD,WORD or 'stored>=7' (a judge's score); repeatable. "
            "Without: the published ones."
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="Only this task; also names the task of files that do not.")] = "",
    models: Annotated[str, typer.Option(help="Only these models: A,B, as the tables name them.")] = "",
    top: Annotated[
        int | None, typer.Option(help="Show the first so many models of each leaderboard; rescore.csv has all.", min=1)
    ] = None,
) -> None:
    """Score stored answers again, by other published rules.

    Reads our run folders, lm-eval samples_*.jsonl, BABILong's evaluation CSVs, predictions of InfiniteBench, LongBench
    and RULER, results of NoLiMa and HELMET, needlehaystack results and grids of scores.
    """
    from mta_eval.rescoring import leaderboard, sources, tables, writing
    from mta_eval.rescoring import scoring as rescoring

    found, skipped = sources.find_sources(files)
    rescored = rescoring.rescore_files(found, rule or [], task)
    rescored.skipped += skipped
    if names := [name.strip() for name in models.split(",") if name.strip()]:
        rescored = leaderboard.chosen_models(rescored, names)
    paths = writing.write_rescored(rescored, out, top)
    for board in leaderboard.leaderboards(rescored)[:MOST_BOARDS]:
        for line in f"## {board.title}\n\n{leaderboard.leaderboard_markdown(board, top or MOST_RANKED)}".splitlines():
            terminal.print_line(line)
    is_short = not writing.has_many_models(rescored)
    lines = "\n".join(tables.sections(rescored)).splitlines() if is_short else []
    for line in lines[:MOST_LINES]:
        terminal.print_line(line)
    if len(lines) > MOST_LINES:
        terminal.print_line(f"… {len(lines) - MOST_LINES} more lines in {paths[0]}")
    _say_left_out(rescored.skipped, "hold no answers", paths[0])
    _say_left_out([*rescored.passed], "no rule here scores", paths[0])
    terminal.print_line("")
    for path in paths:
        terminal.print_line(path)


def _say_left_out(files: Sequence[Path], why: str, page: Path) -> None:
    """One line that names the first files that were left out, if any were."""
    if files:
        named = ", ".join(map(str, files[:MOST_NAMED]))
        more = f" and {len(files) - MOST_NAMED} more, see {page}" if len(files) > MOST_NAMED else ""
        terminal.note(f"mta-eval: {len(files)} skipped ({why}): {named}{more}")

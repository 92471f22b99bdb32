"""`mta-eval paper`: a paper's tables and figures, reported beside measured."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import MOST_REPEATS, WithAttention

SHIPPED_SAMPLES = 100  # for each checkpoint; half a minute on two cores


class Paper(StrEnum):
    """The papers."""

    mta = "mta"
    longheads = "longheads"


def paper(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    which: Annotated[Paper | None, typer.Argument(help="Paper; default: all, a folder for each.")] = None,
    runs: Annotated[
        list[Path] | None, typer.Option(help="Run folder; repeatable. Default: ask the shipped checkpoints.")
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Without --runs: letter-block samples per shipped checkpoint.", min=1, max=MOST_REPEATS)
    ] = SHIPPED_SAMPLES,
    attention: WithAttention = False,
) -> None:
    """Draw a paper's tables and figures: what it reports beside what runs measured."""
    from mta_eval.papers import reproduction

    if not runs and which is not Paper.longheads:
        terminal.note(f"no --runs: asking the shipped checkpoints, {samples} rows of letter blocks each")
        shipped, records = reproduction.run_shipped(out, samples)
        terminal.print_summary(records, shipped)
        if any(record.error for record in records):
            raise SystemExit(1)
    names = [which.value] if which else [name.value for name in Paper]
    for path in reproduction.draw_papers(names, runs or [], out, samples, attention):
        terminal.print_line(path)
    if not runs and which is not Paper.mta:
        terminal.note("LongHeads: nothing measured, no checkpoint of it is shipped; paper.md has the commands")

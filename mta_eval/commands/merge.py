"""`mta-eval merge`: one run folder from several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import NewFolder


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, two or more.")],
    out: NewFolder,
) -> None:
    """Make one run folder of several: of other machines, seeds, models or lengths.

    The new folder is a run like any other, and run goes on with it. Runs that were asked otherwise, or that answer the
    same sample otherwise, are refused.
    """
    from mta_eval.results.merging import merge_runs

    merged = merge_runs(runs, out)
    terminal.print_summary(merged.records, out)
    lacking = merged.run.samples - sum(record.error is None for record in merged.records)
    told = [f"{len(merged.records)} answers in {out}", f"{merged.doubles} were in several runs" * (merged.doubles > 0)]
    if lacking > 0:
        told.append(f"{lacking} samples are missing")
    terminal.print_lines(["; ".join(filter(None, told))])

"""`mta-eval watch`: the table of scores on a terminal, redrawn until nobody writes any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Columns, Rows, Runs
from mta_eval.core import Record
from mta_eval.printable import one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

Interval = Annotated[float, typer.Option("--every", help="Seconds between two updates.", min=0.1, max=86_400)]


def watch(runs: Runs, x: Columns = "length", y: Rows = "depth", every: Interval = 2.0) -> None:
    """Redraw the table of scores while runs are being written."""
    from rich.console import Group
    from rich.live import Live

    from mta_eval.results import several
    from mta_eval.results.labels import make_labels

    console = terminal.wide_console()
    with Live(console=console, auto_refresh=False) as live:

        def draw(_being_written: bool) -> None:
            questions, records, missing = several.read_several(runs)
            records = make_labels(records, questions).shown(records)
            shown = scores_table(records, missing, x, y)
            # a log gets the last one alone, which rich would end in the middle of a line
            live.update(shown if console.is_terminal else Group(shown, ""), refresh=True)

        repeat_while_written(runs, every, draw)


def repeat_while_written(runs: Sequence[Path], every: float, draw: Callable[[bool], None]) -> None:
    """Call `draw` now, every so many seconds while a run is being written, and once after that; with whether one is."""
    from mta_eval.results import store

    while True:
        being_written = any(store.in_use(folder) for folder in runs)
        draw(being_written)
        if not being_written:
            return
        time.sleep(every)


def scores_table(records: Sequence[Record], missing: dict[str, int], x: str, y: str) -> RenderableType:
    """A table for each task and model, and how many samples are still missing."""
    from rich.console import Group
    from rich.text import Text

    from mta_eval.results.exports import pivots
    from mta_eval.results.finishes import finish_lines
    from mta_eval.results.perplexity_table import perplexity_rows
    from mta_eval.results.table import grid_texts, model_text

    shown: list[RenderableType] = []
    for task, grids in (pivots(records, x, y) if records else {}).items():
        for grid in grids:
            title = Text(one_line(f"{task} · {model_text(grid.title)}"), style="bold")
            shown += [title, terminal.table_of(*grid_texts(grid), left=1), Text("")]
    if table := perplexity_rows(records):
        shown += [Text("perplexity", style="bold"), terminal.table_of(*table, left=3), Text("")]
    gaps = [f"{folder}: {count} sample{'s are' if count > 1 else ' is'} missing" for folder, count in missing.items()]
    return Group(*shown, Text(printable("\n".join([f"{len(records)} answers", *finish_lines(records), *gaps]))))

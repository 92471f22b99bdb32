"""Looking at runs while they go on: the table on a terminal, or the page, drawn again until nobody writes any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.commands import terminal
from mta_eval.core import Record

if TYPE_CHECKING:
    from rich.console import RenderableType


def watch(runs: Sequence[Path], x: str, y: str, every: float) -> None:
    """Redraw the scores over `x` and `y` every so many seconds, until no run is being written."""
    from rich.console import Group
    from rich.live import Live

    from mta_eval.results import several

    console = terminal.wide_console()
    with Live(console=console, auto_refresh=False) as live:

        def draw(_going_on: bool) -> None:
            _, records, lacking = several.read_several(runs)
            shown = scores(records, lacking, x, y)
            # a log gets the last one alone, which rich would end in the middle of a line
            live.update(shown if console.is_terminal else Group(shown, ""), refresh=True)

        repeat_while_written(runs, every, draw)


def repeat_while_written(runs: Sequence[Path], every: float, draw: Callable[[bool], None]) -> None:
    """Call `draw` now, every so many seconds while a run is being written, and once after that; tell it which."""
    from mta_eval.results import store

    while True:
        going_on = any(store.in_use(folder) for folder in runs)
        draw(going_on)
        if not going_on:
            return
        time.sleep(every)


def scores(records: Sequence[Record], lacking: dict[str, int], x: str, y: str) -> RenderableType:
    """A table for each task and model, and how many samples are still missing."""
    from rich.console import Group
    from rich.text import Text

    from mta_eval.results.exports import pivots
    from mta_eval.results.perplexity_table import perplexity_rows
    from mta_eval.results.table import grid_texts, model_text

    shown: list[RenderableType] = []
    for task, grids in (pivots(records, x, y) if records else {}).items():
        for grid in grids:
            title = Text(f"{task} · {model_text(grid.title)}", style="bold")
            shown += [title, terminal.table_of(*grid_texts(grid), left=1), Text("")]
    if table := perplexity_rows(records):
        shown += [Text("perplexity", style="bold"), terminal.table_of(*table, left=3), Text("")]
    missing = [
        f"{folder}: {count} sample{'s are' if count > 1 else ' is'} missing" for folder, count in lacking.items()
    ]
    return Group(*shown, Text("\n".join([f"{len(records)} answers", *missing])))

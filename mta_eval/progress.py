"""A run as it goes: a bar on a terminal, lines in a log. On stderr, so that stdout stays free for results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from mta_eval.core import Plan, Record

QUIET = 30  # seconds between lines in a log


@contextmanager
def progress(plan: Plan, done: int, settings: Mapping[str, Mapping[str, str]]) -> Iterator[Callable[[Record], None]]:
    """A bar with samples, rate, time left and what is being asked; yields a function to call with each record.

    `settings`: what each model says of itself where it is asked.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    for name, model in plan.models.items():
        facts = ", ".join(f"{key} {value}" for key, value in settings[name].items())
        console.print(f"{name}{': ' + facts if facts else ''}", highlight=False, markup=False)
        if left_out := plan.left_out(name):
            lengths = ", ".join(map(str, left_out))
            console.print(f"  not asked at {lengths}: beyond its window of {model.max_length}", highlight=False)
    if done:
        console.print(f"{done} of {len(plan)} samples are there already", highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        job = bar.add_task("loading", total=len(plan), completed=done, rate="")

        printed = monotonic()

        def advance(record: Record) -> None:
            nonlocal printed, done
            done += 1
            if not console.is_terminal and monotonic() - printed > QUIET:  # a log gets lines, for bars cannot be drawn
                printed = monotonic()
                left = duration_text(bar.tasks[job].time_remaining or 0.0)
                print(f"{done} of {len(plan)} samples, about {left} left", file=sys.stderr, flush=True)
            rate = f"{record.prompt_tokens / max(record.seconds, 1e-6):,.0f} tokens/s"
            bar.update(job, advance=1, description=f"{record.model} · {record.task}", rate=rate)

        yield advance


def duration_text(seconds: float) -> str:
    """Seconds for people: "45 s", "12 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

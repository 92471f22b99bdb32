"""A run as it goes: a bar on a terminal, lines in a log. On stderr, so that stdout stays free for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from time import monotonic
from typing import TYPE_CHECKING

from mta_eval.core import Plan, Record
from mta_eval.printable import console, one_line, write

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

BURST = 0.1  # seconds within which answers are of one burst
QUIET = 30  # seconds between lines in a log
WIDE, MEDIUM = 110, 60  # columns of a terminal from which a bar has all its parts, or a short bar


@contextmanager
def progress(plan: Plan, done: int, settings: Mapping[str, Mapping[str, str]]) -> Iterator[Callable[[Record], None]]:
    """A bar with samples, rate, time left and what is being asked; yields a function to call with each record.

    `settings`: what each model says of itself where it is asked.
    """
    from rich.progress import Progress

    for line in opening_lines(plan, done, settings):
        write(line, on_stderr=True)
    screen = console(on_stderr=True)
    with Progress(*bar_columns(screen.width), console=screen, disable=not screen.is_terminal, expand=True) as bar:
        begun = "loading" if done < len(plan) else "nothing is left to ask"
        job = bar.add_task(begun, total=len(plan), completed=done, rate="", left="")
        remaining = RemainingTime(lengths_of(plan), done, monotonic())
        printed = monotonic()

        def advance(record: Record) -> None:
            nonlocal printed, done
            done += 1
            remaining.add(monotonic())
            left = f"{duration_text(remaining.seconds)} left"
            if not screen.is_terminal and monotonic() - printed > QUIET:  # a log gets lines, for bars cannot be drawn
                printed = monotonic()
                write(f"{done} of {len(plan)} samples, about {left}", on_stderr=True)
            rate = f"{record.prompt_tokens / max(record.seconds, 1e-6):,.0f} tokens/s"
            bar.update(job, advance=1, description=one_line(f"{record.model} · {record.task}"), rate=rate, left=left)

        before = done
        yield advance
        if not screen.is_terminal and done > before:
            write(f"{done} of {len(plan)} samples", on_stderr=True)


def opening_lines(plan: Plan, done: int, settings: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What is said before the bar: each model with its settings, what it is not asked, and what is there already."""
    lines = []
    for name, model in plan.models.items():
        facts = ", ".join(f"{key} {value}" for key, value in settings[name].items())
        lines.append(one_line(f"{name}{': ' + facts if facts else ''}"))
        if left_out := plan.left_out(name):
            lengths = ", ".join(map(str, left_out))
            lines.append(f"  not asked at {lengths}: beyond its window of {model.max_length}")
    if done:
        lines.append(f"{done} of {len(plan)} samples are there already")
    return lines


def bar_columns(width: int) -> list[ProgressColumn]:
    """The parts of a progress bar that fit a terminal of so many columns: what is asked takes what the others leave."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    asked = Column(ratio=1, no_wrap=True, overflow="crop")  # an ellipsis is three signs where there is only ASCII
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False, table_column=asked)]
    if width >= MEDIUM:
        columns.append(BarColumn(bar_width=40 if width >= WIDE else 10))
    columns.append(MofNCompleteColumn(table_column=Column(no_wrap=True)))
    if width >= WIDE:
        columns += [TextColumn("{task.fields[rate]}"), TimeElapsedColumn()]
    return [*columns, TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True))]


def lengths_of(plan: Plan) -> list[int]:
    """The length of every sample of a plan in the order in which they are asked; at least 1 each."""
    return [
        max(1, cell.length)
        for model in plan.models
        for task in plan.tasks
        for one in plan.by_seed()
        for cell in one.cells_of(task, model)
    ]


class RemainingTime:
    """How long the samples that are left will take, at the pace of those that came, by their lengths.

    Answers come in bursts, since a model may answer several at once: the pace is taken between the ends of two bursts.
    Until there are two it is that of the first one, loading included.
    """

    def __init__(self, lengths: Sequence[int], done: int, now: float) -> None:
        self._work = [*accumulate(lengths, initial=0)]
        self._done = self._first_done = done
        self._last = self._begin = now
        self._bursts = 0
        self._pace = 0.0  # seconds for a token
        self._end = now

    def add(self, now: float) -> None:
        """Another sample is there."""
        if self._done > self._first_done and now - self._last > BURST:
            self._end_burst()
        self._done = min(self._done + 1, len(self._work) - 1)
        self._last = now
        if not self._bursts:
            self._measure(now)

    @property
    def seconds(self) -> float:
        """What is left, counted from the last sample."""
        return max(0.0, self._pace * (self._work[-1] - self._work[self._done]))

    def _end_burst(self) -> None:
        """The samples so far are a whole burst: from the second on they measure the pace."""
        self._bursts += 1
        if self._bursts > 1:
            self._measure(self._last)
        else:  # what came before was loading too
            self._begin, self._first_done = self._last, self._done

    def _measure(self, now: float) -> None:
        if work := self._work[self._done] - self._work[self._first_done]:
            self._pace = (now - self._begin) / work


def duration_text(seconds: float) -> str:
    """Seconds for people: "45 s", "12 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

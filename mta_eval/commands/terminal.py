"""What people see on a terminal: samples, options, progress, plan and summary."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from mta_eval.core import Record, Sample

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mta_eval.core import Plan
    from mta_eval.models.checkpoints.training import Progress

WIDE = 160  # columns
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
        said = ", ".join(f"{key} {value}" for key, value in settings[name].items())
        console.print(f"{name}{': ' + said if said else ''}", highlight=False, markup=False)
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

        told = monotonic()

        def advance(record: Record) -> None:
            nonlocal told, done
            done += 1
            if not console.is_terminal and monotonic() - told > QUIET:  # a log gets lines, for bars cannot be drawn
                told = monotonic()
                left = _duration(bar.tasks[job].time_remaining or 0.0)
                print(f"{done} of {len(plan)} samples, about {left} left", file=sys.stderr, flush=True)
            rate = f"{record.prompt_tokens / max(record.seconds, 1e-6):,.0f} tokens/s"
            bar.update(job, advance=1, description=f"{record.model} · {record.task}", rate=rate)

        yield advance


class TrainingBar:
    """Shows a training as it goes: a bar on a terminal, a line for each evaluation in a log."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.began: int | None = None
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, left"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=self._console, disable=not sys.stderr.isatty())
        self._job = self.bar.add_task("")
        self._steps = 0

    def begin(self, step: int, steps: int) -> None:
        """`step` of `steps` are done."""
        self.began, self._steps = step, steps
        self.bar.start()  # not before: of several processes only the first one begins
        if 0 < step < steps:
            self._console.print(f"going on after step {step:,}", highlight=False)
        self.bar.update(self._job, total=steps, completed=step)

    def step(self, step: int, loss: float) -> None:
        """One more step."""
        self.bar.update(self._job, completed=step, description=f"loss {loss:.4f}")

    def evaluated(self, progress: Progress) -> None:
        """An evaluation: its errors, and the time that is left."""
        left = _duration(progress.seconds / progress.step * (self._steps - progress.step))
        self._console.print(
            f"step {progress.step:,}: loss {progress.loss:.4f}, {progress.held_out.answers:.1%} of held-out answers "
            f"wrong, {left} left",
            highlight=False,
        )


@contextmanager
def training_bar() -> Iterator[TrainingBar]:
    """Shown on stderr until its block ends."""
    shown = TrainingBar()
    try:
        yield shown
    finally:
        shown.bar.stop()


def print_plan(plan: Plan) -> None:
    """Samples, tokens and the estimated time of a plan; the estimate times two real samples per model and task."""
    from rich.console import Console
    from rich.table import Table

    from mta_eval.runner import probe

    table = Table("model", "task", "samples", "tokens", "estimated time")
    total = 0.0
    for model_name in plan.models:
        for task_name in plan.tasks:
            timed = probe(plan, model_name, task_name)
            counts = Counter(cell.length for cell in plan.cells_of(task_name, model_name))
            seconds = [_between(timed, length or timed[0][0]) * count for length, count in counts.items()]
            tokens = [(length or timed[0][0]) * count for length, count in counts.items()]
            total += sum(seconds)
            table.add_row(model_name, task_name, f"{counts.total():,}", f"{sum(tokens):,}", _duration(sum(seconds)))
    console = Console()
    console.print(table)
    console.print(f"{len(plan):,} samples, about {_duration(total)} on this machine (measured on real samples)")


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> Table:
    """Texts as rich's table: the first `left` columns to the left, the rest to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, name in enumerate(head):
        table.add_column(name, overflow="fold", justify="left" if column < left else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> None:
    """A table on stdout, as wide as the terminal; a log has room."""
    wide_console().print(table_of(head, rows, left))


def wide_console() -> Console:
    """Stdout, as wide as the terminal; a log has room."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout, as they are."""
    for line in lines:
        print(line)


def print_summary(records: Sequence[Record], folder: Path) -> None:
    """A table of accuracies, one of perplexities if texts were read, and where to go from here."""
    from mta_eval.results.table import SUMMARY_HEAD, summary_rows

    rows = summary_rows(records)
    shown = [
        column
        for column, head in enumerate(SUMMARY_HEAD)
        if head not in ("failed", "truncated") or any(row[column] != "0" for row in rows)
    ]
    print_table([SUMMARY_HEAD[column] for column in shown], [[row[column] for column in shown] for row in rows], left=2)
    if any(record.was_read for record in records):
        from mta_eval.results.perplexity_table import perplexity_rows  # seconds to load: it knows the papers' pictures

        if table := perplexity_rows(records):
            print_table(*table, left=3)
    failed = [record for record in records if record.error]
    if failed:
        first = f"{len(failed)} samples failed, the first with: {failed[0].error}"
        print_lines([first, "the same command tries them again"])
    print_lines([f"pictures and tables: mta-eval report {folder}"])


def print_sample(sample: Sample, as_json: bool, record: Record | None = None) -> None:
    """A sample for people, or as one JSON object; with the record of its answer if there is one."""
    fields = dataclasses.asdict(sample)
    if record is not None:
        fields |= {"model": record.model, "output": record.output, "score": record.score, "error": record.error}
        fields |= {"truncated": record.truncated, "axes": record.axes}
    if as_json:
        print(json.dumps(fields, ensure_ascii=False))
        return
    print(sample.prompt)
    print("─" * 80)
    for key in ("id", "targets", "choices", "length", "prompt_tokens", "max_new_tokens"):
        print(f"{key}: {', '.join(fields[key]) if isinstance(fields[key], tuple) else fields[key]}")
    for needle in sample.needles:
        place = f"tokens {needle.token_start}-{needle.token_end}, depth {needle.depth:.3f}"
        print(f"needle ({place}){' asked' if needle.asked else ''}: {needle.text}")
    if record is not None:
        for key in ("model", "output", "score", "error", "truncated"):
            print(f"{key}: {fields[key]!r}")
        if record.was_read:
            print(f"perplexity: {1 / record.score:.4g} of {record.axes['predicted']} tokens" if record.score else "")


def print_options(name: str, kind: type[Any]) -> None:
    """One task or model: its line, then its options with their defaults."""
    print(f"  {name:26} {(kind.__doc__ or '').strip().splitlines()[0]}")
    types = get_type_hints(kind)
    for option in dataclasses.fields(kind):
        default = "needed" if option.default is dataclasses.MISSING else f"{option.default}"
        choices = get_args(types[option.name]) if get_origin(types[option.name]) is Literal else ()
        allowed = " | ".join(map(str, choices))
        print(f"      {option.name:20} {default:14} {option.metadata.get('help', '')}{allowed and f' ({allowed})'}")


def _between(timed: list[tuple[int, float]], tokens: int) -> float:
    """Seconds for a sample of `tokens`, on the line through the shortest and the longest timed one."""
    (least, quick), (most, slow) = timed[0], timed[-1]
    if most == least:
        return quick
    return max(quick + (slow - quick) * (tokens - least) / (most - least), 0.0)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

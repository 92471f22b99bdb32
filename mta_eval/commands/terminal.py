"""What people see on a terminal: samples, options, plan and summary."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval import printable
from mta_eval.commands.columns import entry, table_of
from mta_eval.core import Record, Sample
from mta_eval.progress import duration_text

if TYPE_CHECKING:
    from mta_eval.core import Plan

RULE = 80  # columns of the line below a prompt


def print_plan(plan: Plan) -> None:
    """Samples, tokens and the estimated time of a plan; the estimate times two real samples per model and task."""
    from mta_eval.runner import probe

    rows: list[tuple[str, ...]] = []
    total = 0.0
    for model_name in plan.models:
        for task_name in plan.tasks:
            timed = probe(plan, model_name, task_name)
            cells = [cell for one in plan.by_seed() for cell in one.cells_of(task_name, model_name)]
            counts = Counter(cell.length for cell in cells)
            seconds = [_between(timed, length or timed[0][0]) * count for length, count in counts.items()]
            tokens = [(length or timed[0][0]) * count for length, count in counts.items()]
            total += sum(seconds)
            sizes = f"{counts.total():,}", f"{sum(tokens):,}", duration_text(sum(seconds))
            rows.append((model_name, task_name, *sizes))
    print_table(("model", "task", "samples", "tokens", "estimated time"), rows, left=2)
    print_line(f"{len(plan):,} samples, about {duration_text(total)} on this machine (measured on real samples)")


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> None:
    """A table on stdout: the first `left` columns to the left, the rest to the right; a list on a narrow terminal."""
    text = table_of(head, rows, left, width_of_stdout())
    printable.console().print(text, soft_wrap=True, highlight=False)


def print_entry(name: str, *about: str, indent: int = 0, column: int) -> None:
    """A name, and from a column on the texts about it, on stdout."""
    print_line(entry(name, about, indent, column, width_of_stdout()))


def width_of_stdout() -> int | None:
    """Columns of the terminal that stdout is, or that COLUMNS names; None for a log or a pipe, which take any line."""
    console = printable.console()
    return console.width if console.is_terminal or os.environ.get("COLUMNS", "").isdecimal() else None


def print_line(text: object) -> None:
    """A line on stdout; a text of several stays one."""
    printable.write(str(text))


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout."""
    for line in lines:
        print_line(line)


def note(text: str) -> None:
    """A line on stderr, beside the results."""
    printable.write(text, on_stderr=True)


def print_summary(records: Sequence[Record], folder: Path) -> None:
    """A table of accuracies, one of perplexities if texts were read, and where to go from here."""
    from mta_eval.results.finishes import finish_lines
    from mta_eval.results.summary import RARE, SUMMARY_HEAD, summaries, summary_columns, summary_texts

    summary = summaries(records)
    shown = summary_columns(summary, (*RARE, "failed", "truncated"))
    rows = [[texts[column] for column in shown] for texts in map(summary_texts, summary)]
    print_table([SUMMARY_HEAD[column] for column in shown], rows, left=2)
    if any(record.was_read for record in records):
        from mta_eval.results.perplexity_table import perplexity_rows

        if table := perplexity_rows(records):
            print_table(*table, left=3)
    failed = [record for record in records if record.error]
    if failed:
        first = f"{len(failed)} samples failed, the first with: {failed[0].error}"
        print_lines([first, "the same command tries them again"])
    print_lines([*finish_lines(records), f"pictures and tables: mta-eval report {folder}"])


def print_sample(sample: Sample, as_json: bool, record: Record | None = None) -> None:
    """A sample for people, or as one JSON object; with the record of its answer if there is one."""
    fields = dataclasses.asdict(sample)
    if record is not None:
        fields |= {"model": record.model, "output": record.output, "score": record.score, "error": record.error}
        fields |= {"truncated": record.truncated, "axes": record.axes, "finish": record.finish}
        fields |= {"thought": record.thought, "unverified": record.unverified}
    if as_json:
        printable.write_json(fields)
        return
    lines = [sample.prompt, "─" * min(RULE, width_of_stdout() or RULE)]
    lines += [
        f"{key}: {', '.join(fields[key]) if isinstance(fields[key], tuple) else fields[key]}"
        for key in ("id", "targets", "choices", "length", "prompt_tokens", "max_new_tokens")
    ]
    if sample.settings.thinking_tokens:
        lines.append(f"thinking_tokens: {sample.settings.thinking_tokens}")
    for needle in sample.needles:
        place = f"tokens {needle.token_start}-{needle.token_end}, depth {needle.depth:.3f}"
        lines.append(f"needle ({place}){' asked' if needle.asked else ''}: {needle.text}")
    if record is not None:
        shown = ["model", "output", "score", "error", "truncated", "finish"]
        lines += [f"{key}: {fields[key]!r}" for key in (*shown, *(["thought"] if record.thought else []))]
        if record.was_read and record.score:
            lines.append(f"perplexity: {1 / record.score:.4g} of {record.axes['predicted']} tokens")
    print_lines(lines)


def _between(timed: list[tuple[int, float]], tokens: int) -> float:
    """Seconds for a sample of `tokens`, on the line through the shortest and the longest timed one."""
    (least, quick), (most, slow) = timed[0], timed[-1]
    if most == least:
        return quick
    return max(quick + (slow - quick) * (tokens - least) / (most - least), 0.0)

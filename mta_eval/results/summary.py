"""The summary of a run: how each model did on each task, as a table to read or to calculate with."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from mta_eval.core import Record
from mta_eval.results.draws import estimate_of
from mta_eval.results.measures import finishes
from mta_eval.results.table import GAP, interval_text, markdown_table, model_text, percent_text

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_HEAD = (
    "task",
    "model",
    "accuracy",
    "95 % interval",
    "samples",
    "failed",
    "truncated",
    "unfinished",
    "refused",
    "unverified",
    "median seconds per sample",
    "peak memory",
)
RARE = ("unfinished", "refused", "unverified")  # columns that are shown only where there is any


class Summary(NamedTuple):
    """How one model did on one task. Accuracy, its 95 % interval and seconds are NaN where nothing was scored; what was
    read and not answered has no accuracy."""

    task: str
    model: str
    accuracy: float
    low: float
    high: float
    samples: int
    failed: int
    truncated: int
    unfinished: float
    refused: float
    unverified: int
    seconds: float
    memory: float


def summarise(records: Sequence[Record]) -> pd.DataFrame:
    """One row for each task and model, in order of appearance; the columns are the fields of `Summary`.

    `samples` counts all records, `failed` those with an error; `unfinished` and `refused` are shares of the answers,
    `unverified` counts them; `seconds` is the median of a scored sample, `memory` the highest of all in bytes, NaN
    where no record knows it.
    """
    import pandas as pd

    return pd.DataFrame(summaries(records), columns=list(Summary._fields))


def summaries(records: Sequence[Record]) -> list[Summary]:
    """One for each task and model, in order of appearance."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.task, record.model), []).append(record)
    return [_summary(task, model, group) for (task, model), group in groups.items()]


def _summary(task: str, model: str, records: Sequence[Record]) -> Summary:
    accuracy = estimate_of([one for one in records if not one.was_read]) or (math.nan, math.nan, math.nan)
    seconds = [record.seconds for record in records if record.score is not None]
    failed = sum(record.error is not None for record in records)
    memory = max((record.peak_memory for record in records if record.peak_memory is not None), default=math.nan)
    cut, ends = sum(record.truncated for record in records), finishes(records)
    shares = ends.unfinished_share, ends.refused_share, ends.unverified
    return Summary(task, model, *accuracy, len(records), failed, cut, *shares, median(seconds or [math.nan]), memory)


def summary_rows(records: Sequence[Record]) -> list[list[str]]:
    """`summarise` as texts, one list for each row, under the columns SUMMARY_HEAD."""
    return [summary_texts(row) for row in summaries(records)]


def summary_texts(row: Summary) -> list[str]:
    """A row of the summary under the columns SUMMARY_HEAD."""
    return [
        row.task,
        model_text(row.model),
        GAP if math.isnan(row.accuracy) else percent_text(row.accuracy),
        GAP if math.isnan(row.low) else interval_text(row.low, row.high),
        str(row.samples),
        str(row.failed),
        str(row.truncated),
        *(percent_text(share) if share else "0" for share in (row.unfinished, row.refused)),
        str(row.unverified),
        GAP if math.isnan(row.seconds) else _seconds_text(row.seconds),
        GAP if math.isnan(row.memory) else f"{row.memory / 1024**3:.2f} GiB",
    ]


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2g}"


def summary_markdown(summary: Sequence[Summary]) -> str:
    """`summaries` as a Markdown table."""
    shown = summary_columns(summary)
    rows = [[texts[column] for column in shown] for texts in map(summary_texts, summary)]
    return markdown_table([SUMMARY_HEAD[column] for column in shown], rows, left=2)


def summary_columns(summary: Sequence[Summary], rare: Collection[str] = RARE) -> list[int]:
    """The places of the columns to show: without those of `rare` that are 0 for every row."""
    rows = list(map(summary_texts, summary))
    return [
        column
        for column, head in enumerate(SUMMARY_HEAD)
        if head not in rare or any(texts[column] != "0" for texts in rows)
    ]

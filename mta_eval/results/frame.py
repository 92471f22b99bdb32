"""Records as one table, to calculate with: a row for each, a column for each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mta_eval.core import Record
from mta_eval.results.mistakes import kind_of

LEFT_OUT = ("axes", "prompt_sha256", "unknown")


def frame_of(records: Sequence[Record]) -> pd.DataFrame:
    """One row for each record: its fields, its axes as columns of their own, and `mistake`, its kind (None if right).

    `score` is NaN where nothing was measured.
    """
    rows = [_row(record) for record in records]
    frame = pd.DataFrame(rows)
    return frame.astype({"score": float}) if rows else frame


def _row(record: Record) -> dict[str, Any]:
    fields = {name: value for name, value in vars(record).items() if name not in LEFT_OUT}
    axes = {name: value for name, value in record.axes.items() if name not in fields}
    head = ("task", "model")
    first = {name: fields.pop(name) for name in head}
    return first | axes | fields | {"mistake": kind_of(record)}

"""Tables as CSV that no spreadsheet takes for a program."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet takes a cell for that begins so
NUMBER = re.compile(r"[+-]?[\d.,%\s+\-–\[\]]*")  # a number, or one with its interval


def csv_text(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """A frame as CSV, without its index. A text that a spreadsheet would run has an apostrophe before it."""
    columns = [_harmless_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    texts = pd.concat(columns, axis=1) if columns else frame
    written: str = texts.to_csv(index=False, float_format=float_format)
    return written


def _harmless_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """The column with its texts made harmless; numbers keep their type, also among other values."""
    if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
        return column
    return pd.Series(list(map(_harmless, column)), index=column.index, name=column.name, dtype=object)


def _harmless(value: object) -> object:
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value

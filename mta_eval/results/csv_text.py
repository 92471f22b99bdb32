"""Tables as CSV that no spreadsheet takes for a program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet takes a cell for that begins so
NUMBER = re.compile(r"[+-]?[\d.,%\s+\-–\[\]]*")  # a number, or one with its interval


def csv_text(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """A frame as CSV, without its index. A text that a spreadsheet would run has an apostrophe before it."""
    texts = frame.apply(lambda column: column.map(_harmless)) if len(frame) else frame
    written: str = texts.to_csv(index=False, float_format=float_format)
    return written


def _harmless(value: object) -> object:
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value

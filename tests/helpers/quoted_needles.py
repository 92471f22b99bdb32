"""Needles of records, made up for tests."""

from __future__ import annotations

from mta_eval.core import QuotedNeedle


def quoted(
    value: str,
    start: int = 0,
    asked: bool = False,
    text: str = "",
    key: str = "",
    depth: float = 0.0,
    before: str = "",
    after: str = "",
) -> QuotedNeedle:
    """A needle of nine tokens."""
    return QuotedNeedle(key, value, text or value, start, start + 9, depth, asked, before, after)

"""Exceptions of other packages as part of a one-line error."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """An exception's message, cut to its first line, without its final full stop; its class name if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

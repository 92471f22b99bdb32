"""Exceptions of other packages as part of a one-line error."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """An exception's message, cut to its first line, without its final full stop; its class name if it has none.

    A first line that ends in a colon says nothing without the second.
    """
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and lines[0].endswith(":"):
        lines[0] += " " + lines[1].strip()
    return lines[0].rstrip(".") if lines else type(error).__name__

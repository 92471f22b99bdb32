"""Texts as a table of columns, or as a list of `name: value` where the terminal is too narrow for the table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mta_eval.printable import one_line

if TYPE_CHECKING:
    from rich.text import Text

BETWEEN = 2  # spaces between columns
LEAST_TEXT = 30  # columns beside a name that are enough for the text about it


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]], left: int, width: int | None = None) -> Text:
    """A table: the first `left` columns to the left, the rest to the right, no cell broken.

    Where it has more than `width` columns (None: as wide as it gets) its head takes several lines; where that is not
    enough each row is a list, a line for each value and an empty one.
    """
    from rich.text import Text

    shown = [[one_line(text) for text in row] for row in rows]
    for heads in ([head], _folded_head(head, shown)):
        table = _aligned([*heads, *shown], left)
        if width is None or all(_width(line) <= width for line in table):
            first = len(heads)
            return Text("\n").join([*(Text(line, style="bold") for line in table[:first]), *map(Text, table[first:])])
    return Text("\n".join(_listed(head, row) for row in shown))


def _folded_head(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The head in lines, each name broken between words to be as wide as its column; its last words above the rows."""
    widths = [max(map(_width, column)) for column in zip([""] * len(head), *rows, strict=True)]
    folded = [
        textwrap.wrap(name, max(width, *map(len, name.split())), break_long_words=False) if name.strip() else [""]
        for name, width in zip(head, widths, strict=True)
    ]
    most = max(map(len, folded))
    return [list(line) for line in zip(*([""] * (most - len(lines)) + lines for lines in folded), strict=True)]


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * BETWEEN)
        .join(
            text + padding if column < left else padding + text
            for column, text in enumerate(row)
            for padding in [" " * (widths[column] - _width(text))]
        )
        .rstrip()
        for row in rows
    ]


def _listed(head: Sequence[str], row: Sequence[str]) -> str:
    return "".join(f"{name}: {text}\n" for name, text in zip(head, row, strict=True) if text)


def _width(text: str) -> int:
    """Columns that a text takes on a terminal: some scripts take two for a character."""
    from rich.cells import cell_len

    return cell_len(text)


def entry(name: str, about: Sequence[str], indent: int, column: int, width: int | None) -> str:
    """A name with the texts about it from a column on; below it and indented where the line would be too long."""
    start = " " * indent + name
    text = "  ".join(filter(None, about))
    line = f"{start:{column - 1}} {text}".rstrip()
    if width is None or len(line) <= width or not text:
        return line
    beside = len(start) < column and width - column >= LEAST_TEXT
    place = column if beside else min(indent + 4, width // 2)
    wrapped = textwrap.wrap(
        " ".join(text.split()), max(1, width - place), break_long_words=False, break_on_hyphens=False
    )
    lines = [" " * place + part for part in wrapped]
    return "\n".join([f"{start:{column - 1}} {wrapped[0]}", *lines[1:]] if beside else [start, *lines])

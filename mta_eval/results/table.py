"""Grids and records -> tables: Markdown to read, pandas to calculate with. Knows no picture and no file."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from mta_eval.core import Grid
from mta_eval.printable import one_line
from mta_eval.results.statistics import Estimate

if TYPE_CHECKING:
    import pandas as pd

GAP = "–"
CUT = "†"
MARKDOWN = re.compile(r"[\\|`]|\](?=[(\[:])|^#")  # a bracket alone is no link
CUT_NOTE = f"{CUT} some prompts were cut to the model's window"


def length_text(length: int) -> str:
    """A length in tokens as people write it: 512, 1K, 128K, 1M; 0 is "0k", the facts alone; 1500 stays 1500."""
    if length == 0:
        return "0k"
    if length % 1024**2 == 0:
        return f"{length // 1024**2}M"
    return f"{length // 1024}K" if length % 1024 == 0 else str(length)


def model_text(name: str) -> str:
    """A model's name without the folders that lead to it: hf:/a/b/c,dtype=float32 -> hf:…/b/c,dtype=float32."""
    return re.sub(r":[^,]+/(?=[^/,]+/[^/,]+(?:,|$))", ":…/", name)


def axis_text(axis: str, value: Any) -> str:
    """One value of an axis as it stands on tables and pictures; None is "any"."""
    if value is None:
        return "any"
    if isinstance(value, str):
        return model_text(value) if axis == "model" else value
    if axis == "length" and value == int(value):
        return length_text(int(value))
    return (
        f"{round(100 * value, 1):g} %"
        if axis == "depth"
        else f"{value:.6g}"
        if isinstance(value, float)
        else str(value)
    )


def slug_of(name: str, taken: Collection[str] = ()) -> str:
    """`name` as part of a file name: letters, digits and underscores, unlike any that is `taken`."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:80] or "task"
    slug, number = plain, 2
    while slug in taken:
        slug, number = f"{plain}_{number}", number + 1
    return slug


def percent_text(share: float) -> str:
    """0.75 -> "75 %". Only a true 0 or 1 is shown as 0 % or 100 %: 299 of 300 right is 99.7 %."""
    if share in (0, 1) or 0.005 <= share < 0.995:
        return f"{100 * share:.0f} %"
    return f"{min(99.9, max(0.1, 100 * share)):.1f} %"


def count_text(mean: float, count: int) -> str:
    """How many samples stand behind a mean: "3/4" right, or "n=4" where the scores are fractions."""
    right = mean * count
    return f"{round(right)}/{count}" if abs(right - round(right)) < 1e-6 else f"n={count}"


def cell_texts(grid: Grid, intervals: bool = False) -> list[list[str]]:
    """The text of every cell, indexed [y][x]: "0.75 (3/4)", or with `intervals` "75 % [30–95], n=4"."""
    return [[_cell_text(grid, row, column, intervals) for column in range(len(grid.xs))] for row in range(len(grid.ys))]


def _cell_text(grid: Grid, row: int, column: int, intervals: bool) -> str:
    mean, low, high = grid.mean[row][column], grid.low[row][column], grid.high[row][column]
    if mean is None or low is None or high is None:
        return GAP
    count = grid.count[row][column]
    text = f"{mean:.2f} ({count_text(mean, count)})"
    if intervals:
        text = f"{percent_text(mean)} {interval_text(low, high)}, n={count}"
    return f"{text} {CUT}" if grid.truncated[row][column] else text


def interval_text(low: float, high: float) -> str:
    """An interval of shares in per cent: "[30–95]"."""
    return f"[{100 * low:.0f}–{100 * high:.0f}]"


def gap_text(gap: Estimate) -> str:
    """A difference in points of per cent with its interval: "+35 [20, 50]"."""
    return f"{100 * gap.mean:+.0f} [{100 * gap.low:+.0f}, {100 * gap.high:+.0f}]"


def grid_texts(grid: Grid, intervals: bool = False) -> tuple[list[str], list[list[str]]]:
    """`grid` as (head, rows) of texts, the values of its axes included; cells as in `cell_texts`."""
    head = [f"{grid.y} \\ {grid.x}", *(axis_text(grid.x, value) for value in grid.xs)]
    cells = cell_texts(grid, intervals)
    return head, [[axis_text(grid.y, value), *row] for value, row in zip(grid.ys, cells, strict=True)]


def to_markdown(grid: Grid, intervals: bool = False) -> str:
    """`grid` as a Markdown table (rows y, columns x) without its title; a footnote if any prompt was cut.

    Cells read "0.75 (3/4)", or with `intervals` "75 % [30–95], n=4"; a cell that was not measured is "–".
    """
    table = markdown_table(*grid_texts(grid, intervals), left=1)
    return f"{table}\n{CUT_NOTE}\n" if any(map(any, grid.truncated)) else table


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Texts as a Markdown table, ending in a newline: the first `left` columns to the left, the rest to the right."""
    rule = [":--" if column < left else "--:" for column in range(len(head))]
    lines = [[markdown_text(text) for text in head], rule, *([markdown_text(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


class Link(str):
    """A link of our own in Markdown, which `markdown_text` leaves as it is."""

    __slots__ = ()


def link_text(text: str, target: str) -> Link:
    """`text` that leads to `target`, an address of ours."""
    return Link(f"[{markdown_text(text)}]({target})")


def markdown_text(text: str) -> str:
    """A text as part of a line of Markdown: it starts no table cell, HTML, link, image, code or heading."""
    if isinstance(text, Link):
        return text
    return MARKDOWN.sub(r"\\\g<0>", one_line(text)).replace("<", "&lt;")


def to_frame(grids: Sequence[Grid]) -> pd.DataFrame:
    """One row for each cell of each grid: title, the x and y values, mean, low, high, count, truncated.

    All grids must share their axes. A cell that was not measured has NaN for its mean and interval, and count 0.
    """
    import pandas as pd

    fields = ("mean", "low", "high", "count", "truncated")
    rows = [
        [grid.title, x_value, y_value, *(getattr(grid, field)[row][column] for field in fields)]
        for grid in grids
        for row, y_value in enumerate(grid.ys)
        for column, x_value in enumerate(grid.xs)
    ]
    frame = pd.DataFrame(rows, columns=["title", grids[0].x, grids[0].y, *fields])
    return frame.astype({"mean": float, "low": float, "high": float})

"""Grids -> LaTeX tables that need no package but booktabs.

Numbers are per cent with one decimal, so that columns to the right are aligned at the decimal point; what stands behind
them (±, an interval) is padded by phantoms to one width. A table takes the largest font at which it fits a column of
COLUMN inches, or else spans the page (table*).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mta_eval.core import Grid
from mta_eval.printable import one_line
from mta_eval.results.cell_style import CellStyle, Marks, half_width
from mta_eval.results.table import axis_text, model_text, slug_of

COLUMN = 3.3  # inches
SIZES = (("small", 9.0), ("footnotesize", 8.0), ("scriptsize", 7.0))  # commands and points, in a paper of 10 points
GAP = 6.0  # points between two columns
ESCAPED = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
CUT_MARK = r"$^\dagger$"


def latex_table(task: str, grid: Grid, style: CellStyle, best: Marks, taken: Collection[str] = ()) -> tuple[str, str]:
    """A grid of a task as a LaTeX table, and its label, which is none of `taken`.

    Samples stand in the caption where all cells have as many, else in the cells.
    """
    counts = {count for row in grid.count for count in row if count}
    in_cells = style.counts and len(counts) > 1
    columns = range(len(grid.xs))
    cells = [[_cell(grid, row, column, style, best, in_cells) for column in columns] for row in range(len(grid.ys))]
    heads = [_escaped(axis_text(grid.x, value)) for value in grid.xs]
    rows = [_escaped(axis_text(grid.y, value)) for value in grid.ys]
    name = f"tab:{slug_of(f'{task} {grid.title} {grid.x} {grid.y}', [one.removeprefix('tab:') for one in taken])}"
    plain = [[_seen(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*[heads, *plain], strict=True)]
    size, environment = _fitting([max(map(len, [grid.y, *rows])), *widths])
    lines = [
        rf"\begin{{{environment}}}[htbp]",
        r"\centering",
        rf"\{size}",
        rf"\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}",
        rf"\caption{{{_caption(task, grid, style, counts)}}}",
        rf"\label{{{name}}}",
        rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"\toprule",
        rf"& \multicolumn{{{len(heads)}}}{{c}}{{{_escaped(grid.x)}}} \\",
        rf"\cmidrule(l){{2-{len(heads) + 1}}}",
        " & ".join([_escaped(grid.y), *heads]) + r" \\",
        r"\midrule",
        *(" & ".join([head, *line]) + r" \\" for head, line in zip(rows, cells, strict=True)),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n", name


def _cell(grid: Grid, row: int, column: int, style: CellStyle, best: Marks, counted: bool) -> str:
    mean, low, high = grid.mean[row][column], grid.low[row][column], grid.high[row][column]
    if mean is None or low is None or high is None:
        return "--"
    number = f"{100 * mean:.1f}"
    text = rf"\textbf{{{number}}}" if best[row][column] else number
    if style.cells == "mean±":
        text += rf"\,$\pm$\,{_padded(100 * half_width(low, high), 4)}"
    elif style.cells == "interval":
        ends = f"{100 * low:.1f}", f"{100 * high:.1f}"
        room = sum(5 - len(end) for end in ends)
        text += rf"\,[{ends[0]},\,{ends[1]}]" + (rf"\phantom{{{'0' * room}}}" if room else "")
    if counted:
        count, widest = str(grid.count[row][column]), max(len(str(count)) for line in grid.count for count in line)
        text += rf"\,({count})" + (rf"\phantom{{{'0' * (widest - len(count))}}}" if len(count) < widest else "")
    any_cut = any(map(any, grid.truncated))
    mark = CUT_MARK if grid.truncated[row][column] else rf"\phantom{{{CUT_MARK}}}"
    return text + (mark if any_cut else "")


def _padded(number: float, width: int) -> str:
    """A number with one decimal that takes the room of `width` signs, behind it what is left."""
    text = f"{number:.1f}"
    return text + (rf"\phantom{{{'0' * (width - len(text))}}}" if len(text) < width else "")


def _caption(task: str, grid: Grid, style: CellStyle, counts: Collection[int]) -> str:
    half = r" $\pm$ half the width of the 95\,\% interval"
    behind = {"mean": "", "mean±": half, "interval": r" with 95\,\% intervals"}
    model = "" if "model" in (grid.x, grid.y) else f", {_escaped(model_text(grid.title))}"
    told = f"{_escaped(task)}{model}: accuracy in \\%{behind[style.cells]}"
    if style.counts and counts:
        told += f"; $n = {max(counts)}$ in each cell" if len(counts) == 1 else "; samples in parentheses"
    if style.best:
        told += "; bold: the best model"
    return told + (f"; {CUT_MARK} some prompts were cut to the model's window" if any(map(any, grid.truncated)) else "")


def _fitting(widths: Sequence[int]) -> tuple[str, str]:
    """The font and the environment for columns of so many signs, a sign being half as wide as its font is high."""
    for size, points in SIZES:
        if (sum(widths) * points / 2 + (len(widths) - 1) * GAP) / 72 <= COLUMN:
            return size, "table"
    return "footnotesize", "table*"


def _seen(text: str) -> str:
    """About what is seen of a cell: commands take no room."""
    for command in (r"\textbf{", r"\phantom{", "{", "}", r"\,", "$"):
        text = text.replace(command, "")
    return text.replace(r"\pm", "± ").replace(r"^\dagger", "†")


def _escaped(text: str) -> str:
    return one_line(text).translate(ESCAPED)

"""Tables for other programs: CSV, Parquet, LaTeX (booktabs), Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from mta_eval.core import Grid, Record
from mta_eval.errors import StoreError
from mta_eval.results.cell_style import PLAIN, CellStyle, Marks, best_cells, markdown_scores
from mta_eval.results.csv_text import csv_text
from mta_eval.results.grid import check_axes, grids_by_model, group_by_task
from mta_eval.results.latex import latex_table
from mta_eval.results.mistake_table import mistake_frame, mistakes_markdown
from mta_eval.results.table import markdown_text, to_frame
from mta_eval.whole_files import replacing

Form = Literal["markdown", "csv", "latex", "parquet"]
FORMS: dict[str, Form] = {".md": "markdown", ".csv": "csv", ".tex": "latex", ".parquet": "parquet"}


def pivots(records: Sequence[Record], x: str, y: str) -> dict[str, list[Grid]]:
    """For each task (or "all tasks", if the task is an axis) its grids over `x` and `y`.

    Raises StoreError if there are no records, SpecError if none has an axis.
    """
    if not records:
        raise StoreError("nothing to show: there are no answers yet; repeat the run's command to go on with it")
    check_axes(records, x, y)
    return {task: grids_by_model(group, x, y) for task, group in group_by_task(records, x, y).items()}


def score_frame(tables: dict[str, list[Grid]]) -> pd.DataFrame:
    """Every cell of every grid under one head: task, model, the two axes, mean, low, high, count, truncated."""
    frames = []
    for task, grids in tables.items():
        frame = to_frame(grids)
        if "model" not in frame:
            frame = frame.rename(columns={"title": "model"})
        if "task" not in frame:
            frame.insert(0, "task", task)
        # object: a task without an axis leaves its column empty, which would turn the others' integers into floats
        frames.append(frame.drop(columns="title", errors="ignore").astype(object))
    return pd.concat(frames, ignore_index=True)


def score_text(tables: dict[str, list[Grid]], form: Form, style: CellStyle = PLAIN) -> str:
    """The scores as text: pivots in Markdown and LaTeX, one row for each cell in CSV; `style` says what of each."""
    if form == "csv":
        return csv_text(styled_frame(tables, style))
    made = [
        (task, grid, best)
        for task, grids in tables.items()
        for grid, best in zip(grids, _best(grids, style), strict=True)
    ]
    if form == "latex":
        texts: dict[str, str] = {}
        for task, grid, best in made:
            text, label = latex_table(task, grid, style, best, texts)
            texts[label] = text
        return "\n".join(texts.values())
    return "\n".join(
        f"## {markdown_text(task)} · {markdown_text(grid.title)}\n\n{markdown_scores(grid, style, best)}"
        for task, grid, best in made
    )


def styled_frame(tables: dict[str, list[Grid]], style: CellStyle) -> pd.DataFrame:
    """`score_frame` with what a style shows: low and high, or half_width, or neither; count; whether it is the best."""
    frame = score_frame(tables)
    if style.cells == "mean±":
        frame.insert(list(frame).index("low"), "half_width", (frame["high"] - frame["low"]) / 2)
    left_out = [] if style.cells == "interval" else ["low", "high"]
    frame = frame.drop(columns=[*left_out, *([] if style.counts else ["count"])])
    if style.best:
        marks = [_best(grids, style) for grids in tables.values()]
        frame["best"] = [one for grids in marks for rows in grids for row in rows for one in row]
    return frame


def _best(grids: Sequence[Grid], style: CellStyle) -> list[Marks]:
    none = [[[False] * len(grid.xs) for _ in grid.ys] for grid in grids]
    return best_cells(grids) if style.best else none


def mistake_text(records: Sequence[Record], form: Form) -> str:
    """The wrong answers by kind, as text."""
    if form == "markdown":
        return mistakes_markdown(records)
    frame = mistake_frame(records)
    return csv_text(frame) if form == "csv" else frame.to_latex(index=False, escape=True, float_format="%.3f")


def write_parquet(frame: pd.DataFrame, out: Path) -> None:
    """`frame` as Parquet; a column of several kinds of values becomes text. Raises StoreError."""
    frame = frame.copy()
    for name in frame:
        kinds = set(frame[name].dropna().map(type))
        if kinds == {int, float}:
            frame[name] = frame[name].astype(float)
        elif len(kinds) > 1:
            frame[name] = frame[name].map(str, na_action="ignore")
    try:
        with replacing(out) as file:
            frame.to_parquet(file, index=False)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror or error}") from error

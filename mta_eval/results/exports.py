"""Tables for other programs: CSV, Parquet, LaTeX (booktabs), Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from mta_eval.core import Grid, Record
from mta_eval.errors import StoreError
from mta_eval.results.csv_text import csv_text
from mta_eval.results.grid import check_axes, grids_by_model, group_by_task
from mta_eval.results.mistake_table import mistake_frame, mistakes_markdown
from mta_eval.results.table import axis_text, cell_texts, markdown_text, model_text, to_frame, to_markdown
from mta_eval.whole_files import replacing

Form = Literal["markdown", "csv", "latex", "parquet"]
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
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


def score_text(tables: dict[str, list[Grid]], form: Form) -> str:
    """The scores as text: pivots with intervals in Markdown and LaTeX, one row for each cell in CSV."""
    if form == "csv":
        return csv_text(score_frame(tables))
    made = [(task, grid) for task, grids in tables.items() for grid in grids]
    if form == "latex":
        return "\n".join(_latex(task, grid) for task, grid in made)
    return "\n".join(
        f"## {markdown_text(task)} · {markdown_text(grid.title)}\n\n{to_markdown(grid, intervals=True)}"
        for task, grid in made
    )


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


def _latex(task: str, grid: Grid) -> str:
    frame = pd.DataFrame(
        cell_texts(grid, intervals=True),
        index=pd.Index([axis_text(grid.y, value) for value in grid.ys], name=f"{grid.y} \\ {grid.x}"),
        columns=[axis_text(grid.x, value) for value in grid.xs],
    )
    caption = f"{task}, {model_text(grid.title)}".translate(LATEX)
    return frame.reset_index(allow_duplicates=True).to_latex(index=False, escape=True, caption=caption, position="htbp")

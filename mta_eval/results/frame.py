"""Records as one tidy table, to calculate with: a row for each, a column for each axis and each option of its task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mta_eval.core import Record, Run
from mta_eval.results.labels import Labels, make_labels, stored, stored_model, stored_task
from mta_eval.results.mistakes import kind_of
from mta_eval.results.task_options import family_of, named_options, options_in, task_options

LEFT_OUT = ("axes", "unknown", "task", "model")
RENAMED = {"needles": "needle_list"}  # `needles` is how many there are


Part = tuple[str, Run | None, Sequence[Record]]  # the name of a run, its question, its records


def record_frame(parts: Sequence[Part], seed: int = 0) -> pd.DataFrame:
    """One row for each record of some runs (None for the question where there is no run).

    The columns: `task` and `model` (specs), `task_label` and `model_label` (what tables and pictures call them),
    `family` (the task without options), a column for each option that any task names and for each axis, `run`, `seed`
    (`seed` where there is no run), then the fields of `core.Record`, with `needles` as `needle_list`, and `mistake`,
    the kind of a wrong answer (None if right). An option that a spec does not name has its default; `score` is NaN
    where nothing was measured.
    """
    records = [record for _, _, its_records in parts for record in its_records]
    labels = make_labels(records, [(name, run) for name, run, _ in parts if run])
    options = options_in(records)
    rows = [
        _row(record, {"run": name, "seed": run.seed_of(record) if run else seed}, labels, options)
        for name, run, its_records in parts
        for record in its_records
    ]
    frame = pd.DataFrame(rows)
    if not rows:
        return frame
    whole = {name: "Int64" for name in frame if name not in _TAKEN and _is_whole(frame[name])}
    return frame.astype({"score": float, **whole})


def _is_whole(column: pd.Series[Any]) -> bool:
    """Whether a column has whole numbers and gaps, which pandas would turn into fractions."""
    kinds = set(column.dropna().map(type))
    return kinds == {float} and column.hasnans and bool((column.dropna() % 1 == 0).all()) and column.name != "depth"


def _row(record: Record, run: dict[str, Any], labels: Labels, options: Sequence[str]) -> dict[str, Any]:
    task, model = stored_task(record), stored_model(record)
    there = {name: value for name, value in vars(stored(record)).items() if name not in LEFT_OUT}
    fields = {RENAMED.get(name, name): value for name, value in there.items()}
    names = {"task": task, "model": model, "task_label": labels.task(task), "model_label": labels.model(model)}
    names["family"] = family_of(task)
    told = {_column(name): _option(task, name) for name in options}
    axes = {_column(name): value for name, value in record.axes.items() if value is not None or name not in told}
    return names | told | run | axes | fields | {"mistake": kind_of(record)}


def _option(task: str, name: str) -> object:
    return task_options(task).get(name, named_options(task).get(name))


def _column(name: str) -> str:
    """The column of an axis or an option: one that has the name of another column says that it is an option."""
    return f"{name}_option" if name in _TAKEN else name


_TAKEN = {*(RENAMED.get(name, name) for name in Record.__dataclass_fields__), "task_label", "model_label", "family"} | {
    "run",
    "mistake",
}

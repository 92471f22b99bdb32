"""Records -> grids: scores averaged over two axes. Knows no picture, no table and no file."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeGuard

from mta_eval.core import AxisValue, Grid, Record
from mta_eval.errors import SpecError
from mta_eval.results.draws import estimate_of
from mta_eval.results.labels import stored_task
from mta_eval.results.task_options import options_in, task_options, without_options

# Not in `Record.axes`, but every record has them, so they span a grid as well as any axis.
PSEUDO_AXES = ("task", "model")
NUMBERS = (int, float)  # tuples: `int | float` is made anew at each of millions of calls
PLAIN = (*NUMBERS, str)


def to_grid(records: Sequence[Record], x: str, y: str, title: str) -> Grid:
    """`records` averaged over the axes `x` (columns) and `y` (rows); any other axis is averaged away.

    A record without a score adds its place on the axes but no count: its cell stays unmeasured (mean None) unless
    another record fills it. Raises SpecError if no record has `x` or `y`, or if they are the same axis.
    """
    check_axes(records, x, y)
    return _average(records, x, y, title, axis_values(records, x), axis_values(records, y))


def group_by_task(records: Sequence[Record], x: str, y: str) -> dict[str, list[Record]]:
    """The records that belong into one figure, by its name: one figure for each task, unless "task" is an axis.

    Tasks that differ in nothing but an option that is an axis share one: niah and niah:needles=4 over `needles`.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    if "task" in (x, y):
        return {"all tasks": list(records)} if records else {}
    names = _names_without(records, (x, y))
    for record in records:
        groups[names.get(record.task, record.task)].append(record)
    return dict(groups)


def _names_without(records: Sequence[Record], axes: Sequence[str]) -> dict[str, str]:
    """By task, the name of those that differ in nothing but options that are `axes`, where there are several."""
    specs = {record.task: stored_task(record) for record in records}
    groups: dict[str, list[str]] = defaultdict(list)
    for task, spec in specs.items():
        groups[without_options(spec, axes)].append(task)
    return {task: common for common, tasks in groups.items() for task in tasks if len(tasks) > 1}


def grids_by_model(records: Sequence[Record], x: str, y: str) -> list[Grid]:
    """One grid for each model, titled with its name, or one for "all models" if "model" is an axis.

    All grids share the same axis values, so that they can be read side by side: what one model alone did not measure
    is a gap. An axis that no record has is a single row or column None: call `check_axes` first to refuse it.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups["all models" if "model" in (x, y) else record.model].append(record)
    xs, ys = axis_values(records, x), axis_values(records, y)
    return [_average(group, x, y, title, xs, ys) for title, group in groups.items()]


def check_axes(records: Sequence[Record], x: str, y: str) -> None:
    """Raises SpecError, one line, if no record has the axis `x` or `y`, or if they are the same axis."""
    names = axis_names_of(records)
    for name in (x, y):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else "."
            raise SpecError(f'no record has the axis "{name}"{hint} The axes are: {", ".join(names)}')
    if x == y:
        raise SpecError(f'both axes of the grid are "{x}"; choose two of: {", ".join(names)}')


def axis_names_of(records: Sequence[Record]) -> list[str]:
    """All axes of records: those that samples have, options that a task names, "task" and "model"."""
    axes = dict.fromkeys(name for record in records for name in record.axes)
    names = [name for name in dict.fromkeys([*axes, *options_in(records)]) if name not in PSEUDO_AXES]
    return [*names, *PSEUDO_AXES]


def axis_values(records: Sequence[Record], axis: str) -> list[AxisValue]:
    """The distinct values of `axis`: None first, then numbers by size, then strings as they first appear."""
    values = dict.fromkeys(axis_value(record, axis) for record in records)
    numbers = sorted(value for value in values if isinstance(value, NUMBERS))
    return [
        *(value for value in values if value is None),
        *numbers,
        *(value for value in values if isinstance(value, str)),
    ]


def axis_value(record: Record, axis: str) -> int | float | str | None:
    """Where a record stands on an axis; None if it is not on it."""
    if axis in PSEUDO_AXES:
        return record.task if axis == "task" else record.model
    value = record.axes.get(axis)
    if value is None and axis not in record.axes:
        value = task_options(stored_task(record)).get(axis)
    # True would fall together with 1, and a list cannot be a key: both are shown as their text.
    if value is None or (isinstance(value, PLAIN) and not isinstance(value, bool)):
        return value
    return str(value)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a place on an axis of numbers."""
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def _average(records: Sequence[Record], x: str, y: str, title: str, xs: list[AxisValue], ys: list[AxisValue]) -> Grid:
    cells: dict[tuple[AxisValue, AxisValue], list[Record]] = defaultdict(list)
    for record in records:
        if record.score is not None:
            cells[axis_value(record, x), axis_value(record, y)].append(record)
    rows = [[_measure(cells.get((x_value, y_value), [])) for x_value in xs] for y_value in ys]
    return Grid(
        title=title,
        x=x,
        y=y,
        xs=list(xs),
        ys=list(ys),
        mean=[[cell[0] for cell in row] for row in rows],
        low=[[cell[1] for cell in row] for row in rows],
        high=[[cell[2] for cell in row] for row in rows],
        count=[[cell[3] for cell in row] for row in rows],
        truncated=[[cell[4] for cell in row] for row in rows],
    )


def _measure(records: Sequence[Record]) -> tuple[float | None, float | None, float | None, int, int]:
    estimate = estimate_of(records)
    if estimate is None:
        return None, None, None, 0, 0
    return *estimate, len(records), sum(record.truncated for record in records)

"""A task's spec as a place on axes: its family, and its options, those that it does not name at their defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import cache

from mta_eval import registry
from mta_eval.core import AxisValue, Record
from mta_eval.errors import MtaEvalError
from mta_eval.results.labels import stored_task


@cache  # a run has many records and few tasks
def family_of(spec: str) -> str:
    """The task without its options: "niah:needles=4" is of the family niah. Names of other programs stay whole."""
    try:
        return registry.parse(spec)[0]
    except MtaEvalError:
        return spec


@cache
def named_options(spec: str) -> Mapping[str, str]:
    """The options that a task's spec names, as texts; none where it is a name of another program."""
    try:
        family, first, options = registry.parse(spec)
        key = _first_option(family) if first is not None else ""
    except MtaEvalError:
        return {}
    return options if first is None else {key: first, **options}


@cache
def task_options(spec: str) -> Mapping[str, AxisValue]:
    """All options of a task by their names, as values of an axis.

    Of a task that cannot be built here (its text file is gone, its package is not installed) those that its spec names,
    whole numbers as such.
    """
    try:
        task = registry.build_task(spec)
    except (MtaEvalError, OSError):
        return {name: int(text) if text.isdecimal() else text for name, text in named_options(spec).items()}
    assert dataclasses.is_dataclass(task)
    values = {field.name: getattr(task, field.name) for field in dataclasses.fields(task) if field.init}
    plain = int | float | str | None
    return {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}


def options_in(records: Sequence[Record]) -> list[str]:
    """The options that any task of records names, in their order."""
    specs = dict.fromkeys(map(stored_task, records))
    return list(dict.fromkeys(name for spec in specs for name in named_options(spec)))


def without_options(spec: str, left_out: Collection[str]) -> str:
    """A task's spec without some of its options: what tasks that differ in these alone have in common."""
    kept = {name: text for name, text in named_options(spec).items() if name not in left_out}
    if len(kept) == len(named_options(spec)):
        return spec
    texts = ",".join(f"{name}={registry.option_text(text)}" for name, text in kept.items())
    return f"{family_of(spec)}:{texts}" if texts else family_of(spec)


def _first_option(family: str) -> str:
    """The option that may stand without its name."""
    return next(field.name for field in dataclasses.fields(registry.find("tasks", family)) if field.init)

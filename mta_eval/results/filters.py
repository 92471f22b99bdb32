"""`--where task=niah,needles=4`: the records that conditions hold for."""

from __future__ import annotations

from collections.abc import Sequence

from mta_eval import registry
from mta_eval.arguments import parse_length
from mta_eval.core import AxisValue, Record
from mta_eval.errors import SpecError, did_you_mean
from mta_eval.results.grid import axis_names_of, axis_value
from mta_eval.results.labels import stored_model, stored_task
from mta_eval.results.table import axis_text
from mta_eval.results.task_options import family_of

SHOWN = 12  # values in an error


def keep_where(records: Sequence[Record], conditions: Sequence[str]) -> list[Record]:
    """The records for which every condition holds.

    A condition is NAME=VALUE, several joined by commas; {A,B} is either of two values, and what holds a comma stands in
    quotes. NAME is an axis, an option of a task, `task` (a family: niah, with all its options; a spec; a label) or
    `model` (a spec or a label). Raises SpecError for what is none, and where no record is left.
    """
    kept = list(records)
    for text in conditions:
        for name, values in _read(text):
            _check_name(records, name, text)
            left = [record for record in kept if any(_holds(record, name, value) for value in values)]
            if kept and not left:
                there = dict.fromkeys(_shown(record, name) for record in kept)
                found = ", ".join(list(there)[:SHOWN]) + (", …" if len(there) > SHOWN else "")
                wanted = " or ".join(values)
                raise SpecError(f"--where {text}: no answer has {name} {wanted}; there are: {found}")
            kept = left
    return kept


def _read(text: str) -> list[tuple[str, list[str]]]:
    """ "task=niah,needles={1,4}" -> [("task", ["niah"]), ("needles", ["1", "4"])]."""
    specs = [registry.parse(f"where:{one}") for one in registry.expand(text)]
    if any(first is not None for _, first, _ in specs) or not specs[0][2]:
        raise SpecError(f"--where {text}: write NAME=VALUE, several joined by commas, such as task=niah,needles=4")
    return [(name, list(dict.fromkeys(options[name] for _, _, options in specs))) for name in specs[0][2]]


def _check_name(records: Sequence[Record], name: str, text: str) -> None:
    names = axis_names_of(records)
    if records and name not in names:
        raise SpecError(f"--where {text}: {name!r} is no axis and no option here{did_you_mean(name, names)}")


def _holds(record: Record, name: str, wanted: str) -> bool:
    if name == "task":
        return wanted in (record.task, stored_task(record), family_of(stored_task(record)))
    if name == "model":
        return wanted in (record.model, stored_model(record))
    return _is(name, axis_value(record, name), wanted)


def _is(name: str, value: AxisValue, wanted: str) -> bool:
    if wanted in (str(value), axis_text(name, value)):
        return True
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value is None and wanted.lower() in ("any", "none")
    try:
        number = parse_length(wanted) if name == "length" else float(wanted)
    except (SpecError, ValueError):
        return False
    return abs(value - number) < 1e-6


def _shown(record: Record, name: str) -> str:
    return {"task": record.task, "model": record.model}.get(name) or axis_text(name, axis_value(record, name))

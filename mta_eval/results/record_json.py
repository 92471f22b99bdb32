"""Records as JSON, and their one validating reader: every version that was ever written.

Schema 1 is mta-eval 0.1 (no `schema` in the file, no `finish`, `thought`, `output_tokens`); 2 has no `unverified`,
`fingerprint`, `prompt`, `parts`, and identities among the environment; 3 is today's. A version that only adds fields to
records leaves the number as it is: fields that are not known here are kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import cast, get_args

from mta_eval.core import (
    Finish,
    Json,
    QuotedNeedle,
    Record,
)
from mta_eval.outside import read_json
from mta_eval.results.json_fields import (
    Fields,
    as_axes,
    as_boolean,
    as_count,
    as_finite,
    as_integer,
    as_list,
    as_mapping,
    as_name,
    as_seconds,
    as_share,
    as_string,
    as_texts,
    json_text,
    optional,
    wrong_value,
)

SCHEMA = 3


class NewerSchemaError(ValueError):
    """What was read was written by a newer mta-eval: it is not damaged, and nothing is to be removed."""


def record_line(record: Record) -> str:
    """A record as one line of JSON, without the line's end."""
    fields = {name: value for name, value in vars(record).items() if name != "unknown"}
    needles = [vars(needle) for needle in record.needles]
    return json_text({"schema": SCHEMA, **fields, "needles": needles, **record.unknown})


def read_record(line: str | bytes) -> Record:
    """The record of a line, of any schema. Raises ValueError that says which field is wrong, and how."""
    return record_of(read_json(line))


def record_of(value: Json) -> Record:
    """The record that a parsed line is. Raises ValueError as `read_record` does."""
    fields = Fields(as_mapping(value, "the line"))
    check_schema(fields)
    given: dict[str, object] = {}
    for name, read in RECORD.items():
        if name in fields.left or name in NEEDED:
            given[name] = read(fields.take(name), name)
    record = Record(**given, unknown=fields.left)  # type: ignore[arg-type]  # each was checked by its reader
    named = {record.task, record.axes.get("subtask")}  # lm-eval's benchmarks name questions by their subtask
    if not any(record.sample_id.startswith(f"{name}/") for name in named):
        raise ValueError(f"sample_id is {record.sample_id!r}, not of the task {record.task!r}")
    return record


def check_schema(fields: Fields) -> None:
    """Take the schema of what was read. Raises NewerSchemaError, or ValueError where it is none."""
    schema = as_integer(fields.take("schema", 1), "schema")
    if schema > SCHEMA:
        known = f"schema {schema}, known are 1 to {SCHEMA}"
        raise NewerSchemaError(f"was written by a newer mta-eval ({known}); update this one")
    if schema < 1:
        raise wrong_value(schema, "schema", f"a number from 1 to {SCHEMA}")


def _needles(value: Json, name: str) -> list[QuotedNeedle]:
    return [
        _needle(as_mapping(item, f"{name}[{index}]"), f"{name}[{index}]")
        for index, item in enumerate(as_list(value, name))
    ]


def _needle(given: Mapping[str, Json], name: str) -> QuotedNeedle:
    fields = Fields(given, f"{name}.")
    needle = QuotedNeedle(
        key=as_string(fields.take("key"), f"{name}.key"),
        value=as_string(fields.take("value"), f"{name}.value"),
        text=as_string(fields.take("text"), f"{name}.text"),
        token_start=as_count(fields.take("token_start"), f"{name}.token_start"),
        token_end=as_count(fields.take("token_end"), f"{name}.token_end"),
        depth=as_share(fields.take("depth"), f"{name}.depth"),
        asked=as_boolean(fields.take("asked"), f"{name}.asked"),
        before=as_string(fields.take("before", ""), f"{name}.before"),
        after=as_string(fields.take("after", ""), f"{name}.after"),
    )
    fields.refuse_rest(name)
    return needle


def _positions(value: Json, name: str) -> list[list[float]]:
    rows = [[as_finite(number, name) for number in as_list(row, name)] for row in as_list(value, name)]
    if any(len(row) != 3 for row in rows):
        raise ValueError(f"{name} has a row that is not [first place, nats, tokens]")
    return rows


def as_finish(value: Json, name: str) -> Finish:
    """Why an answer ended. Raises ValueError."""
    if value not in get_args(Finish):
        raise wrong_value(value, name, f"one of {', '.join(get_args(Finish))}")
    return cast(Finish, value)


RECORD: dict[str, Callable[[Json, str], object]] = {
    "sample_id": as_string,
    "task": as_name,
    "model": as_name,
    "axes": as_axes,
    "targets": as_texts,
    "output": optional(as_string),
    "score": optional(as_share),
    "prompt_tokens": as_count,
    "max_new_tokens": as_count,
    "seconds": as_seconds,
    "truncated": as_boolean,
    "error": optional(as_string),
    "choices": as_texts,
    "needles": _needles,
    "prompt_sha256": as_string,
    "peak_memory": optional(as_count),
    "positions": _positions,
    "finish": optional(as_finish),
    "thought": as_string,
    "output_tokens": optional(as_count),
    "unverified": as_boolean,
    "fingerprint": as_name,
    "draw": as_name,
    "question": as_string,
}
NEEDED = {
    field.name
    for field in dataclasses.fields(Record)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
}

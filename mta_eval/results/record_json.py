"""Records and run.json as JSON, and the one validating reader of both: every version that was ever written.

Schema 1 is mta-eval 0.1 (no `schema` in the file, no `finish`, `thought`, `output_tokens`); 2 has no `unverified`,
`fingerprint`, `prompt`, `parts`, and identities among the environment; 3 is today's.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import cast, get_args

from mta_eval.core import (
    AnswerMode,
    AxisValue,
    Finish,
    Json,
    ModelIdentity,
    OverLength,
    PromptSettings,
    QuotedNeedle,
    Record,
    Run,
    RunPart,
    Sweep,
    Thinking,
)
from mta_eval.errors import SpecError
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
    as_text_by_name,
    as_texts,
    json_text,
    optional,
    wrong_value,
)

SCHEMA = 3
PROMPT_TEXTS = ("system", "answer_prefix", "date")
PROMPT_COUNTS = ("thinking_tokens", "answer_tokens")


class NewerSchemaError(ValueError):
    """What was read was written by a newer mta-eval: it is not damaged, and nothing is to be removed."""


def record_line(record: Record) -> str:
    """A record as one line of JSON, without the line's end."""
    needles = [vars(needle) for needle in record.needles]
    return json_text({"schema": SCHEMA, **vars(record), "needles": needles})


def read_record(line: str | bytes) -> Record:
    """The record of a line, of any schema. Raises ValueError that says which field is wrong, and how."""
    return record_of(read_json(line))


def record_of(value: Json) -> Record:
    """The record that a parsed line is. Raises ValueError as `read_record` does."""
    fields = Fields(as_mapping(value, "the line"))
    _check_schema(fields)
    given: dict[str, object] = {}
    for name, read in RECORD.items():
        if name in fields.left or name in NEEDED:
            given[name] = read(fields.take(name), name)
    fields.refuse_rest("a record")
    return Record(**given)  # type: ignore[arg-type]  # each was checked by its reader


def run_text(run: Run) -> str:
    """run.json."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(run)}, indent=2) + "\n"


def read_run_text(text: str) -> Run:
    """The question of a run.json of any schema. Raises ValueError that says which field is wrong, and how."""
    fields = Fields(as_mapping(read_json(text), "the file"))
    _check_schema(fields)
    run = Run(
        tasks=tuple(as_texts(fields.take("tasks"), "tasks")),
        models=tuple(as_texts(fields.take("models"), "models")),
        sweep=_sweep(fields.take("sweep"), "sweep"),
        answer=as_string(fields.take("answer"), "answer"),
        over_length=as_string(fields.take("over_length"), "over_length"),
        version=as_string(fields.take("version"), "version"),
        tokenizers=as_text_by_name(fields.take("tokenizers"), "tokenizers"),
        environment=dict(as_mapping(fields.take("environment", {}), "environment")),
        prompt=as_settings(fields.take("prompt", {})),
        identities=_identities(fields.take("identities", {})),
        parts=tuple(_part(part) for part in as_list(fields.take("parts", []), "parts")),
    )
    fields.refuse_rest("a run")
    for value, name, allowed in ((run.answer, "answer", AnswerMode), (run.over_length, "over_length", OverLength)):
        if value not in get_args(allowed):
            raise ValueError(f"{name} is {value!r}, not one of {', '.join(get_args(allowed))}")
    return run


def _sweep(value: Json, name: str) -> Sweep:
    fields = Fields(as_mapping(value, name), f"{name}.")
    given = (
        tuple(as_count(length, f"{name}.lengths") for length in as_list(fields.take("lengths"), f"{name}.lengths")),
        tuple(
            optional(as_share)(depth, f"{name}.depths") for depth in as_list(fields.take("depths"), f"{name}.depths")
        ),
        as_count(fields.take("repeats"), f"{name}.repeats"),
        as_integer(fields.take("seed"), f"{name}.seed"),
    )
    fields.refuse_rest(name)
    try:
        return Sweep(*given)
    except SpecError as error:
        raise ValueError(f"{name}: {error}") from error


def _part(value: Json) -> RunPart:
    fields = Fields(as_mapping(value, "parts"), "parts.")
    tasks, models = (tuple(as_texts(fields.take(name), f"parts.{name}")) for name in ("tasks", "models"))
    part = RunPart(tasks, models, _sweep(fields.take("sweep"), "parts.sweep"))
    fields.refuse_rest("a part")
    return part


def _check_schema(fields: Fields) -> None:
    schema = as_integer(fields.take("schema", 1), "schema")
    if schema > SCHEMA:
        known = f"schema {schema}, known are 1 to {SCHEMA}"
        raise NewerSchemaError(f"was written by a newer mta-eval ({known}); update this one")
    if schema < 1:
        raise wrong_value(schema, "schema", f"a number from 1 to {SCHEMA}")


def as_settings(value: Json) -> PromptSettings:
    """The settings of prompts; those of a schema that had none are the defaults. Raises ValueError."""
    fields = Fields(as_mapping(value, "prompt"), "prompt.")
    default = PromptSettings()
    thinking = as_string(fields.take("thinking", default.thinking), "prompt.thinking")
    if thinking not in get_args(Thinking):
        raise wrong_value(thinking, "prompt.thinking", f"one of {', '.join(get_args(Thinking))}")
    options = as_list(fields.take("template_options", []), "prompt.template_options")
    texts = {name: as_string(fields.take(name, getattr(default, name)), f"prompt.{name}") for name in PROMPT_TEXTS}
    counts = {name: as_count(fields.take(name, 0), f"prompt.{name}") for name in PROMPT_COUNTS}
    fields.refuse_rest("prompt")
    try:
        given = {"template_options": tuple(map(_option, options)), "thinking": thinking, **texts, **counts}
        return PromptSettings(**given)  # type: ignore[arg-type]  # each was checked
    except SpecError as error:
        raise ValueError(f"prompt: {error}") from error


def _option(value: Json) -> tuple[str, AxisValue]:
    pair = as_list(value, "prompt.template_options")
    if len(pair) != 2:
        raise wrong_value(value, "prompt.template_options", "pairs of a name and a value")
    ((name, option),) = as_axes(
        {as_string(pair[0], "prompt.template_options"): pair[1]}, "prompt.template_options"
    ).items()
    return name, option


def _identities(value: Json) -> dict[str, ModelIdentity]:
    identities = {}
    for model, parts in as_mapping(value, "identities").items():
        fields = Fields(as_mapping(parts, f"identities.{model}"), f"identities.{model}.")
        names = [field.name for field in dataclasses.fields(ModelIdentity)]
        identities[model] = ModelIdentity(**{name: as_string(fields.take(name, ""), name) for name in names})
        fields.refuse_rest("an identity")
    return identities


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
}
NEEDED = {
    field.name
    for field in dataclasses.fields(Record)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
}

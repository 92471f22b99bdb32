"""Records and run.json as JSON, and the one validating reader of both: every version that was ever written.

Schema 1 is mta-eval 0.1 (no `schema` in the file, no `finish`, `thought`, `output_tokens`); 2 has no `unverified`,
`fingerprint`, `prompt`, `parts`, and identities among the environment; 3 is today's.
Over 250 lines, so that every field and what it may hold stand on one page.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, get_args

from mta_eval.core import (
    AnswerMode,
    AxisValue,
    Finish,
    Json,
    ModelIdentity,
    OverLength,
    Part,
    PromptSettings,
    QuotedNeedle,
    Record,
    Run,
    Sweep,
    Thinking,
)
from mta_eval.errors import SpecError

T = TypeVar("T")
SCHEMA = 3
PROMPT_TEXTS = ("system", "answer_prefix", "date")
PROMPT_COUNTS = ("thinking_tokens", "answer_tokens")


class NewerSchemaError(ValueError):
    """What was read was written by a newer mta-eval: it is not damaged, and nothing is to be removed."""


def record_line(record: Record) -> str:
    """A record as one line of JSON, without the line's end."""
    needles = [vars(needle) for needle in record.needles]
    return json.dumps({"schema": SCHEMA, **vars(record), "needles": needles}, ensure_ascii=False)


def read_record(line: str | bytes) -> Record:
    """The record of a line, of any schema. Raises ValueError that says which field is wrong, and how."""
    return record_of(json.loads(line))


def record_of(value: Json) -> Record:
    """The record that a parsed line is. Raises ValueError as `read_record` does."""
    fields = _Fields(_object(value, "the line"))
    fields.check_schema()
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
    fields = _Fields(_object(json.loads(text), "the file"))
    fields.check_schema()
    run = Run(
        tasks=tuple(_texts(fields.take("tasks"), "tasks")),
        models=tuple(_texts(fields.take("models"), "models")),
        sweep=_sweep(fields.take("sweep"), "sweep"),
        answer=_text(fields.take("answer"), "answer"),
        over_length=_text(fields.take("over_length"), "over_length"),
        version=_text(fields.take("version"), "version"),
        tokenizers=_text_by_name(fields.take("tokenizers"), "tokenizers"),
        environment=dict(_object(fields.take("environment", {}), "environment")),
        prompt=_prompt(fields.take("prompt", {})),
        identities=_identities(fields.take("identities", {})),
        parts=tuple(_part(part) for part in _list(fields.take("parts", []), "parts")),
    )
    fields.refuse_rest("a run")
    for value, name, allowed in ((run.answer, "answer", AnswerMode), (run.over_length, "over_length", OverLength)):
        if value not in get_args(allowed):
            raise ValueError(f"{name} is {value!r}, not one of {', '.join(get_args(allowed))}")
    return run


def _sweep(value: Json, name: str) -> Sweep:
    fields = _Fields(_object(value, name), f"{name}.")
    sweep = Sweep(
        tuple(_count(length, f"{name}.lengths") for length in _list(fields.take("lengths"), f"{name}.lengths")),
        tuple(_optional(_share)(depth, f"{name}.depths") for depth in _list(fields.take("depths"), f"{name}.depths")),
        _count(fields.take("repeats"), f"{name}.repeats"),
        _integer(fields.take("seed"), f"{name}.seed"),
    )
    fields.refuse_rest(name)
    return sweep


def _part(value: Json) -> Part:
    fields = _Fields(_object(value, "parts"), "parts.")
    tasks, models = (tuple(_texts(fields.take(name), f"parts.{name}")) for name in ("tasks", "models"))
    part = Part(tasks, models, _sweep(fields.take("sweep"), "parts.sweep"))
    fields.refuse_rest("a part")
    return part


def _prompt(value: Json) -> PromptSettings:
    """The settings of prompts; those of a schema that had none are the defaults."""
    fields = _Fields(_object(value, "prompt"), "prompt.")
    default = PromptSettings()
    thinking = _text(fields.take("thinking", default.thinking), "prompt.thinking")
    if thinking not in get_args(Thinking):
        raise _wrong(thinking, "prompt.thinking", f"one of {', '.join(get_args(Thinking))}")
    options = _list(fields.take("template_options", []), "prompt.template_options")
    texts = {name: _text(fields.take(name, getattr(default, name)), f"prompt.{name}") for name in PROMPT_TEXTS}
    counts = {name: _count(fields.take(name, 0), f"prompt.{name}") for name in PROMPT_COUNTS}
    fields.refuse_rest("prompt")
    try:
        given = {"template_options": tuple(map(_option, options)), "thinking": thinking, **texts, **counts}
        return PromptSettings(**given)  # type: ignore[arg-type]  # each was checked
    except SpecError as error:
        raise ValueError(f"prompt: {error}") from error


def _option(value: Json) -> tuple[str, AxisValue]:
    pair = _list(value, "prompt.template_options")
    if len(pair) != 2:
        raise _wrong(value, "prompt.template_options", "pairs of a name and a value")
    ((name, option),) = _axes({_text(pair[0], "prompt.template_options"): pair[1]}, "prompt.template_options").items()
    return name, option


def _identities(value: Json) -> dict[str, ModelIdentity]:
    identities = {}
    for model, parts in _object(value, "identities").items():
        fields = _Fields(_object(parts, f"identities.{model}"), f"identities.{model}.")
        names = [field.name for field in dataclasses.fields(ModelIdentity)]
        identities[model] = ModelIdentity(**{name: _text(fields.take(name, ""), name) for name in names})
        fields.refuse_rest("an identity")
    return identities


class _Fields:
    """The fields of an object, taken one by one; `prefix` names the object in errors."""

    def __init__(self, given: Mapping[str, Json], prefix: str = "") -> None:
        self.left = dict(given)
        self.prefix = prefix

    def take(self, name: str, *default: Json) -> Json:
        if name not in self.left and not default:
            raise ValueError(f"{self.prefix}{name} is missing")
        return self.left.pop(name, *default)

    def check_schema(self) -> None:
        schema = _integer(self.take("schema", 1), "schema")
        if schema > SCHEMA:
            known = f"schema {schema}, known are 1 to {SCHEMA}"
            raise NewerSchemaError(f"was written by a newer mta-eval ({known}); update this one")
        if schema < 1:
            raise _wrong(schema, "schema", f"a number from 1 to {SCHEMA}")

    def refuse_rest(self, noun: str) -> None:
        if self.left:
            raise ValueError(f"{next(iter(self.left))!r} is no field of {noun}")


def _wrong(value: object, name: str, wanted: str) -> ValueError:
    text = json.dumps(value)
    return ValueError(f"{name} is {text if len(text) <= 60 else text[:60] + ' …'}, not {wanted}")


def _object(value: Json, name: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise _wrong(value, name, "an object")
    return value


def _list(value: Json, name: str) -> Sequence[Json]:
    if not isinstance(value, list):
        raise _wrong(value, name, "a list")
    return value


def _text(value: Json, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(value, name, "a text")
    return value


def _text_by_name(value: Json, name: str) -> dict[str, str]:
    return {key: _text(item, f"{name}.{key}") for key, item in _object(value, name).items()}


def _texts(value: Json, name: str) -> list[str]:
    return [_text(item, name) for item in _list(value, name)]


def _boolean(value: Json, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, name, "true or false")
    return value


def _integer(value: Json, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, name, "a whole number")
    return value


def _count(value: Json, name: str) -> int:
    if (number := _integer(value, name)) < 0:
        raise _wrong(value, name, "a whole number from 0 on")
    return number


def _number(value: Json, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _wrong(value, name, "a finite number")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _seconds(value: Json, name: str) -> float:
    if isinstance(value, float) and math.isnan(value):  # not measured: lm-eval does not say
        return value
    if (number := _number(value, name)) < 0:
        raise _wrong(value, name, "a number from 0 on")
    return number


def _share(value: Json, name: str) -> float:
    if not 0 <= (number := _number(value, name)) <= 1:
        raise _wrong(value, name, "a number from 0 to 1")
    return number


def _optional(read: Callable[[Json, str], T]) -> Callable[[Json, str], T | None]:
    return lambda value, name: None if value is None else read(value, name)


def _axes(value: Json, name: str) -> dict[str, AxisValue]:
    axes: dict[str, AxisValue] = {}
    for axis, found in _object(value, name).items():
        if found is not None and not isinstance(found, str | int | float):
            raise _wrong(found, f"{name}.{axis}", "a number, a text, true, false or null")
        if isinstance(found, int | float) and not _is_finite(found):
            raise _wrong(found, f"{name}.{axis}", "a finite number")
        axes[axis] = found
    return axes


def _needles(value: Json, name: str) -> list[QuotedNeedle]:
    return [
        _needle(_object(item, f"{name}[{index}]"), f"{name}[{index}]") for index, item in enumerate(_list(value, name))
    ]


def _needle(given: Mapping[str, Json], name: str) -> QuotedNeedle:
    fields = _Fields(given, f"{name}.")
    needle = QuotedNeedle(
        key=_text(fields.take("key"), f"{name}.key"),
        value=_text(fields.take("value"), f"{name}.value"),
        text=_text(fields.take("text"), f"{name}.text"),
        token_start=_count(fields.take("token_start"), f"{name}.token_start"),
        token_end=_count(fields.take("token_end"), f"{name}.token_end"),
        depth=_share(fields.take("depth"), f"{name}.depth"),
        asked=_boolean(fields.take("asked"), f"{name}.asked"),
        before=_text(fields.take("before", ""), f"{name}.before"),
        after=_text(fields.take("after", ""), f"{name}.after"),
    )
    fields.refuse_rest(name)
    return needle


def _positions(value: Json, name: str) -> list[list[float]]:
    rows = [[_number(number, name) for number in _list(row, name)] for row in _list(value, name)]
    if any(len(row) != 3 for row in rows):
        raise ValueError(f"{name} has a row that is not [first place, nats, tokens]")
    return rows


def _finish(value: Json, name: str) -> str:
    if value not in get_args(Finish):
        raise _wrong(value, name, f"one of {', '.join(get_args(Finish))}")
    return str(value)


RECORD: dict[str, Callable[[Json, str], object]] = {
    "sample_id": _text,
    "task": _text,
    "model": _text,
    "axes": _axes,
    "targets": _texts,
    "output": _optional(_text),
    "score": _optional(_share),
    "prompt_tokens": _count,
    "max_new_tokens": _count,
    "seconds": _seconds,
    "truncated": _boolean,
    "error": _optional(_text),
    "choices": _texts,
    "needles": _needles,
    "prompt_sha256": _text,
    "peak_memory": _optional(_count),
    "positions": _positions,
    "finish": _optional(_finish),
    "thought": _text,
    "output_tokens": _optional(_count),
    "unverified": _boolean,
    "fingerprint": _text,
}
NEEDED = {
    field.name
    for field in dataclasses.fields(Record)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
}

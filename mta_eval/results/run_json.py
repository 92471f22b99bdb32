"""run.json, and its one validating reader: every version that was ever written (see `record_json.SCHEMA`)."""

from __future__ import annotations

import dataclasses
import json
from typing import get_args

from mta_eval.core import (
    AnswerMode,
    AxisValue,
    Json,
    ModelIdentity,
    OverLength,
    PromptSettings,
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
    as_count,
    as_integer,
    as_list,
    as_mapping,
    as_share,
    as_string,
    as_text_by_name,
    as_texts,
    optional,
    wrong_value,
)
from mta_eval.results.record_json import SCHEMA, check_schema

PROMPT_TEXTS = ("system", "answer_prefix", "date")
PROMPT_COUNTS = ("thinking_tokens", "answer_tokens")


def run_text(run: Run) -> str:
    """run.json."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(run)}, indent=2) + "\n"


def read_run_text(text: str) -> Run:
    """The question of a run.json of any schema. Raises ValueError that says which field is wrong, and how."""
    fields = Fields(as_mapping(read_json(text), "the file"))
    check_schema(fields)
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


def check_asked(record: Record, run: Run) -> None:
    """Raises ValueError for a record of a task or a model that the run has not."""
    for value, name, names in ((record.task, "task", run.tasks), (record.model, "model", run.models)):
        if value not in names:
            raise ValueError(f"{name} is {value!r}, which is none of the {name}s in run.json")


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

"""A sample as a line for other pipelines, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import NamedTuple

from mta_eval.core import Json, Message, Needle, Sample, Task
from mta_eval.results.json_fields import (
    Fields,
    as_axes,
    as_boolean,
    as_count,
    as_integer,
    as_list,
    as_mapping,
    as_share,
    as_string,
    as_text_by_name,
    as_texts,
)
from mta_eval.results.run_json import as_settings
from mta_eval.scoring import OUR_TASKS


class Exported(NamedTuple):
    """A sample as it was exported: with its seed, the rule that scores it ("" if its task names none), the model whose
    tokenizer made the prompt, as a spec, and that tokenizer's fingerprint."""

    sample: Sample
    seed: int
    rule: str
    model: str
    tokenizer: str


def sample_line(exported: Exported) -> str:
    """The line of JSON, without its end."""
    about = {"rule": exported.rule, "seed": exported.seed}
    made_by = {"tokenizer": {"model": exported.model, "fingerprint": exported.tokenizer}}
    return json.dumps({**dataclasses.asdict(exported.sample), **about, **made_by}, ensure_ascii=False)


def read_sample(value: Json) -> Exported:
    """What a parsed line of an export is; fields that others have added are passed over.

    Raises ValueError that says which field is wrong, and how.
    """
    fields = Fields(as_mapping(value, "the line"))
    tokenizer = Fields(as_mapping(fields.take("tokenizer"), "tokenizer"), "tokenizer.")
    return Exported(
        sample_of_fields(fields.left),
        as_integer(fields.take("seed"), "seed"),
        as_string(fields.take("rule"), "rule"),
        as_string(tokenizer.take("model"), "tokenizer.model"),
        as_string(tokenizer.take("fingerprint"), "tokenizer.fingerprint"),
    )


def sample_of_fields(given: Mapping[str, Json]) -> Sample:
    """The sample whose fields these are, after JSON too; others are passed over. Raises ValueError as `read_sample`."""
    fields = Fields(given)
    chat = fields.take("chat", None)
    return Sample(
        id=as_string(fields.take("id"), "id"),
        task=as_string(fields.take("task"), "task"),
        prompt=as_string(fields.take("prompt"), "prompt"),
        targets=tuple(as_texts(fields.take("targets"), "targets")),
        axes=as_axes(fields.take("axes"), "axes"),
        length=as_count(fields.take("length"), "length"),
        prompt_tokens=as_count(fields.take("prompt_tokens"), "prompt_tokens"),
        max_new_tokens=as_count(fields.take("max_new_tokens"), "max_new_tokens"),
        choices=tuple(as_texts(fields.take("choices"), "choices")),
        needles=tuple(map(_needle, as_list(fields.take("needles"), "needles"))),
        chat=None if chat is None else tuple(map(_message, as_list(chat, "chat"))),
        stop=tuple(as_texts(fields.take("stop"), "stop")),
        target_delimiter=as_string(fields.take("target_delimiter"), "target_delimiter"),
        settings=as_settings(fields.take("settings")),
        draw=as_string(fields.take("draw", ""), "draw"),
    )


def rule_of(task: Task) -> str:
    """The name of the rule by which a task scores; "" if it does not say."""
    named = getattr(task, "_rule", "") or getattr(task, "rule", "")
    return str(named) or next(iter(OUR_TASKS.get(task.name, ())), "")


def _message(value: Json) -> Message:
    return as_text_by_name(value, "chat")


def _needle(value: Json) -> Needle:
    fields = Fields(as_mapping(value, "needles"), "needles.")
    return Needle(
        key=as_string(fields.take("key"), "needles.key"),
        value=as_string(fields.take("value"), "needles.value"),
        text=as_string(fields.take("text"), "needles.text"),
        token_start=as_count(fields.take("token_start"), "needles.token_start"),
        token_end=as_count(fields.take("token_end"), "needles.token_end"),
        depth=as_share(fields.take("depth"), "needles.depth"),
        asked=as_boolean(fields.take("asked"), "needles.asked"),
    )

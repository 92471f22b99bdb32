"""Specs: "niah:needles=4,asked=1" <-> Niah(needles=4, asked=1).

A spec is a name, then options. The first option may stand without its key (`window:300`, `hf:/some/folder`).
A comma only separates where `key=` follows it, so paths may hold commas. An option whose metadata says `rest` takes
every key that is no option of its own, as pairs. Names resolve through lazy tables, extended by the entry points
`mta_eval.tasks`, `mta_eval.models` and `mta_eval.attention` of other packages.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from mta_eval.core import Model, Task
from mta_eval.errors import SpecError
from mta_eval.errors import did_you_mean as did_you_mean


class Named(Protocol):
    """A task or a model: a dataclass with a name in the registry."""

    name: ClassVar[str]


T = TypeVar("T", bound=Named)

TASKS = {
    "letter_blocks": "mta_eval.tasks.letter_blocks:LetterBlocks",
    "niah": "mta_eval.tasks.niah:Niah",
    "babilong": "mta_eval.tasks.babilong:Babilong",
    "passkey": "mta_eval.tasks.passkey:Passkey",
    "perplexity": "mta_eval.tasks.perplexity:Perplexity",
}
MODELS = {
    "window": "mta_eval.models.window:Window",
    "hf": "mta_eval.models.hf:HuggingFace",
    "smollm2": "mta_eval.models.smollm2:SmolLM2",
    "longheads": "mta_eval.models.extended:LongHeads",
    "stretched": "mta_eval.models.extended:ContextExtension",
    "letter-blocks-mta": "mta_eval.models.shipped:LetterBlocksMTA",
    "letter-blocks-transformer": "mta_eval.models.shipped:LetterBlocksTransformer",
    "vllm": "mta_eval.models.vllm:VLLM",
    "server": "mta_eval.models.server:Server",
    "harness": "mta_eval.models.harness:Harness",
    "tokenizer": "mta_eval.models.tokenizer:TokenizerOnly",
}

ATTENTION = {
    "transformer": "mta_eval.attention.transformer:TransformerAttention",
    "mta": "mta_eval.attention.mta:MTAAttention",
    "diff": "mta_eval.attention.diff:DiffAttention",
    "talking_heads": "mta_eval.attention.talking_heads:TalkingHeadsAttention",
}
Kind = Literal["tasks", "models", "attention"]
BUILT_IN: dict[Kind, dict[str, str]] = {"tasks": TASKS, "models": MODELS, "attention": ATTENTION}
SINGULAR: dict[Kind, str] = {"tasks": "task", "models": "model", "attention": "attention variant"}


def names(kind: Kind) -> dict[str, str]:
    """Name -> "module:Class" of every task, model or attention variant, built-ins first.

    Every attention variant is a model too: a checkpoint of it by its path.
    """
    table = dict(BUILT_IN[kind])
    if kind == "models":
        table |= {name: f"mta_eval.models.family:{name}" for name in names("attention") if name not in table}
    for entry in entry_points(group=f"mta_eval.{kind}"):
        table.setdefault(entry.name, entry.value)
    return table


def find(kind: Kind, name: str) -> type[Any]:
    """The class behind a name. Raises SpecError, with the nearest names, if there is none."""
    table = names(kind)
    if name not in table:
        raise SpecError(f"no {SINGULAR[kind]} is called {name!r}{did_you_mean(name, table)}")
    module, _, attribute = table[name].partition(":")
    class_: type[Any] = getattr(import_module(module), attribute)
    return class_


def build_task(spec: str) -> Task:
    """The task a spec names. Raises SpecError."""
    task: Task = _build("tasks", spec)
    return task


def build_model(spec: str) -> Model:
    """The model a spec names; its weights are not loaded yet. Raises SpecError."""
    model: Model = _build("models", spec)
    return model


def build_all(specs: Sequence[str], build: Callable[[str], T]) -> dict[str, T]:
    """Tasks or models by their canonical specs; doubles fall together. Raises SpecError."""
    built = [build(spec) for spec in specs]
    return {spec_of(thing): thing for thing in built}


def spec_of(thing: Named) -> str:
    """The shortest spec that builds `thing` again: its name and the options that differ from their defaults.

    An option whose metadata says `always` is named even at its default: without it the name would say too little.
    """
    options: list[str] = []
    if not dataclasses.is_dataclass(thing):
        raise TypeError(f"{thing!r} has no options: it is no dataclass")
    for index, field in enumerate(field for field in dataclasses.fields(thing) if field.init):
        value = getattr(thing, field.name)
        if value != field.default or field.metadata.get("always"):
            if field.metadata.get("rest"):
                options += [f"{key}={text}" for key, text in value]
                continue
            positional = index == 0 and field.default is dataclasses.MISSING and "=" not in option_text(value)
            options.append(option_text(value) if positional else f"{field.name}={option_text(value)}")
    return ":".join([thing.name, ",".join(options)]) if options else str(thing.name)


def parse(spec: str) -> tuple[str, str | None, dict[str, str]]:
    """ "hf:a/b,dtype=float32" -> ("hf", "a/b", {"dtype": "float32"}). Raises SpecError on a doubled option."""
    name, _, rest = spec.partition(":")
    positional: str | None = None
    options: dict[str, str] = {}
    for index, part in enumerate(re.split(r",(?=[a-z_]+=)", rest) if rest else []):
        key, equals, value = part.partition("=")
        if index == 0 and not (equals and re.fullmatch(r"[a-z_]+", key)):
            positional = part
        elif key in options:
            raise SpecError(f"{spec!r} gives option {key!r} twice")
        else:
            options[key] = value
    return name.strip(), positional, options


def _build(kind: Kind, spec: str) -> Any:
    name, positional, options = parse(spec)
    class_ = find(kind, name)
    fields = {field.name: field for field in dataclasses.fields(class_) if field.init}
    if positional is not None:
        if not fields:
            raise SpecError(f"{name!r} takes no options, but {spec!r} gives {positional!r}")
        first = next(iter(fields))
        if first in options:
            raise SpecError(f"{spec!r} gives option {first!r} twice")
        options[first] = positional
    rest = next((key for key, field in fields.items() if field.metadata.get("rest")), None)
    unknown = {key: value for key, value in options.items() if key not in fields or key == rest}
    if unknown and not rest:
        raise SpecError(f"{name!r} has no option {(key := next(iter(unknown)))!r}{did_you_mean(key, fields)}")
    for key, field in fields.items():
        if key not in options and field.default is dataclasses.MISSING:
            raise SpecError(f"{name!r} needs {key!r}: write {name}:{key.upper()}")
    types = get_type_hints(class_)
    known = {key: value for key, value in options.items() if key not in unknown}
    values = {key: _convert(name, key, value, types[key]) for key, value in known.items()}
    return class_(**values | ({rest: tuple(unknown.items())} if rest and unknown else {}))


def _convert(name: str, key: str, value: str, kind: Callable[[str], object]) -> object:
    if get_origin(kind) in (Union, UnionType):
        kind = next(arm for arm in get_args(kind) if arm is not NoneType)
    if get_origin(kind) is Literal:
        if value not in map(str, get_args(kind)):
            allowed = [str(arm) for arm in get_args(kind)]
            raise SpecError(f"{name}: option {key} cannot be {value!r}{did_you_mean(value, allowed)}")
        return next(arm for arm in get_args(kind) if str(arm) == value)
    if kind is bool:
        if value.lower() not in ("true", "false"):
            raise SpecError(f"{name}: option {key} is true or false, not {value!r}")
        return value.lower() == "true"
    try:
        return kind(value)
    except ValueError as error:
        raise SpecError(f"{name}: option {key} wants {kind.__name__}, not {value!r}") from error


def option_text(value: object) -> str:
    """An option's value as a spec has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)

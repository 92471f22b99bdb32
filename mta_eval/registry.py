"""Specs: "niah:needles=4,asked=1" <-> Niah(needles=4, asked=1). Over 250 lines, so that all names stand on one page.

A spec is a name, then options. The first option may stand without its key (`window:300`, `hf:/some/folder`).
A comma only separates where `key=` follows it, so paths may hold commas. A value in quotes, "…" or '…', may hold
anything; a quote inside is written twice: `niah:needle="Say ""{value}"", x=1."`. An option whose metadata says `rest`
takes every key that is no option of its own, as pairs. Names resolve through lazy tables, extended by the entry points
`mta_eval.tasks`, `mta_eval.models`, `mta_eval.attention`, `mta_eval.diagnostics` and `mta_eval.loggers` of others.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from mta_eval.built_in import ATTENTION, DIAGNOSTICS, LOGGERS, MODELS, TASKS
from mta_eval.core import DiagnosticTask, Model, Task
from mta_eval.errors import SpecError
from mta_eval.errors import did_you_mean as did_you_mean
from mta_eval.outside import MOST_DIGITS, typed_float, typed_integer

TYPED: dict[object, Callable[[str], object]] = {int: typed_integer, float: typed_float}
_KEY = re.compile(r"[a-z_]+=")
_NEXT = re.compile(r",(?=[a-z_]+=)")  # between two options
_LIST = re.compile(r"(?<==)\{([^{}\"']*)\}(?=,[a-z_]+=|$)")  # of values: needles={1,2,4}
_QUOTED = re.compile(r"""(["'])((?:(?!\1).|\1\1)*)\1(?=,[a-z_]+=|$)""", re.DOTALL)


class Named(Protocol):
    """A task or a model: a dataclass with a name in the registry."""

    name: ClassVar[str]


T = TypeVar("T", bound=Named)

Kind = Literal["tasks", "models", "attention", "diagnostics", "loggers"]
BUILT_IN: dict[Kind, dict[str, str]] = {
    "tasks": TASKS,
    "models": MODELS,
    "attention": ATTENTION,
    "diagnostics": DIAGNOSTICS,
    "loggers": LOGGERS,
}
SINGULAR: dict[Kind, str] = {
    "tasks": "task",
    "models": "model",
    "attention": "attention variant",
    "diagnostics": "diagnostic task",
    "loggers": "logger",
}
ADDED: dict[Kind, dict[str, str]] = {kind: {} for kind in BUILT_IN}  # by `add`, in this process


def names(kind: Kind) -> dict[str, str]:
    """Name -> "module:Class" of every task, model, attention variant, diagnostic task or logger, built-ins first.

    Every attention variant is a model too: a checkpoint of it by its path.
    """
    table = dict(BUILT_IN[kind])
    if kind == "models":
        table |= {name: f"mta_eval.models.family:{name}" for name in names("attention") if name not in table}
    for entry in entry_points(group=f"mta_eval.{kind}"):
        table.setdefault(entry.name, entry.value)
    return table | ADDED[kind]


def add(kind: Kind, name: str, target: str) -> None:
    """Make "module:Class" known under a name, in this process. Raises SpecError if the name is that of another."""
    if (known := names(kind).get(name, target)) != target:
        raise SpecError(f"the {SINGULAR[kind]} {name!r} is there already: {known}; give this one another name")
    ADDED[kind][name] = target


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


def build_diagnostic(spec: str) -> DiagnosticTask:
    """The diagnostic task a spec names. Raises SpecError."""
    task: DiagnosticTask = _build("diagnostics", spec)
    return task


def build_model(spec: str) -> Model:
    """The model a spec names; its weights are not loaded yet. Raises SpecError."""
    name, _, rest = spec.partition(":")
    if name not in names("models") and (rest.startswith("//") or "/" in name or Path(spec).exists()):
        raise SpecError(
            f"no model is called {spec!r}; did you mean {'server' if rest.startswith('//') else 'hf'}:{spec}?"
        )
    model: Model = _build("models", spec)
    return model


def build_of_kind(kind: Kind, spec: str) -> Any:
    """What a spec of any kind names; who asks knows which it is. Raises SpecError."""
    return _build(kind, spec)


def build_all(specs: Sequence[str], build: Callable[[str], T]) -> dict[str, T]:
    """Tasks or models by their canonical specs; doubles fall together. Raises SpecError.

    "niah:needles={1,2}" is "niah:needles=1" and "niah:needles=2".
    """
    built = [build(one) for spec in specs for one in expand(spec)]
    return {spec_of(thing): thing for thing in built}


def expand(spec: str) -> list[str]:
    """The specs that one with lists of values stands for, each combination: "niah:needles={1,2},digits={3,5}" is four.

    Raises SpecError for an empty list.
    """
    parts = _LIST.split(spec)
    lists = [[value.strip() for value in part.split(",")] for part in parts[1::2]]
    if any("" in values for values in lists):
        raise SpecError(f"{spec!r} has a list with nothing between its commas")
    return [
        "".join(text for pair in zip(parts[::2], (*chosen, ""), strict=True) for text in pair)
        for chosen in product(*lists)
    ]


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
                options += [f"{key}={option_text(text)}" for key, text in value]
                continue
            positional = index == 0 and field.default is dataclasses.MISSING and "=" not in option_text(value)
            options.append(option_text(value) if positional else f"{field.name}={option_text(value)}")
    return ":".join([thing.name, ",".join(options)]) if options else str(thing.name)


def parse(spec: str) -> tuple[str, str | None, dict[str, str]]:
    """ "hf:a/b,dtype=float32" -> ("hf", "a/b", {"dtype": "float32"}); quotes around a value are taken off.

    Raises SpecError on a doubled option and on a quote that is not closed.
    """
    name, _, rest = spec.partition(":")
    positional: str | None = None
    options: dict[str, str] = {}
    place = 0
    while place < len(rest):
        key = _KEY.match(rest, place)
        value, end = _value_at(rest, key.end() if key else place, spec)
        if key is None:
            positional = value
        elif key[0][:-1] in options:
            raise SpecError(f"{spec!r} gives option {key[0][:-1]!r} twice")
        else:
            options[key[0][:-1]] = value
        place = end + 1
    return name.strip(), positional, options


def _value_at(rest: str, start: int, spec: str) -> tuple[str, int]:
    """The value that begins at `start`, without its quotes, and where it ends."""
    if rest[start : start + 1] not in ("'", '"'):
        found = _NEXT.search(rest, start)
        end = found.start() if found else len(rest)
        return rest[start:end], end
    quoted = _QUOTED.match(rest, start)
    if not quoted:
        quote = rest[start]
        raise SpecError(
            f"{spec!r} has a value whose quote {quote} is not closed before the next option or the end; "
            f"a quote inside is written twice: {quote}{quote}"
        )
    return quoted[2].replace(quoted[1] * 2, quoted[1]), quoted.end()


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
    for key in [key for key in known if "text_means" in fields[key].metadata and not known[key].isdecimal()]:
        # an option that is a number, and as a text another option: values=2, values=FILE
        other, form = fields[key].metadata["text_means"]
        if other in known:
            raise SpecError(f"{spec!r}: {key}={known[key]} means {other}={form.format(known[key])}; give one of both")
        known[other] = form.format(known.pop(key))
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
        return TYPED.get(kind, kind)(value)
    except ValueError as error:
        digits = f" of at most {MOST_DIGITS} digits" if kind is int and value.isdecimal() else ""
        raise SpecError(f"{name}: option {key} wants {kind.__name__}{digits}, not {value!r:.100}") from error


def option_text(value: object) -> str:
    """An option's value as a spec has it: in quotes where it would be read as something else without them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text.startswith(("'", '"')) or _NEXT.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text

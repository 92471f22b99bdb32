"""A study in a file: the options of `mta-eval run`, written in TOML under the names that they have on the command line.

    out = "runs/study"
    lengths = ["2k", "4k"]
    depths = "0:1:0.25"
    seeds = [0, 1]

    [[tasks]]
    name = "niah"
    needles = [1, 2, 4]

    [[models]]
    spec = "hf:checkpoints/mine"
    label = "Mine"

Tasks and models may be lists of specs too. Read, a study is the arguments that it stands for.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

from mta_eval import registry
from mta_eval.arguments import parse_scalars
from mta_eval.core import Json, Scalar
from mta_eval.errors import SpecError, did_you_mean
from mta_eval.outside import regular
from mta_eval.registry import option_text

JOINED = ("lengths", "depths", "seeds")  # one option holds all of a list
REPEATED = ("model", "template-option", "name", "label")  # an option for each of a list
MODEL_KEYS = ("spec", "label")
FIGURE = ("x", "y")


def study_arguments(path: Path, options: Sequence[str], given: Sequence[str]) -> list[str]:
    """The tasks and options that a study stands for, as arguments of the command line, without those `given` there.

    `options` are the names that a study may use. Raises SpecError, naming the file and the field.
    """
    arguments: list[str] = []
    fields = _read(path)
    figure = fields.pop("figure", {})
    if not isinstance(figure, Mapping):
        raise SpecError(f"{path}: figure is a table of x and y")
    for key, value in {**fields, **figure}.items():
        name = key.replace("_", "-")
        if name not in (*options, "tasks", "models"):
            raise SpecError(
                f"{path}: {key!r} is no option of a study{did_you_mean(name, [*options, 'tasks', 'models'])}"
            )
        if name in given or (name == "models" and "model" in given) or {name, *given} >= {"seed", "seeds"}:
            continue
        try:
            arguments += _arguments(name, value)
        except SpecError as error:
            raise SpecError(f"{path}: {key}: {error}") from error
    return arguments


def study_text(
    given: Mapping[str, object],
    labels: Mapping[str, str],
    task_labels: Mapping[str, str] = MappingProxyType({}),
    task_spec: Callable[[str], str] = str,
) -> str:
    """The study of a command line, from the options given there by their names.

    `labels` of models and `task_labels` are by canonical specs, of which `task_spec` makes that of a task.
    """
    import tomli_w

    options = {name: value for name, value in given.items() if name not in ("tasks", "model", "label", *FIGURE)}
    document: dict[str, object] = {name: _toml_value(name, value) for name, value in options.items()}
    specs = _texts(given.get("tasks"))
    document["tasks"] = specs
    if task_labels:
        each = [one for spec in specs for one in registry.expand(spec)]
        named = {spec: task_labels.get(task_spec(spec)) for spec in each}
        document["tasks"] = [{"spec": spec, "label": name} if name else {"spec": spec} for spec, name in named.items()]
    specs = [one for spec in _texts(given.get("model")) for one in registry.expand(spec)]
    names = {spec: labels.get(registry.spec_of(registry.build_model(spec))) for spec in specs}
    document["models"] = [{"spec": spec, "label": name} if name else {"spec": spec} for spec, name in names.items()]
    if figure := {name: given[name] for name in FIGURE if name in given}:
        document["figure"] = figure
    return tomli_w.dumps(document)


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list | tuple) else []


def _toml_value(name: str, value: object) -> object:
    if name == "template_option":
        options = dict(parse_scalars(_texts(value)))
        return _texts(value) if None in options.values() else options  # TOML has no null
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, bool | int | float | str) else str(value)


def _read(path: Path) -> dict[str, Json]:
    try:
        fields = tomllib.loads(regular(path).read_text("utf-8-sig"))
    except OSError as error:
        raise SpecError(f"cannot read the study {str(path)!r}: {error.strerror}") from error
    except RecursionError as error:
        raise SpecError(f"the study {str(path)!r} is no TOML that can be read: it is nested too deeply") from error
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise SpecError(f"the study {str(path)!r} is no TOML: {error}") from error
    return {key: str(value) if isinstance(value, datetime.date) else value for key, value in fields.items()}


def _arguments(name: str, value: Json) -> Iterator[str]:
    if name == "tasks":
        for entry in _entries(value):
            specs = list(_task_specs(entry))
            yield from specs
            yield from _task_label(entry, specs)
    elif name == "models":
        for entry in _entries(value):
            yield from _model_arguments(entry)
    elif name in JOINED:
        parts = value if _is_list(value) else [value]
        yield from (f"--{name}", ",".join(map(_text, parts)))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from (f"--{name}", f"{key}={json.dumps(_scalar(part))}")
    elif isinstance(value, bool):
        yield from [f"--{name}"] * value
    else:
        if _is_list(value) and name not in REPEATED:
            raise SpecError(f"takes one value, not a list of {len(value)}")
        for part in value if _is_list(value) else [value]:
            yield from (f"--{name}", _text(part))


def _task_specs(entry: Json) -> Iterator[str]:
    """A task's spec as it stands; or from a table of its name and options, one for each combination of their lists."""
    if not isinstance(entry, Mapping):
        yield _text(entry)
        return
    options = {key: value for key, value in entry.items() if key != "label"}
    if "spec" in options:
        if rest := [key for key in options if key != "spec"]:
            raise SpecError(f"a task with a spec has its options there, so {rest[0]!r} is too much; write spec or name")
        yield _text(options["spec"])
        return
    name = _text(options.pop("name", ""))
    if not name:
        raise SpecError('a task has no name; write name = "niah" beside its options')
    choices = [[(key, part) for part in (value if _is_list(value) else [value])] for key, value in options.items()]
    for chosen in product(*choices):
        text = ",".join(f"{key}={option_text(_scalar(part))}" for key, part in chosen)
        yield f"{name}:{text}" if text else name


def _task_label(entry: Json, specs: Sequence[str]) -> Iterator[str]:
    """The option that names a task; a label belongs to one task."""
    if isinstance(entry, Mapping) and "label" in entry:
        if len(specs) != 1 or len(registry.expand(specs[0])) != 1:
            raise SpecError("a label names one task; give tasks with lists of values a table each")
        yield from ("--name", f"{specs[0]}={_text(entry['label'])}")


def _model_arguments(entry: Json) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield from ("--model", _text(entry))
        return
    if unknown := next((key for key in entry if key not in MODEL_KEYS), None):
        raise SpecError(f"{unknown!r} is no field of a model; it has spec and label")
    spec = _text(entry.get("spec", ""))
    if not spec:
        raise SpecError('a model has no spec; write spec = "hf:PATH"')
    yield from ("--model", spec)
    if "label" in entry:
        yield from ("--name", f"{spec}={_text(entry['label'])}")


def _entries(value: Json) -> Sequence[Json]:
    if not _is_list(value) or not value:
        raise SpecError("wants a list of specs, or tables")
    return value


def _is_list(value: Json) -> TypeGuard[list[Json]]:
    return isinstance(value, list)


def _scalar(value: Json) -> Scalar:
    if not isinstance(value, str | int | float | bool):
        raise SpecError(f"{value!r} is no text, number, true or false")
    return value


def _text(value: Json) -> str:
    if isinstance(value, bool):
        raise SpecError(f"{str(value).lower()} is no text and no number")
    return str(_scalar(value))

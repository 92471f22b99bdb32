"""What tables, pictures and the page call each model and task: labels that users gave, and short names for the rest.

A short name is made of a spec: of a model the checkpoint's own name (the last part of its path or hub id), of a task
its family; then the options in which it differs from the others of its kind. No two specs ever have one name: where
short names are the same they grow, by the folder before, by the kind of model, at last to the whole spec.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from mta_eval import registry
from mta_eval.core import Record, Run
from mta_eval.errors import SpecError
from mta_eval.results.given_labels import read_labels

# options that name a checkpoint where the spec's first part names a server or a backend
CHECKPOINTS = ("pretrained", "model", "path", "checkpoint")
SILENT = ("hf", "vllm", "server", "harness")  # kinds of models that say nothing of the model


@dataclass(frozen=True)
class ShownRecord(Record):
    """A record under the names of its task and model; `task_spec` and `model_spec` are what the run calls them."""

    task_spec: str = ""
    model_spec: str = ""


class Labels:
    """The name of every model and task of some runs; of others, their specs. `models` and `tasks` are by spec."""

    def __init__(self, models: Mapping[str, str], tasks: Mapping[str, str]) -> None:
        self.models, self.tasks = dict(models), dict(tasks)

    def model(self, spec: str) -> str:
        """What a model is called."""
        return self.models.get(spec, spec)

    def task(self, spec: str) -> str:
        """What a task is called."""
        return self.tasks.get(spec, spec)

    def model_spec(self, name: str) -> str:
        """The spec of a model, from its name or its spec; what is neither stays as it is."""
        return next((spec for spec, label in self.models.items() if label == name), name)

    def task_spec(self, name: str) -> str:
        """The spec of a task, from its name or its spec; what is neither stays as it is."""
        return next((spec for spec, label in self.tasks.items() if label == name), name)

    def shown(self, records: Sequence[Record]) -> list[Record]:
        """The same records under the names of their tasks and models; see `stored` for the way back."""
        return [self._shown(record) for record in records]

    def _shown(self, record: Record) -> Record:
        task, model = stored_task(record), stored_model(record)
        there = {field.name: getattr(record, field.name) for field in fields(Record)}
        names = {"task": self.task(task), "model": self.model(model)}
        return ShownRecord(**(there | names), task_spec=task, model_spec=model)


def make_labels(records: Sequence[Record], runs: Sequence[tuple[str, Run]], given: Sequence[str] = ()) -> Labels:
    """The labels of `runs` (name, question) and of all that `records` hold.

    `given` are labels of the command line, SPEC=LABEL, for tasks and models; they stand above those of the runs. A
    label that two have, or that is another's name, is used for neither. Raises SpecError for one of `given` that is
    no such text, or of a task or model that is not there.
    """
    models = dict.fromkeys([*(model for _, run in runs for model in run.models), *_each(records, stored_model)])
    tasks = dict.fromkeys([*(task for _, run in runs for task in run.tasks), *_each(records, stored_task)])
    told = {spec: label for _, run in reversed(runs) for spec, label in run.labels.items()}
    told_tasks = {spec: label for _, run in reversed(runs) for spec, label in run.task_labels.items()}
    beside = {spec: pair for spec in models if (pair := _in_run(spec, runs))}
    plain = [spec for spec in models if spec not in beside]
    shown, shown_tasks = _names(plain, told, names_of_models), _names(list(tasks), told_tasks, names_of_tasks)
    if given:
        found, found_tasks = read_labels(given, plain, list(tasks), (shown, shown_tasks))
        shown = _names(plain, told | found, names_of_models)
        shown_tasks = _names(list(tasks), told_tasks | found_tasks, names_of_tasks)
    names = shown | {spec: f"{shown[model]} ({run})" for spec, (model, run) in beside.items()}
    return Labels(names, shown_tasks)


def stored(record: Record) -> Record:
    """A record as its run has it, under the specs of its task and model."""
    if not isinstance(record, ShownRecord):
        return record
    there = {field.name: getattr(record, field.name) for field in fields(Record)}
    return Record(**(there | {"task": record.task_spec, "model": record.model_spec}))


def stored_task(record: Record) -> str:
    """The spec of a record's task, whatever it is shown as."""
    return record.task_spec if isinstance(record, ShownRecord) else record.task


def stored_model(record: Record) -> str:
    """The spec of a record's model, whatever it is shown as; behind it its run's name where two runs answered alike."""
    return record.model_spec if isinstance(record, ShownRecord) else record.model


class _Spec(NamedTuple):
    kind: str
    parts: list[str]  # of the path that names it, the last one last; none if there is no path
    options: dict[str, str]


def names_of_models(specs: Sequence[str]) -> dict[str, list[str]]:
    """For each model the names that it may have, the shortest first, by spec; the last one is the spec."""
    read = {spec: _read_model(spec) for spec in specs}
    differing = _differing([one for one in read.values() if one])
    names: dict[str, list[str]] = {}
    for spec, one in read.items():
        names[spec] = [spec]
        if one is None:
            continue
        shown = {key: value for key, value in one.options.items() if key in differing[one.kind]}
        if not one.parts:
            names[spec] = [_joined(one.kind, "", shown), spec]
            continue
        ends = ["/".join(one.parts[-count:]) for count in range(1, len(one.parts) + 1)]
        heads = [*ends[:2], f"{one.kind}:{ends[0]}", *ends[2:]]
        if one.kind not in (*SILENT, *registry.names("attention")):
            heads = [f"{one.kind}:{end}" for end in ends]
        names[spec] = [*(_joined("", head, shown) for head in heads), spec]
    return names


def names_of_tasks(specs: Sequence[str]) -> dict[str, list[str]]:
    """The same for tasks. One that is alone of its family keeps its options."""
    read = {spec: _read(spec) for spec in specs}
    differing = _differing([one for one in read.values() if one])
    alone = Counter(one.kind for one in read.values() if one)
    names: dict[str, list[str]] = {}
    for spec, one in read.items():
        if one is None:
            names[spec] = [spec]
            continue
        kept = {key: value for key, value in one.options.items() if alone[one.kind] < 2 or key in differing[one.kind]}
        names[spec] = [_joined(one.kind, one.parts[-1] if one.parts else "", kept), spec]
    return names


def _names(
    specs: Sequence[str], told: Mapping[str, str], names_of: Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
) -> dict[str, str]:
    """A name for each spec: the label it was told, or the shortest of its names that no other has."""
    names = names_of(specs)
    candidates = {spec: [told[spec], *names[spec]] if spec in told else list(names[spec]) for spec in specs}
    while doubles := _doubles({spec: one[0] for spec, one in candidates.items()}):
        grown = [spec for spec in doubles if len(candidates[spec]) > 1]
        for spec in grown:
            del candidates[spec][0]
    return {spec: one[0] for spec, one in candidates.items()}


def _doubles(names: Mapping[str, str]) -> list[str]:
    counts = Counter(names.values())
    return [spec for spec, name in names.items() if counts[name] > 1]


def _read(spec: str) -> _Spec | None:
    """A spec in parts; None where it is none: a name of another program."""
    try:
        kind, first, options = registry.parse(spec)
    except SpecError:
        return None
    return _Spec(kind, [] if first is None else _path(first), options)


def _read_model(spec: str) -> _Spec | None:
    one = _read(spec)
    if one is None or not one.kind:
        return None
    key = next((key for key in CHECKPOINTS if key in one.options), None)
    if key:
        rest = {name: value for name, value in one.options.items() if name != key}
        return _Spec(one.kind, _path(one.options[key]), rest)
    if one.parts and not any(sign.isalpha() for sign in one.parts[-1]):  # a number, a dot: it says little alone
        return _Spec(f"{one.kind}:{'/'.join(one.parts)}", [], one.options)
    return one


def _path(text: str) -> list[str]:
    """The parts of a path, a hub id or an address; of an address its host alone."""
    parts = [part for part in text.split("/") if part]
    if "://" in text:
        return parts[1:2]
    return parts or [text]


def _differing(specs: Sequence[_Spec]) -> dict[str, set[str]]:
    """By kind, the options that not all specs of it have, or not with the same value."""
    by_kind: dict[str, list[dict[str, str]]] = defaultdict(list)
    for spec in specs:
        by_kind[spec.kind].append(spec.options)
    return {
        kind: {key for one in options for key in one if len({other.get(key) for other in options}) > 1}
        for kind, options in by_kind.items()
    }


def _joined(kind: str, head: str, options: Mapping[str, str]) -> str:
    """kind:head,key=value as a spec has them; of a value that is a path its last part."""
    texts = [f"{key}={registry.option_text(_path(value)[-1])}" for key, value in options.items()]
    first = ":".join(filter(None, (kind, head)))
    return f"{first}{',' if head else ':'}{','.join(texts)}" if texts else first


def _in_run(model: str, runs: Sequence[tuple[str, Run]]) -> tuple[str, str] | None:
    """The model and the run of "MODEL (RUN)", as `read_several` tells apart what two runs answered."""
    for name, run in runs:
        spec = model.removesuffix(f" ({name})")
        if spec != model and spec in run.models:
            return spec, name
    return None


def _each(records: Sequence[Record], spec_of: Callable[[Record], str]) -> list[str]:
    return list(dict.fromkeys(map(spec_of, records)))

"""A run that grows: two questions as one, or a refusal of what contradicts.

More tasks, models, lengths, depths, repeats and seeds make a question larger. How it is asked, by which version, and of
which weights and tokenizer cannot change: the answers would not belong together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from mta_eval.core import Json, ModelIdentity, PromptSettings, Record, Run, Sweep
from mta_eval.results.parts import parts_of_run, samples_in, united

PARTS = {"weights": "weights", "config": "configuration", "adapter": "adapter", "revision": "revision on the hub"} | {
    "template": "chat template",
    "generation": "end tokens",
}
T = TypeVar("T")
LONGEST = 60  # characters of a value in an error
FIXED = ("answer", "over_length", "version")


class ContradictionError(ValueError):
    """Two questions cannot be one: `what` was `before` and is `now`; `model` is the one that has changed, or ""."""

    def __init__(self, what: str, before: object, now: object, model: str = "") -> None:
        self.what, self.before, self.now, self.model = what, _short(before), _short(now), model
        super().__init__(f"{what} was {self.before}, now {self.now}")


def grown(there: Run, records: Sequence[Record], here: Run) -> Run:
    """The question that holds both: of what `there` (with its `records`) was asked, and `here`; the first come first.

    Raises ContradictionError.
    """
    refuse_contradictions(there, here)
    both = replace(
        there,
        tasks=_joined(there.tasks, here.tasks),
        models=_joined(there.models, here.models),
        sweep=_spanned(there.sweep, here.sweep),
        tokenizers={**there.tokenizers, **here.tokenizers},
        identities=_identities(there.identities, here.identities),
        environment=_environments(there.environment, here.environment),
    )
    return with_parts(replace(both, parts=united(parts_of_run(there, records), parts_of_run(here, ()), both)))


def without_unanswered(there: Run, records: Sequence[Record], here: Run) -> Run:
    """`there` without what was known of the models that `here` asks and that have answered nothing yet.

    A checkpoint that was refused as it was loaded may have been mended in its place: there is nothing to contradict.
    """
    silent = set(here.models) - {record.model for record in records if record.error is None}
    identities = {model: known for model, known in there.identities.items() if model not in silent}
    return replace(
        there,
        identities=identities,
        tokenizers={model: known for model, known in there.tokenizers.items() if model not in silent},
    )


def with_parts(run: Run) -> Run:
    """The run with the number of samples that its parts hold; one without parts as it is."""
    return replace(run, environment={**run.environment, "samples": samples_in(run.parts)}) if run.parts else run


def refuse_contradictions(there: Run, here: Run) -> None:
    """Raises ContradictionError if two questions cannot be one."""
    for model, before_is in there.identities.items():
        now_is = here.identities.get(model, ModelIdentity())
        if part := before_is.changed(now_is):
            raise ContradictionError(PARTS[part], getattr(before_is, part), getattr(now_is, part), model)
    for what, before, now in _pairs(there, here):  # a tokenizer's fingerprint holds its chat template: told above
        if before != now:
            raise ContradictionError(what, before, now)


def _pairs(there: Run, here: Run) -> Iterator[tuple[str, object, object]]:
    """What must be equal: (name, in the one, in the other)."""
    for name in FIXED:
        yield name, getattr(there, name), getattr(here, name)
    for field in dataclasses.fields(PromptSettings):
        yield field.name, getattr(there.prompt, field.name), getattr(here.prompt, field.name)
    for model in there.tokenizers.keys() & here.tokenizers.keys():
        yield f"the tokenizer of {model}", there.tokenizers[model], here.tokenizers[model]


def _joined(first: Sequence[T], second: Sequence[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _spanned(first: Sweep, second: Sweep) -> Sweep:
    lengths, depths = _joined(first.lengths, second.lengths), _joined(first.depths, second.depths)
    return Sweep(lengths, depths, max(first.repeats, second.repeats), first.seed)


def _identities(first: Mapping[str, ModelIdentity], second: Mapping[str, ModelIdentity]) -> dict[str, ModelIdentity]:
    """What is known of each model; a part that only one of them knows is taken from it."""
    names = [field.name for field in dataclasses.fields(ModelIdentity)]
    unknown, both = ModelIdentity(), {}
    for model in _joined([*first], [*second]):
        known = first.get(model, unknown), second.get(model, unknown)
        both[model] = ModelIdentity(**{name: getattr(known[0], name) or getattr(known[1], name) for name in names})
    return both


def _environments(first: Mapping[str, Json], second: Mapping[str, Json]) -> dict[str, Json]:
    united = {name: _either(first.get(name), second.get(name)) for name in _joined([*first], [*second])}
    return united | _presentation(first, second)


def _presentation(first: Mapping[str, Json], second: Mapping[str, Json]) -> dict[str, Json]:
    """How the runs are to be shown: the labels of both; where they disagree, what was said last."""
    said = [part for one in (first, second) if isinstance(part := one.get("presentation"), Mapping)]
    shown: dict[str, Json] = {}
    for presentation in said:
        shown |= presentation
    for key, what in (("labels", "model"), ("task_labels", "task")):
        labels: dict[str, Json] = {}
        for presentation in said:
            for spec, label in (part if isinstance(part := presentation.get(key), Mapping) else {}).items():
                if same := [other for other, there in labels.items() if there == label and other != spec]:
                    raise ContradictionError(f"the {what} with the label {label!r}", same[0], spec)
                labels[spec] = label
        if labels:
            shown[key] = labels
    return {"presentation": shown} if shown else {}


def _either(first: Json, second: Json) -> Json:
    """Two facts as one: objects and lists united, texts that differ beside each other, else the one that is there."""
    if first is None:
        return second
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return _environments(first, second)
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *(item for item in second if item not in first)]
    if isinstance(first, str) and isinstance(second, str) and second not in (first, *first.split(", ")):
        return f"{first}, {second}"
    return first


def _short(value: object) -> str:
    """A value on one line; the options of a template as people write them."""
    text = ", ".join(f"{name}={option}" for name, option in value) if isinstance(value, tuple) else str(value)
    text = " ".join(text.split())
    return (text if len(text) <= LONGEST else f"{text[:LONGEST]} …") or "nothing"

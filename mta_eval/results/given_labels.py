"""Labels as people type them, SPEC=LABEL -> labels of models and of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mta_eval import registry
from mta_eval.arguments import parse_labels
from mta_eval.errors import MtaEvalError

ByKind = tuple[dict[str, str], dict[str, str]]  # labels of models and of tasks, by spec


def read_labels(
    texts: Sequence[str],
    models: Sequence[str],
    tasks: Sequence[str],
    told: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    build_task: Callable[[str], str] | None = None,
) -> ByKind:
    """["hf:mine=Mine", "niah=Needles"] -> ({"hf:mine": "Mine"}, {"niah": "Needles"}).

    A spec may be written as the user writes it, or be what the model or task was called so far (`told`). `build_task`
    makes the canonical spec of a task's spec, where not its options alone decide. Raises SpecError for what is no
    label, is of no model or task, or is the name of two.
    """
    known = dict.fromkeys([*models, *tasks])
    before = {label: spec for names in told for spec, label in names.items()}

    def canonical(text: str) -> str:
        if text in known:
            return text
        if text in before:
            return before[text]
        builders = (_task_spec if build_task is None else build_task, _model_spec)
        for build in builders:
            try:
                if (spec := build(text)) in known:
                    return spec
            except MtaEvalError:
                continue
        return text

    labels = parse_labels(texts, list(known), canonical)
    return {spec: label for spec, label in labels.items() if spec in models}, {
        spec: label for spec, label in labels.items() if spec in tasks
    }


def _task_spec(text: str) -> str:
    return registry.spec_of(registry.build_task(text))


def _model_spec(text: str) -> str:
    return registry.spec_of(registry.build_model(text))

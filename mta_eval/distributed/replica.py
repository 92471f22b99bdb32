"""The worker process: it builds models from their specs and answers groups of samples. Knows no Ray."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mta_eval import registry, runner
from mta_eval.core import AnswerMode, Cell, Model, OverLength, Plan, PromptSettings, Record, Sweep
from mta_eval.errors import ModelError, TextError
from mta_eval.version import VERSION


@dataclass(frozen=True)
class Workspace:
    """The version of mta-eval and the working directory of a run; its workers must use the same."""

    version: str
    folder: str

    @staticmethod
    def current() -> Workspace:
        """That of this process."""
        return Workspace(VERSION, str(Path.cwd()))


@dataclass(frozen=True)
class ModelFacts:
    """What must be equal for a model on all replicas: the tokenizer's fingerprint, and `Model.describe`."""

    fingerprint: str
    settings: Mapping[str, str]

    @staticmethod
    def of(model: Model) -> ModelFacts:
        """The facts of a model in this process."""
        return ModelFacts(model.tokenizer.fingerprint, model.describe())


@dataclass(frozen=True)
class SampleRequest:
    """A group of samples of one of the run's `seeds`, and what a replica checks before it answers.

    `witness_sha256` is the hash of the prompt of `witness_cell`, as the main process of the run makes it.
    """

    model: str
    task: str
    cells: tuple[Cell, ...]
    seed: int
    seeds: tuple[int, ...]
    answer: AnswerMode
    over_length: OverLength
    prompt: PromptSettings
    facts: ModelFacts
    witness_cell: Cell
    witness_sha256: str


class Replica:
    """A worker process. Models and tasks are built from their specs by the registry when they are first needed."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._plans: dict[tuple[str, str, int], Plan] = {}

    def inspect_models(self, workspace: Workspace, models: Sequence[str]) -> dict[str, ModelFacts]:
        """The facts of each model; no weights are loaded. Raises ModelError for another version of mta-eval."""
        _enter(workspace)
        return {spec: ModelFacts.of(self._model(spec)) for spec in models}

    def answer(self, workspace: Workspace, request: SampleRequest) -> Iterator[Record]:
        """The records of a group, as `runner.answer` yields them.

        Raises ModelError if version, tokenizer or settings are not those of the run, TextError if texts are not.
        """
        _enter(workspace)
        pair = request.model, request.task
        block = *pair, request.seed
        if block not in self._plans:
            self._plans[block] = self._checked_plan(request)
        yield from runner.answer(self._plans[block], *pair, request.cells)

    def _checked_plan(self, request: SampleRequest) -> Plan:
        """A plan for one task and one model, after the check that they are the same as in the run."""
        model = self._model(request.model)
        _check_facts(request, ModelFacts.of(model))
        plan = Plan(
            tasks={request.task: registry.build_task(request.task)},
            models={request.model: model},
            sweep=Sweep((), (), 0, request.seed),  # only the seed is used: the request lists the cells
            answer=request.answer,
            over_length=request.over_length,
            settings=request.prompt,
            seeds=request.seeds,
        )
        if prompt_hash(plan, request.model, request.task, request.witness_cell) != request.witness_sha256:
            raise TextError(
                f"a worker on {_node()} makes another prompt of {request.task}/{request.witness_cell} than this "
                "machine; has it another copy of the text file?"
            )
        return plan

    def _model(self, spec: str) -> Model:
        if spec not in self._models:
            self._models[spec] = registry.build_model(spec)
        return self._models[spec]


def prompt_hash(plan: Plan, model: str, task: str, cell: Cell) -> str:
    """SHA-256 of the prompt of a cell, as in `Record.prompt_sha256`."""
    sample, _ = runner.make(plan, model, task, cell)
    return hashlib.sha256(sample.prompt.encode()).hexdigest()


def _enter(workspace: Workspace) -> None:
    """Change to the working directory of the run if it exists facts. Raises ModelError for another mta-eval."""
    if workspace.version != VERSION:
        raise ModelError(
            f"a worker on {_node()} has mta-eval {VERSION}, this machine {workspace.version}; install the same"
        )
    with suppress(OSError):
        os.chdir(workspace.folder)


def _check_facts(request: SampleRequest, facts: ModelFacts) -> None:
    """Raises ModelError if a model is not the same as in the run."""
    if facts.fingerprint != request.facts.fingerprint:
        raise ModelError(
            f"a worker on {_node()} has another tokenizer of {request.model} than this machine; share one copy"
        )
    for key, wanted in request.facts.settings.items():
        if facts.settings.get(key) != wanted:
            raise ModelError(
                f"{request.model} on {_node()} has {key} {facts.settings.get(key)}, but {wanted} elsewhere; "
                "name it in the spec, or use nodes of one kind"
            )


def _node() -> str:
    return os.uname().nodename

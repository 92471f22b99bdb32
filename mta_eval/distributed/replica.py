"""What a worker does: one model in a process of its own, which answers groups of samples. Knows no Ray."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mta_eval import registry, runner
from mta_eval.core import AnswerMode, Cell, Model, OverLength, Plan, Record, Sweep
from mta_eval.errors import ModelError, TextError
from mta_eval.version import VERSION


@dataclass(frozen=True)
class Home:
    """Where the run was started: what a worker must have in common with it."""

    version: str
    folder: str

    @staticmethod
    def here() -> Home:
        """This process."""
        return Home(VERSION, str(Path.cwd()))


@dataclass(frozen=True)
class Facts:
    """What must be the same for a model wherever it is asked: how it cuts texts, and what shapes its answers."""

    fingerprint: str
    settings: Mapping[str, str]

    @staticmethod
    def of(model: Model) -> Facts:
        """Those of a model in this process."""
        return Facts(model.tokenizer.fingerprint, model.describe())


@dataclass(frozen=True)
class Question:
    """A group of samples, and what a replica must agree with before it answers.

    `witness` is the SHA-256 of the prompt of `witness_cell`, as the run's own process makes it.
    """

    model: str
    task: str
    cells: tuple[Cell, ...]
    seed: int
    answer: AnswerMode
    over_length: OverLength
    facts: Facts
    witness_cell: Cell
    witness: str


class Replica:
    """One model in a process of its own. Everything is built from specs, by the registry, at first need."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._plans: dict[tuple[str, str], Plan] = {}

    def survey(self, home: Home, models: Sequence[str]) -> dict[str, Facts]:
        """The facts of each model here; no weights are loaded. Raises ModelError for another version of mta-eval."""
        _settle(home)
        return {spec: Facts.of(self._model(spec)) for spec in models}

    def answer(self, home: Home, question: Question) -> Iterator[Record]:
        """The records of a group, as `runner.answer` yields them.

        Raises ModelError where version, tokenizer or settings are not those of the run, TextError where texts are not.
        """
        _settle(home)
        pair = question.model, question.task
        if pair not in self._plans:
            self._plans[pair] = self._agreed(question)
        yield from runner.answer(self._plans[pair], *pair, question.cells)

    def _agreed(self, question: Question) -> Plan:
        """The plan of a task and a model, once it is known to be the run's own."""
        model = self._model(question.model)
        _compare(question, Facts.of(model))
        plan = Plan(
            tasks={question.task: registry.build_task(question.task)},
            models={question.model: model},
            sweep=Sweep((), (), 0, question.seed),  # only its seed counts: the cells are named
            answer=question.answer,
            over_length=question.over_length,
        )
        if prompt_hash(plan, question.model, question.task, question.witness_cell) != question.witness:
            raise TextError(
                f"a worker on {_node()} makes another prompt of {question.task}/{question.witness_cell} than this "
                "machine; has it another copy of the text file?"
            )
        return plan

    def _model(self, spec: str) -> Model:
        if spec not in self._models:
            self._models[spec] = registry.build_model(spec)
        return self._models[spec]


def prompt_hash(plan: Plan, model: str, task: str, cell: Cell) -> str:
    """SHA-256 of the prompt of a cell, as records have it."""
    sample, _ = runner.make(plan, model, task, cell)
    return hashlib.sha256(sample.prompt.encode()).hexdigest()


def _settle(home: Home) -> None:
    """Raises ModelError where mta-eval is another one; relative paths mean what they mean to the run, if they can."""
    if home.version != VERSION:
        raise ModelError(f"a worker on {_node()} has mta-eval {VERSION}, this machine {home.version}; install the same")
    with suppress(OSError):
        os.chdir(home.folder)


def _compare(question: Question, here: Facts) -> None:
    """Raises ModelError where a model is not the same as in the run."""
    if here.fingerprint != question.facts.fingerprint:
        raise ModelError(
            f"a worker on {_node()} has another tokenizer of {question.model} than this machine; share one copy"
        )
    for key, wanted in question.facts.settings.items():
        if here.settings.get(key) != wanted:
            raise ModelError(
                f"{question.model} on {_node()} has {key} {here.settings.get(key)}, but {wanted} elsewhere; "
                "name it in the spec, or use nodes of one kind"
            )


def _node() -> str:
    return os.uname().nodename

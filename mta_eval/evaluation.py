"""The Python interface: `mta_eval.evaluate(model, tasks, sweep)` and `mta_eval.load(run)`, each a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mta_eval import registry, runner
from mta_eval.commands import asking
from mta_eval.core import AnswerMode, Model, OverLength, Plan, Record, Sweep, Task

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    model: str | Model | tuple[Any, Any],
    tasks: str | Task | Sequence[str | Task],
    sweep: Sweep,
    *,
    answer: AnswerMode = "generate",
    over_length: OverLength = "refuse",
    out: str | Path | None = None,
) -> pd.DataFrame:
    """Ask a model the tasks of a sweep: a row for each sample (see results/frame.py for the columns).

    `model` is a spec ("smollm2"), a `core.Model`, or what a notebook has: (model, tokenizer) of transformers. Tasks are
    specs ("niah:needles=4") or `core.Task`s. With `out` every answer is kept in that run folder at once, and what is
    there already is not asked again; a model in memory is then known by its class alone. Raises MtaEvalError.
    """
    built = [registry.build_task(task) if isinstance(task, str) else task for task in _list(tasks)]
    name, adapter = _named(model)
    plan = Plan({registry.spec_of(task): task for task in built}, {name: adapter}, sweep, answer, over_length)
    runner.check(plan)
    return _frame(list(runner.run(plan)) if out is None else asking.answer_all(plan, Path(out)))


def load(run: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """The answers of one or more run folders, a row for each. Raises StoreError."""
    from mta_eval.results.several import read_several

    folders = [Path(run)] if isinstance(run, str | Path) else [Path(one) for one in run]
    return _frame(read_several(folders)[1])


def _named(model: str | Model | tuple[Any, Any]) -> tuple[str, Model]:
    if isinstance(model, str):
        model = registry.build_model(model)
    if isinstance(model, tuple):
        from mta_eval.models.in_memory import InMemory

        adapter = InMemory(*model)
        return adapter.title, adapter
    return registry.spec_of(model), model


def _list(tasks: str | Task | Sequence[str | Task]) -> Sequence[str | Task]:
    return tasks if isinstance(tasks, Sequence) and not isinstance(tasks, str) else [tasks]


def _frame(records: Sequence[Record]) -> pd.DataFrame:
    from mta_eval.results.frame import frame_of

    return frame_of(records)

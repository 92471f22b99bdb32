"""The Python interface: `mta_eval.evaluate(model, tasks, sweep)` and `mta_eval.load(run)`, each a pandas DataFrame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mta_eval import registry, runner
from mta_eval.core import (
    AnswerMode,
    Json,
    Model,
    ModelIdentity,
    OverLength,
    Plan,
    PromptSettings,
    Record,
    Run,
    Sample,
    Sweep,
    Task,
    cell_of,
)
from mta_eval.errors import StoreError
from mta_eval.outside import resolved
from mta_eval.progress import progress
from mta_eval.version import VERSION

if TYPE_CHECKING:
    import pandas as pd

    from mta_eval.distributed.cluster import Cluster
    from mta_eval.distributed.pool import ReplicaPool

Settings = Mapping[str, Mapping[str, str]]
Show = Callable[[Plan, int, Settings], AbstractContextManager[Callable[[Record], None]]]


def evaluate(
    model: str | Model | tuple[Any, Any],
    tasks: str | Task | Sequence[str | Task],
    sweep: Sweep,
    *,
    answer: AnswerMode = "generate",
    over_length: OverLength = "refuse",
    settings: PromptSettings | None = None,
    out: str | Path | None = None,
) -> pd.DataFrame:
    """Ask a model the tasks of a sweep: a row for each sample (see results/frame.py for the columns).

    `model` is a spec ("smollm2"), a `core.Model`, or what a notebook has: (model, tokenizer) of transformers. Tasks are
    specs ("niah:needles=4") or `core.Task`s; `settings` are those of their prompts. With `out` every answer is kept in
    that run folder at once, what is there already is not asked again, and all that the folder holds is returned; a
    model whose weights or configuration have changed since is refused. Raises MtaEvalError.
    """
    from mta_eval.results.frame import record_frame
    from mta_eval.results.store import read_run

    built = [registry.build_task(task) if isinstance(task, str) else task for task in _list(tasks)]
    name, adapter = _named(model)
    by_name = {registry.spec_of(task): task for task in built}
    plan = Plan(by_name, {name: adapter}, sweep, answer, over_length, settings or PromptSettings())
    runner.check(plan)
    if out is None:
        return record_frame([("", None, list(runner.run(plan)))], sweep.seed)
    records = answer_all(plan, Path(out))
    return record_frame([(resolved(Path(out)).name, read_run(Path(out)), records)])


def load(run: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """The answers of one or more run folders, a row for each (see results/frame.py for the columns).

    Raises StoreError.
    """
    from mta_eval.results.frame import record_frame
    from mta_eval.results.several import read_by_run

    folders = [Path(run)] if isinstance(run, str | Path) else [Path(one) for one in run]
    return record_frame(read_by_run(folders))


def answer_all(plan: Plan, out: Path, cluster: Cluster | None = None, show: Show = progress) -> list[Record]:
    """Answer what is not answered yet in the run folder `out`, and return all that it holds. Raises StoreError.

    With a `cluster`, replicas of the models on it answer. `show` says how the run is shown as it goes.
    """
    if cluster is None:
        return _answer_in_folder(plan, out, None, show)
    from mta_eval.distributed.pool import replica_pool

    with replica_pool(cluster, plan) as replicas:
        return _answer_in_folder(plan, out, replicas, show)


def _answer_in_folder(plan: Plan, out: Path, replicas: ReplicaPool | None, show: Show) -> list[Record]:
    from mta_eval.results.parts import parts_of_plan
    from mta_eval.results.store import RunFolder, read

    parts = parts_of_plan(plan)
    lengths = tuple(dict.fromkeys(length for part in parts for length in part.sweep.lengths))
    settings = replicas.settings if replicas else {name: model.describe() for name, model in plan.models.items()}
    executor = {"executor": f"Ray, {replicas.placement}"} if replicas else {}
    question = Run(
        tasks=tuple(plan.tasks),
        models=tuple(plan.models),
        sweep=replace(plan.sweep, lengths=plan.sweep.lengths or lengths),
        answer=plan.answer,
        over_length=plan.over_length,
        version=VERSION,
        tokenizers={name: model.tokenizer.fingerprint for name, model in plan.models.items()},
        environment=_environment(plan, settings) | executor,
        prompt=plan.settings,
        identities={name: identity_of(model) for name, model in plan.models.items()},
        parts=parts,
    )
    fingerprints = {name: identity.fingerprint for name, identity in question.identities.items()}
    with RunFolder(out, question) as folder:
        check_prompts(plan, read(out)[1], folder.run)
        with show(plan, len(plan) - plan.remaining_count(folder.done), settings) as advance:
            for record in replicas.run(plan, folder.done) if replicas else runner.run(plan, folder.done):
                if len(folder.run.seeds) > 1:  # told by a plan of several; of this one all have the same
                    record = record.with_seed(plan.sweep.seed)
                folder.append(replace(record, fingerprint=fingerprints[record.model]))
                advance(record)
        if replicas is None:  # a server, say, tells only then which parameters it does not take
            folder.keep_facts({name: model.describe() for name, model in plan.models.items()})
    return read(out)[1]


def make_again(record: Record, task: Task, model: Model, question: Run) -> Sample:
    """The sample behind a record. Raises StoreError if its prompt is not the one that was answered."""
    tokenizer = model.tokenizer.with_settings(question.prompt)
    sample = task.sample(cell_of(record.sample_id), question.seed_of(record), tokenizer)
    if record.truncated:
        sample, _ = runner.fit_window(sample, model, "mark")
    if hashlib.sha256(sample.prompt.encode()).hexdigest() != record.prompt_sha256:
        raise StoreError(
            f"{record.sample_id}: the prompt made now is not the one that was answered; has its text file changed?"
        )
    return sample


def check_prompts(plan: Plan, records: Sequence[Record], question: Run) -> None:
    """Make one answered prompt of every task and model again. Raises StoreError if a text has changed meanwhile."""
    seen = {(record.task, record.model): record for record in records if record.prompt_sha256}
    for (task, model), record in seen.items():
        if task in plan.tasks and model in plan.models:  # the folder may hold others, which are not asked now
            make_again(record, plan.tasks[task], plan.models[model], question)


def _environment(plan: Plan, settings: Mapping[str, Mapping[str, str]]) -> dict[str, Json]:
    """What else shaped the answers: versions, and the dtype and device of each model."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    from mta_eval.results.provenance import provenance

    versions = {}
    for package in ("torch", "transformers", "tokenizers", "datasets"):
        try:
            versions[package] = version_of(package)
        except PackageNotFoundError:
            continue
    about: dict[str, Json] = {"models": {name: dict(facts) for name, facts in settings.items()}}
    about |= {"versions": versions, **provenance()}
    if plan.presentation:
        about["presentation"] = dict(plan.presentation)
    left_out = {name: list(lengths) for name in plan.models if (lengths := plan.left_out(name))}
    return about | ({"lengths beyond the window": left_out} if left_out else {})


def identity_of(model: Model) -> ModelIdentity:
    """What a model says of its identity; adapters of other packages may be older than the word."""
    return model.identity() if hasattr(model, "identity") else ModelIdentity()


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

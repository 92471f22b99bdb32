"""What the commands do, once their arguments are read: the rooms put together. Printing is `terminal.py`'s."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mta_eval import __version__, registry
from mta_eval.commands import terminal
from mta_eval.core import Cell, Model, Record, Run, Sample, Sweep, Task, Tokenizer, cells_of
from mta_eval.errors import SpecError, StoreError

if TYPE_CHECKING:
    from mta_eval.core import Plan
    from mta_eval.distributed.cluster import Cluster
    from mta_eval.distributed.pool import Crew

T = TypeVar("T")


def build_all(specs: Sequence[str], build: Callable[[str], T]) -> dict[str, T]:
    """Tasks or models by their canonical specs; doubles fall together. Raises SpecError."""
    built = [build(spec) for spec in specs]
    return {registry.spec_of(thing): thing for thing in built}


def run(plan: Plan, out: Path, cluster: Cluster | None = None) -> None:
    """Answer what is not answered yet in the run folder `out`. Raises SystemExit(1) if samples failed."""
    records = answer_all(plan, out, cluster)
    terminal.print_summary(records, out)
    if any(record.error for record in records):
        raise SystemExit(1)


def answer_all(plan: Plan, out: Path, cluster: Cluster | None = None) -> list[Record]:
    """Answer what is not answered yet in the run folder `out`, and return all that it holds. Raises StoreError.

    With a `cluster`, replicas of the models on it answer.
    """
    if cluster is None:
        return _answer_all(plan, out, None)
    from mta_eval.distributed.pool import crew

    with crew(cluster, plan) as hired:
        return _answer_all(plan, out, hired)


def _answer_all(plan: Plan, out: Path, hired: Crew | None) -> list[Record]:
    from mta_eval import runner
    from mta_eval.results.store import RunFolder, read

    settings = hired.settings if hired else {name: model.describe() for name, model in plan.models.items()}
    executor = {"executor": f"Ray, {hired.placement}"} if hired else {}
    question = Run(
        tasks=tuple(plan.tasks),
        models=tuple(plan.models),
        sweep=plan.sweep,
        answer=plan.answer,
        over_length=plan.over_length,
        version=__version__,
        tokenizers={name: model.tokenizer.fingerprint for name, model in plan.models.items()},
        environment=_environment(plan, settings) | executor,
    )
    with RunFolder(out, question) as folder:
        _check_prompts(plan, read(out)[1], question)
        with terminal.progress(plan, len(folder.done), settings) as advance:
            for record in hired.run(plan, folder.done) if hired else runner.run(plan, folder.done):
                folder.append(record)
                advance(record)
    return read(out)[1]


def looker(questions: Sequence[Run], records: Sequence[Record]) -> Callable[[str, Path], list[str]]:
    """What `report --attention` asks for each task: draw the attention of its models on one sample that all can read.

    Models that are no checkpoint of the attention family are passed over.
    """
    from mta_eval.results import inspection

    models = list(dict.fromkeys(model for run in questions for model in run.models))
    seen = [name for name in models if inspection.can_look(name)]
    window = min((registry.build_model(name).max_length for name in seen), default=0)

    def look(task: str, path: Path) -> list[str]:
        ids = [record.sample_id for record in records if record.task == task]
        ids = [sample_id for sample_id in ids if _cell(sample_id).length <= window]
        if not seen or not ids:
            return []
        seed = next(run.sweep.seed for run in questions if task in run.tasks)
        return inspection.compare_attention(seen, task, _cell(ids[len(ids) // 2]), seed, 2, 4, path)

    return look


def write_samples(task: Task, sweep: Sweep, tokenizer: Tokenizer, out: Path) -> int:
    """All samples of a sweep as JSONL, the whole file or none; how many. Raises StoreError if it cannot be written."""
    cells = cells_of(task, sweep, tokenizer)
    samples = (task.sample(cell, sweep.seed, tokenizer) for cell in cells)
    write_lines((json.dumps(dataclasses.asdict(sample), ensure_ascii=False) for sample in samples), out)
    return len(cells)


def write_lines(lines: Iterable[str], out: Path) -> None:
    """A text file, whole or not at all. Raises StoreError if it cannot be written."""
    out = out.resolve()  # a link stays, the file it names is written
    if out.exists() and not out.is_file():
        raise StoreError(f"{str(out)!r} is no regular file; name a file to write")
    unfinished = out.with_name(out.name + ".part")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        unfinished.replace(out)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def show_record(folder: Path, sample_id: str, model: str, as_json: bool) -> None:
    """Print a record with its prompt made again. Raises StoreError if that is not the prompt that was answered."""
    from mta_eval.results import store

    question, records = store.read(folder)
    known = {record.sample_id: record for record in records if model in ("", record.model)}
    if sample_id not in known:
        raise SpecError(f"{folder} has no sample {sample_id!r}{registry.did_you_mean(sample_id, known)}")
    record = known[sample_id]
    sample = _make_again(record, registry.build_task(record.task), registry.build_model(record.model), question)
    terminal.print_sample(sample, as_json, record)


def _make_again(record: Record, task: Task, model: Model, question: Run) -> Sample:
    """The sample behind a record. Raises StoreError if its prompt is not the one that was answered."""
    from mta_eval.runner import fit_window

    sample = task.sample(_cell(record.sample_id), question.sweep.seed, model.tokenizer)
    if record.truncated:
        sample, _ = fit_window(sample, model, "mark")
    if hashlib.sha256(sample.prompt.encode()).hexdigest() != record.prompt_sha256:
        raise StoreError(
            f"{record.sample_id}: the prompt made now is not the one that was answered; has its text file changed?"
        )
    return sample


def _cell(sample_id: str) -> Cell:
    length, depth, repeat = sample_id.rsplit("/", 3)[1:]
    return Cell(int(length), None if depth == "any" else float(depth), int(repeat))


def _check_prompts(plan: Plan, records: Sequence[Record], question: Run) -> None:
    """Make one answered prompt of every task and model again. Raises StoreError if a text has changed meanwhile."""
    seen = {(record.task, record.model): record for record in records if record.prompt_sha256}
    for (task, model), record in seen.items():
        _make_again(record, plan.tasks[task], plan.models[model], question)


def _environment(plan: Plan, settings: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What else shaped the answers: versions, and the dtype and device of each model."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    versions = {}
    for package in ("torch", "transformers", "tokenizers", "datasets"):
        try:
            versions[package] = version_of(package)
        except PackageNotFoundError:
            continue
    about: dict[str, Any] = {"models": {name: dict(said) for name, said in settings.items()}}
    about |= {"versions": versions, "samples": len(plan)}
    left_out = {name: list(lengths) for name in plan.models if (lengths := plan.left_out(name))}
    return about | ({"lengths beyond the window": left_out} if left_out else {})

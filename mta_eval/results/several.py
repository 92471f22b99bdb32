"""Several runs as one: run folders, and the samples that lm-eval kept of our tasks."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mta_eval.core import Record, Run, SampleKey
from mta_eval.outside import resolved
from mta_eval.results import lm_eval_samples, store
from mta_eval.results.parts import parts_of_run, samples_in

Pair = tuple[str, str]  # task, model


class RunRecords(NamedTuple):
    """The records of one run, its name and its question."""

    name: str
    run: Run
    records: Sequence[Record]


def read_several(folders: Sequence[Path]) -> tuple[list[tuple[str, Run]], list[Record], dict[str, int]]:
    """Several runs as one: (name, question) of each, all records, and how many samples each run folder still lacks.

    A run is its folder, or a samples_*.jsonl of lm-eval.

    Where a model answered a task from several seeds, its records get the axis "seed". Two runs of one seed are parts of
    one question (split by lengths, say), unless both answered the same sample: then the model's name is followed by its
    run's. A folder named twice is read once. Raises StoreError.
    """
    folders = _once(folders)
    loaded = read_by_run(folders)
    questions, missing = [], {}
    for (name, run, records), folder in zip(loaded, folders, strict=True):
        answered = sum(record.error is None for record in records)
        wanted = run.samples or samples_in(parts_of_run(run, ()))
        if wanted:
            environment = {name: value for name, value in run.environment.items() if name != "samples"}
            run = dataclasses.replace(run, environment={"answered": f"{answered} of {wanted} samples"} | environment)
        if wanted > answered and folder.is_dir():
            missing[str(folder)] = wanted - answered
        questions.append((name, run))
    return questions, [record for _, _, records in loaded for record in records], missing


def read_by_run(folders: Sequence[Path]) -> list[RunRecords]:
    """The records of each run, told apart as in `read_several`. Raises StoreError."""
    folders = _once(folders)
    names = run_names([resolved(folder) for folder in folders])
    loaded = [(name, *read_run_or_samples(folder)) for name, folder in zip(names, folders, strict=True)]
    seeds, answered_twice = _overlaps([(run, records) for _, run, records in loaded])

    def shown(name: str, run: Run, record: Record) -> Record:
        pair = record.task, record.model
        if pair in answered_twice:
            return dataclasses.replace(record, model=f"{record.model} ({name})")
        return record.with_seed(run.sweep.seed) if len(seeds[pair]) > 1 else record

    return [RunRecords(name, run, [shown(name, run, record) for record in records]) for name, run, records in loaded]


def read_paired(folders: Sequence[Path]) -> list[list[Record]]:
    """The records of each run, to be set beside each other: if one has the axis "seed", all have. Raises StoreError."""
    loaded = [read_run_or_samples(folder) for folder in folders]
    if not any("seed" in record.axes for _, records in loaded for record in records):
        return [records for _, records in loaded]
    return [[record.with_seed(run.sweep.seed) for record in records] for run, records in loaded]


def questions_of(folders: Sequence[Path]) -> list[tuple[str, Run]]:
    """The name and the question of each run. Raises StoreError."""
    folders = _once(folders)
    names = run_names([resolved(folder) for folder in folders])
    return [(name, read_run_or_samples(folder)[0]) for name, folder in zip(names, folders, strict=True)]


def told_apart(
    folders: Sequence[Path], first: Sequence[Record], second: Sequence[Record]
) -> tuple[list[Record], list[Record]]:
    """The records of two models, each followed by its run's name where both are called the same."""
    sides = [list(first), list(second)]
    if len(folders) == 2 and first and second and first[0].model == second[0].model:
        names = run_names([resolved(folder) for folder in folders])
        sides = [
            [dataclasses.replace(one, model=f"{one.model} ({name})") for one in side]
            for side, name in zip(sides, names, strict=True)
        ]
    return sides[0], sides[1]


def _overlaps(runs: Sequence[tuple[Run, Sequence[Record]]]) -> tuple[dict[Pair, set[int]], set[Pair]]:
    """The seeds of each pair of task and model, and the pairs that two runs hold the same sample, of one seed, of."""
    seeds: dict[Pair, set[int]] = defaultdict(set)
    seen: set[tuple[Pair, SampleKey]] = set()
    twice: set[Pair] = set()
    for run, records in runs:
        new = {((record.task, record.model), run.key_of(record)) for record in records}
        twice |= {pair for pair, _ in new & seen}
        seen |= new
        for pair, (_, seed, _) in new:
            seeds[pair].add(seed)
    return seeds, twice


def run_paths(folders: Sequence[Path]) -> dict[str, str]:
    """The path of each run folder as it was given, by the name that `read_several` gives it; of a file "": it is of
    another program."""
    folders = _once(folders)
    names = run_names([resolved(folder) for folder in folders])
    return {name: str(folder) if folder.is_dir() else "" for name, folder in zip(names, folders, strict=True)}


def _once(folders: Sequence[Path]) -> list[Path]:
    """Each folder once, as it was first named: answers counted twice would look twice as sure."""
    return list({resolved(folder): folder for folder in reversed(folders)}.values())[::-1]


def run_names(folders: Sequence[Path]) -> list[str]:
    """What tells whole paths apart: their last parts, as few as will do."""
    names, parts = [folder.name for folder in folders], 1
    while len(set(names)) < len(set(folders)):
        parts += 1
        names = ["/".join(folder.parts[-parts:]) for folder in folders]
    return names


def read_run_or_samples(path: Path) -> tuple[Run, list[Record]]:
    """The question and the records of a run folder or of a samples_*.jsonl of lm-eval. Raises StoreError."""
    return lm_eval_samples.read_samples_file(path) if path.is_file() else store.read(path)

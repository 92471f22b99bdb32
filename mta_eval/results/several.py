"""Several runs as one: run folders, and the samples that lm-eval kept of our tasks."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mta_eval.core import Record, Run
from mta_eval.results import lm_eval_samples, store

Pair = tuple[str, str]  # task, model


def read_several(folders: Sequence[Path]) -> tuple[list[tuple[str, Run]], list[Record], dict[str, int]]:
    """Several runs as one: (name, question) of each, all records, and how many samples each run folder still lacks.

    A run is its folder, or a samples_*.jsonl of lm-eval.

    Where two runs hold the same model's answers to the same task, from other seeds, records get the axis "seed". Of one
    seed they are parts of one question (split by lengths, say), unless both answered the same sample: then the model's
    name is followed by its run's. A folder named twice is read once. Raises StoreError.
    """
    folders = _once(folders)
    names = _names([folder.resolve() for folder in folders])
    loaded = [(name, *read_run_or_samples(folder)) for name, folder in zip(names, folders, strict=True)]
    seeds, answered_twice = _overlaps([(run.sweep.seed, records) for _, run, records in loaded])
    told_apart = [
        dataclasses.replace(record, model=f"{record.model} ({name})")
        if (pair := (record.task, record.model)) in answered_twice
        else dataclasses.replace(record, axes={**record.axes, "seed": run.sweep.seed})
        if len(seeds[pair]) > 1
        else record
        for name, run, records in loaded
        for record in records
    ]
    questions, missing = [], {}
    for (name, run, records), folder in zip(loaded, folders, strict=True):
        answered = sum(record.error is None for record in records)
        wanted = run.samples or _samples_of(run)
        if wanted:
            environment = {name: value for name, value in run.environment.items() if name != "samples"}
            run = dataclasses.replace(run, environment={"answered": f"{answered} of {wanted} samples"} | environment)
        if wanted > answered and folder.is_dir():
            missing[str(folder)] = wanted - answered
        questions.append((name, run))
    return questions, told_apart, missing


def _samples_of(run: Run) -> int:
    """How many samples a run of an older version has, which did not write it down; 0 at its tasks' default lengths."""
    beyond = run.environment.get("lengths beyond the window")
    left_out = sum(len(x) for x in beyond.values() if isinstance(x, list)) if isinstance(beyond, dict) else 0
    lengths = len(run.models) * len(run.sweep.lengths) - left_out
    return len(run.tasks) * lengths * len(run.sweep.depths) * run.sweep.repeats


def _overlaps(runs: Sequence[tuple[int, Sequence[Record]]]) -> tuple[dict[Pair, set[int]], set[Pair]]:
    """The seeds of each pair of task and model, and the pairs that two runs of one seed hold the same sample of."""
    seeds: dict[Pair, set[int]] = defaultdict(set)
    seen: set[tuple[int, Pair, str]] = set()
    twice: set[Pair] = set()
    for seed, records in runs:
        new = {(seed, (record.task, record.model), record.sample_id) for record in records}
        twice |= {pair for _, pair, _ in new & seen}
        seen |= new
        for _, pair, _ in new:
            seeds[pair].add(seed)
    return seeds, twice


def _once(folders: Sequence[Path]) -> list[Path]:
    """Each folder once, as it was first named: answers counted twice would look twice as sure."""
    return list({folder.resolve(): folder for folder in reversed(folders)}.values())[::-1]


def _names(folders: Sequence[Path]) -> list[str]:
    """What tells whole paths apart: their last parts, as few as will do."""
    names, parts = [folder.name for folder in folders], 1
    while len(set(names)) < len(names):
        parts += 1
        names = ["/".join(folder.parts[-parts:]) for folder in folders]
    return names


def read_run_or_samples(path: Path) -> tuple[Run, list[Record]]:
    """The question and the records of a run folder or of a samples_*.jsonl of lm-eval. Raises StoreError."""
    return lm_eval_samples.read_samples_file(path) if path.is_file() else store.read(path)

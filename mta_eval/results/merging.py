"""Several run folders as one new folder: other machines', other seeds', other models' or other lengths' answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from mta_eval.core import Record, Run, SampleKey
from mta_eval.errors import SpecError, StoreError
from mta_eval.outside import resolved
from mta_eval.results import store
from mta_eval.results.growth import ContradictionError, grown, refuse_contradictions
from mta_eval.results.parts import in_order, parts_of_run
from mta_eval.results.record_json import record_line
from mta_eval.results.run_json import run_text
from mta_eval.whole_files import making_folder, write_bytes


class Source(NamedTuple):
    """A run folder that is merged."""

    folder: Path
    run: Run
    records: list[Record]


class Merged(NamedTuple):
    """The whole question and all records, and how many of the answers stood in several runs."""

    run: Run
    records: list[Record]
    doubles: int


def merge_runs(folders: Sequence[Path], out: Path) -> Merged:
    """Make the new run folder `out` of several; it is there whole or not at all.

    Questions are joined as those of a run that grows. A sample that several runs answered is kept once; a failed one
    gives way to an answered one. Raises SpecError for fewer than two folders, StoreError if `out` is there already, a
    folder is no run, the questions contradict each other, or a sample has two answers.
    """
    sources = [_read(folder) for folder in dict.fromkeys(resolved(folder) for folder in folders)]
    if len(sources) < 2:
        raise SpecError("merge needs two or more run folders")
    for first, second in combinations(sources, 2):
        _check_questions(first, second)
    whole = sources[0].run
    for source in sources[1:]:
        whole = grown(whole, (), source.run)
    if len(whole.seeds) > 1:
        sources = [source._replace(records=list(_with_seeds(source))) for source in sources]
    kept: dict[SampleKey, tuple[Record, Path]] = {}
    doubles = 0
    for source in sources:
        for record in source.records:
            key = whole.key_of(record)
            before = kept.setdefault(key, (record, source.folder))
            if before[0] is record or record.error is not None:
                continue
            if before[0].error is None:
                _check_same(before, (record, source.folder))
                doubles += 1
            else:
                kept[key] = record, source.folder
    records = in_order(whole, (record for record, _ in kept.values()))
    _write_new(out, whole, records)
    return Merged(whole, records, doubles)


def _write_new(folder: Path, run: Run, records: Iterable[Record]) -> None:
    """A new run folder with all its records, there whole or not at all. Raises StoreError if there is one already."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StoreError(f"{str(folder)!r} is there already; name a new folder with --out")
        with making_folder(folder) as made:
            write_bytes(made / store.QUESTION, run_text(run).encode(), durable=True)
            lines = (record_line(record) + "\n" for record in records)
            write_bytes(made / store.RECORDS, "".join(lines).encode(), durable=True)
    except OSError as error:
        raise StoreError(f"cannot write the run folder {str(folder)!r}: {error.strerror}") from error


def _read(folder: Path) -> Source:
    run, records = store.read(folder)
    return Source(folder, replace(run, parts=parts_of_run(run, records)), records)


def _with_seeds(source: Source) -> Iterator[Record]:
    return (record.with_seed(source.run.sweep.seed) for record in source.records)


def _check_questions(first: Source, second: Source) -> None:
    """Raises StoreError if two runs were not asked alike."""
    try:
        refuse_contradictions(first.run, second.run)
    except ContradictionError as found:
        what = f"{found.model}: its {found.what}" if found.model else found.what
        raise StoreError(
            f"{str(first.folder)!r} and {str(second.folder)!r} cannot be merged: {what} is {found.before} in the first "
            f"and {found.now} in the second"
        ) from found


def _check_same(first: tuple[Record, Path], second: tuple[Record, Path]) -> None:
    """Raises StoreError if two answers to one sample differ, or its prompt does."""
    (one, folder), (other, other_folder) = first, second
    prompts = {record.prompt_sha256 for record in (one, other) if record.prompt_sha256}
    what = "prompts" if len(prompts) > 1 else "answers" if _answer(one) != _answer(other) else ""
    if what:
        raise StoreError(
            f"{one.sample_id} of {one.model} has two {what}, in {str(folder)!r} and in {str(other_folder)!r}; "
            "merge runs that agree, or leave one of them out"
        )


def _answer(record: Record) -> tuple[str | None, float | None]:
    return record.output, record.score

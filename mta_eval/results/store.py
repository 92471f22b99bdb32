"""Run folders: run.json (the question) and records.jsonl (one line per sample, appended and flushed one by one).

A run may be killed at any moment: a torn last line is dropped at the next start, and nothing before it is touched.
A folder grows: run.json is replaced by the larger question, at once, before anything new is asked.
"""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from mta_eval.core import Record, Run, SampleKey
from mta_eval.errors import MtaEvalError, StoreError
from mta_eval.outside import regular
from mta_eval.printable import say
from mta_eval.results.growth import ContradictionError, grown, with_parts, without_unanswered
from mta_eval.results.new_runs import NewRun
from mta_eval.results.parts import cell_or_none, in_order, membership
from mta_eval.results.record_json import NewerSchemaError, read_record, record_line
from mta_eval.results.run_json import check_asked, read_run_text, run_text
from mta_eval.version import VERSION
from mta_eval.whole_files import write_bytes

QUESTION, RECORDS = "run.json", "records.jsonl"


class RunFolder:
    """A run folder open for writing; one process at a time.

    Opening it makes its question hold `run` too, repairs a torn last line and drops the failed samples of `run`, so
    that they are tried again. `run` is then the folder's whole question, `done` the samples that need no answer.
    A folder that it made is gone again where an MtaEvalError ends it before there is a record.
    Raises StoreError if the folder cannot be written, is in use, or its question contradicts `run`.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        self._new = NewRun(folder, (RECORDS, QUESTION))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            try:
                self.run, self.done = self._begin(run)
                self._file = (folder / RECORDS).open("ab", buffering=0)
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise StoreError(f"cannot write the run folder {str(folder)!r}: {error.strerror}") from error

    def append(self, record: Record) -> None:
        """Save one record. Raises StoreError if it cannot be written; what was saved before stays whole."""
        line = record_line(record).encode() + b"\n"
        size = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            os.ftruncate(self._file.fileno(), size)
            raise StoreError(
                f"cannot write {str(self.folder / RECORDS)!r}: {error.strerror}; mend that and repeat the command"
            ) from error

    def keep_facts(self, facts: Mapping[str, Mapping[str, str]]) -> None:
        """Keep what models say of themselves, by spec, beside what the run has of them. Raises StoreError."""
        known = {name: {**values, **self.run.settings.get(name, {})} for name, values in facts.items()}
        models = {**self.run.settings, **known}
        if models == self.run.settings:
            return
        self.run = dataclasses.replace(self.run, environment={**self.run.environment, "models": models})
        try:
            write_bytes(self.folder / QUESTION, run_text(self.run).encode(), durable=True)
        except OSError as error:
            raise StoreError(f"cannot write {str(self.folder / QUESTION)!r}: {error.strerror}") from error

    def close(self) -> None:
        """Give the folder free."""
        self._file.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, MtaEvalError) and not os.fstat(self._file.fileno()).st_size:
            self._new.remove()
        self.close()

    def _begin(self, asked: Run) -> tuple[Run, set[SampleKey]]:
        """Write the question, or make the one that is there hold it. Returns the whole question, and what is done."""
        path, file = self.folder / QUESTION, self.folder / RECORDS
        if not path.exists():
            if file.exists():
                raise StoreError(f"{str(self.folder)!r} holds records but no {QUESTION}; choose another --out")
            whole = with_parts(asked)
            write_bytes(path, run_text(whole).encode(), durable=True)
            return whole, set()
        there = read_run(self.folder)
        records = _read_records(self.folder, there)
        whole = _grown(without_unanswered(there, records, asked), records, asked, self.folder)
        if whole != there:
            write_bytes(path, run_text(whole).encode(), durable=True)
        retried = _samples_of(asked, whole)
        kept = [record for record in records if record.error is None or not retried(record)]
        if not file.exists() or len(kept) < len(records) or not file.read_bytes().endswith(b"\n"):
            write_bytes(file, "".join(record_line(record) + "\n" for record in kept).encode(), durable=True)
        return whole, {whole.key_of(record) for record in kept if record.error is None}


def _samples_of(asked: Run, whole: Run) -> Callable[[Record], bool]:
    """Whether a record of the `whole` run is of a sample that is asked now; a question without parts asks them all."""
    in_parts = membership(asked.parts)

    def is_asked(record: Record) -> bool:
        cell = cell_or_none(record.sample_id)
        if not asked.parts or cell is None:
            return True
        return in_parts(record.task, record.model, whole.seed_of(record), cell)

    return is_asked


def read_run(folder: Path) -> Run:
    """The question of a run folder. Raises StoreError if there is none."""
    path = folder / QUESTION
    try:
        return read_run_text(regular(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise StoreError(_no_run(folder)) from error
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except NewerSchemaError as error:
        raise StoreError(f"{str(path)!r} {error}") from error
    except ValueError as error:
        raise StoreError(f"{str(path)!r} is damaged: {error}; nothing was changed") from error


def _no_run(folder: Path) -> str:
    """Why a folder is no run, and what was perhaps meant."""
    if not folder.exists():
        return f"there is no run folder {str(folder)!r}"
    if found := sorted(folder.rglob("samples_*.jsonl")):
        return f"{str(folder)!r} holds answers from lm-eval; name their files, such as {str(found[0])!r}"
    return f"{str(folder)!r} is no run folder: it has no {QUESTION}"


def read(folder: Path) -> tuple[Run, list[Record]]:
    """A run folder's question and its whole records; a torn last line is passed over. Raises StoreError.

    The records come in the order of the question (see `parts.in_order`), not in that in which they were answered, and
    where it has several seeds each has the axis "seed".
    """
    run = read_run(folder)
    records = _read_records(folder, run)
    if len(run.seeds) > 1:
        records = [record.with_seed(run.sweep.seed) for record in records]
    return run, in_order(run, records)


def in_use(folder: Path) -> bool:
    """Whether somebody is writing into a run folder. Raises StoreError if there is none."""
    read_run(folder)
    try:
        os.close(_lock(folder, fcntl.LOCK_SH, tries=1))  # shared: lookers do not take one another for writers
    except StoreError:
        return True
    return False


def _read_records(folder: Path, run: Run) -> list[Record]:
    """The records as they stand in the file; of two of one sample the later."""
    path = folder / RECORDS
    records: dict[SampleKey, Record] = {}
    unknown: dict[str, None] = {}
    for number, line in enumerate(_whole_lines(path), 1):
        try:
            record = read_record(line)
            check_asked(record, run)
        except NewerSchemaError as error:
            raise StoreError(f"{str(path)!r} line {number} {error}") from error
        except ValueError as error:
            raise StoreError(
                f"{str(path)!r} line {number} is damaged: {error}; remove that line and run again"
            ) from error
        records[run.key_of(record)] = record
        unknown |= dict.fromkeys(record.unknown)
    if unknown:
        _say_unknown(path, tuple(unknown))
    return list(records.values())


@functools.cache  # once for each file, however often it is read
def _say_unknown(path: Path, names: tuple[str, ...]) -> None:
    say(f"{str(path)!r} has fields that mta-eval {VERSION} does not know, and keeps: {', '.join(names)}")


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, one at a time, without a torn last one; none if there is no file. Raises StoreError."""
    try:
        with regular(path).open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error


def _grown(there: Run, records: list[Record], asked: Run, folder: Path) -> Run:
    """The question of a folder with what is asked now. Raises StoreError where they contradict each other."""
    try:
        return grown(there, records, asked)
    except ContradictionError as found:
        if found.model:
            raise StoreError(
                f"{str(folder)!r} holds the answers of another {found.model}: its {found.what} changed since "
                f"({found.before}, now {found.now}); choose another --out"
            ) from found
        raise StoreError(
            f"{str(folder)!r} holds another question: {found.what} was {found.before}, now {found.now}; "
            "choose another --out, or ask as before to go on with it"
        ) from found


def _lock(folder: Path, kind: int = fcntl.LOCK_EX, tries: int = 4) -> int:
    """An open handle that holds the lock. Raises StoreError if another has it; who only looks has it for an instant."""
    handle = os.open(folder, os.O_RDONLY)
    for left in reversed(range(tries)):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if left:
                time.sleep(0.05)
    os.close(handle)
    raise StoreError(f"{str(folder)!r} is in use by another mta-eval; wait for it or choose another --out")

"""Run folders: run.json (the question) and records.jsonl (one line per sample, appended and flushed one by one).

A run may be killed at any moment: a torn last line is dropped at the next start, and nothing before it is touched.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mta_eval.core import PromptSettings, Record, Run, Sweep
from mta_eval.errors import StoreError
from mta_eval.results.record_json import NewerSchemaError, read_record, read_run_text, record_line, run_text

QUESTION, RECORDS = "run.json", "records.jsonl"
PARTS = {"weights": "weights", "config": "configuration", "adapter": "adapter", "revision": "revision on the hub"} | {
    "template": "chat template",
    "generation": "end tokens",
}


class RunFolder:
    """A run folder open for writing; one process at a time.

    Opening it repairs a torn last line and drops failed samples, so that they are tried again. Raises StoreError if
    the folder cannot be written, is in use, or holds the records of another question.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            try:
                self.done = self._begin(run)
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

    def close(self) -> None:
        """Give the folder free."""
        self._file.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, run: Run) -> set[tuple[str, str]]:
        """Write the question, or check that it is the same one. Returns (model, sample id) of what is done."""
        path = self.folder / QUESTION
        if not path.exists():
            if (self.folder / RECORDS).exists():
                raise StoreError(f"{str(self.folder)!r} holds records but no {QUESTION}; choose another --out")
            _write_whole(path, run_text(run).encode())
            return set()
        _refuse_another(read_run(self.folder), run, self.folder)
        records = _read_records(self.folder)
        kept = [record for record in records if record.error is None]
        file = self.folder / RECORDS
        if not file.exists() or len(kept) < len(records) or not file.read_bytes().endswith(b"\n"):
            _write_whole(file, "".join(record_line(record) + "\n" for record in kept).encode())
        return {(record.model, record.sample_id) for record in kept}


def read_run(folder: Path) -> Run:
    """The question of a run folder. Raises StoreError if there is none."""
    path = folder / QUESTION
    try:
        return read_run_text(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise StoreError(_no_run(folder)) from error
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except NewerSchemaError as error:
        raise StoreError(f"{str(path)!r} {error}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{str(path)!r} is damaged: {error}; nothing was changed") from error


def _no_run(folder: Path) -> str:
    """Why a folder is no run, and what was perhaps meant."""
    if not folder.exists():
        return f"there is no run folder {str(folder)!r}"
    if found := sorted(folder.rglob("samples_*.jsonl")):
        return f"{str(folder)!r} holds answers from lm-eval; name their files, such as {str(found[0])!r}"
    return f"{str(folder)!r} is no run folder: it has no {QUESTION}"


def read(folder: Path) -> tuple[Run, list[Record]]:
    """A run folder's question and its whole records; a torn last line is passed over. Raises StoreError."""
    return read_run(folder), _read_records(folder)


def in_use(folder: Path) -> bool:
    """Whether somebody is writing into a run folder. Raises StoreError if there is none."""
    read_run(folder)
    try:
        os.close(_lock(folder, fcntl.LOCK_SH, tries=1))  # shared: lookers do not take one another for writers
    except StoreError:
        return True
    return False


def _read_records(folder: Path) -> list[Record]:
    path = folder / RECORDS
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error
    whole, _, _ = data.rpartition(b"\n")
    records: dict[tuple[str, str], Record] = {}
    for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
        try:
            record = read_record(line)
        except NewerSchemaError as error:
            raise StoreError(f"{str(path)!r} line {number} {error}") from error
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"{str(path)!r} line {number} is damaged: {error}; remove that line and run again"
            ) from error
        records[record.model, record.sample_id] = record
    return list(records.values())


def _refuse_another(there: Run, here: Run, folder: Path) -> None:
    """Raise StoreError with the first difference between two questions, if there is one."""
    for name, old, new in _questions(there, here):
        if old != new:
            raise StoreError(
                f"{str(folder)!r} holds another question: {name} was {_short(old)}, now {_short(new)}; "
                "choose another --out, or repeat the first command to go on with it"
            )
    for model, before in there.identities.items():
        if (now := here.identities.get(model)) and (part := before.changed(now)):
            raise StoreError(
                f"{str(folder)!r} holds the answers of another {model}: its {PARTS[part]} changed since "
                f"({getattr(before, part)}, now {getattr(now, part)}); choose another --out"
            )


def _questions(there: Run, here: Run) -> list[tuple[str, Any, Any]]:
    pairs = [(field.name, getattr(there, field.name), getattr(here, field.name)) for field in dataclasses.fields(Run)]
    rows = [row for row in pairs if row[0] not in ("sweep", "environment", "prompt", "identities")]
    for kind, before, now in ((Sweep, there.sweep, here.sweep), (PromptSettings, there.prompt, here.prompt)):
        rows += [
            (field.name, getattr(before, field.name), getattr(now, field.name)) for field in dataclasses.fields(kind)
        ]
    return rows


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


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


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file at once or not at all."""
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

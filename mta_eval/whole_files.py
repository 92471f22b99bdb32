"""The one writer: a file is whole once it is written, or else as it was before; who reads it meanwhile sees no gap.

What is being written stands beside its place, as ".NAME.????????.part", and is locked by its writer. One that is not
locked was left by a writer that was killed; the next one to write NAME removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mta_eval.outside import resolved

NEW_MODE = 0o644
UNFINISHED = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.part", re.DOTALL)


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """A file to write what is to stand at `path`; it takes that place when the block ends without an error.

    A link stays, and the file that it names is written. `durable` waits until the disk has it. Raises OSError, also
    where something stands at `path` that is no regular file.
    """
    path = resolved(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "no regular file; name a file to write", str(path))
    _remove_abandoned(path)
    handle, unfinished = _locked_file(path)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:  # closed, and so known to be written, before it has its name
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        unfinished.chmod(path.stat().st_mode & 0o777 if path.exists() else NEW_MODE)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


@contextmanager
def making_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `folder` when the block ends without an error; that must be new or empty.

    The folders above it are made if need be. Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _beside(folder) as place:
        made = place / "made"
        made.mkdir()  # with the mode of any new folder
        yield made
        made.rename(folder)  # fails where something is in it


@contextmanager
def filling_folder(folder: Path) -> Iterator[Path]:
    """A folder to write files to, which move into `folder`, each whole, when the block ends without an error.

    For libraries that write a folder's files in their own ways. Raises OSError.
    """
    with _beside(folder / "files") as place:
        yield place
        for file in sorted(place.iterdir()):
            file.replace(folder / file.name)


def is_unfinished(path: Path) -> bool:
    """Whether a file or folder is one that is being written, or was when its writer was killed."""
    return UNFINISHED.fullmatch(path.name) is not None


def write_bytes(path: Path, data: bytes, durable: bool = False) -> None:
    """Write a file as `replacing` does. Raises OSError."""
    with replacing(path, durable) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; half a surrogate pair, which has no UTF-8, becomes "?". Raises OSError."""
    write_bytes(path, encoded(text))


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Write a text as `write_text` does, part by part as they are made. Raises OSError."""
    with replacing(path) as file:
        for part in parts:
            file.write(encoded(part))


def encoded(text: str) -> bytes:
    """UTF-8 of a text; "?" for half a surrogate pair."""
    return text.encode("utf-8", "replace")


def _locked_file(path: Path) -> tuple[int, Path]:
    """A new file beside `path`, and the handle that locks it."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        if _lock(handle):
            return handle, Path(name)
        os.close(handle)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new locked folder beside `path`, which is gone after the block."""
    _remove_abandoned(path)
    while True:
        place = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        handle = os.open(place, os.O_RDONLY)
        if _lock(handle):
            break
        os.close(handle)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def _lock(handle: int) -> bool:
    """Lock what was just made; False if another writer took it for an abandoned one meanwhile, and removed it."""
    with suppress(OSError):  # a file system without locks: then nobody can lock it to remove it either
        fcntl.flock(handle, fcntl.LOCK_EX)
    return os.fstat(handle).st_nlink > 0


def _remove_abandoned(path: Path) -> None:
    """Remove what killed writers of `path` left beside it. What cannot be looked at or removed stays."""
    with suppress(OSError):
        for there in path.parent.iterdir():
            found = UNFINISHED.fullmatch(there.name)
            if found and found["name"] == path.name:
                _remove_unlocked(there)


def _remove_unlocked(there: Path) -> None:
    with suppress(OSError):
        handle = os.open(there, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if there.is_dir():
                shutil.rmtree(there)
            else:
                there.unlink()
        finally:
            os.close(handle)

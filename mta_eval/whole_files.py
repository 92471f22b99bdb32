"""The one writer: a file is whole once it is written, or else as it was before; who reads it meanwhile sees no gap."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mta_eval.outside import resolved

NEW_MODE = 0o644


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
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        unfinished.chmod(path.stat().st_mode & 0o777 if path.exists() else NEW_MODE)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes, durable: bool = False) -> None:
    """Write a file as `replacing` does. Raises OSError."""
    with replacing(path, durable) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; half a surrogate pair, which has no UTF-8, becomes "?". Raises OSError."""
    write_bytes(path, encoded(text))


def encoded(text: str) -> bytes:
    """UTF-8 of a text; "?" for half a surrogate pair."""
    return text.encode("utf-8", "replace")

"""Folders that are written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mta_eval.errors import ModelError
from mta_eval.whole_files import making_folder


def check_new(folder: Path) -> None:
    """Raises ModelError unless `folder` is new or empty."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ModelError(f"{str(folder)!r} is there already; name a new or an empty folder")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to that becomes `folder` when all is well, and is gone otherwise. Raises ModelError."""
    check_new(folder)
    try:
        with making_folder(folder) as unfinished:
            yield unfinished
    except OSError as error:
        raise ModelError(f"cannot write {str(folder)!r}: {error.strerror or error}") from error

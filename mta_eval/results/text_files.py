"""Text files of lines, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mta_eval.errors import StoreError
from mta_eval.whole_files import write_parts


def write_lines(lines: Iterable[str], out: Path) -> None:
    """A text file, whole or not at all. Raises StoreError if it cannot be written."""
    try:
        write_parts(out, (f"{line}\n" for line in lines))
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror or error}") from error

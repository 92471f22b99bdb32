"""Text files that are written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mta_eval.errors import StoreError


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

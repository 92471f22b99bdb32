"""The pages of a shelf as files."""

from __future__ import annotations

from pathlib import Path

from mta_eval.errors import StoreError
from mta_eval.results.view.shelf import INDEX, Shelf
from mta_eval.whole_files import write_text


def write_bundle(shelf: Shelf, out: Path) -> list[Path]:
    """Write the index and the page of each run that has answers into the folder `out`; returns the paths.

    Raises StoreError if it cannot be written, or a run cannot be read.
    """
    pages = {INDEX: shelf.index()} | {address: shelf.page(address) or "" for address in shelf.addresses()}
    written = []
    try:
        for address, text in pages.items():
            if text:
                path = out / address
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, text)
                written.append(path)
    except OSError as error:
        raise StoreError(f"cannot write to {error.filename or out}: {error.strerror or error}") from error
    return written

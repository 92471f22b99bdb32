"""Long texts are tokenised once: what was counted in them is kept on disk, by their content and the tokenizer.

The folder is `tokens` in the user's cache folder (see caches.py); MTA_EVAL_TOKEN_CACHE=off switches the cache off.
It never stops a run: what is damaged is counted again, what cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import metadata
from io import BytesIO
from pathlib import Path

from mta_eval.caches import cache_home
from mta_eval.core import Tokenizer
from mta_eval.whole_files import replacing

SWITCH = "MTA_EVAL_TOKEN_CACHE"
FORMAT = 1  # to be raised whenever what is kept of a text, or how it is counted, changes
WORTH = 250_000  # characters: some 0.2 s of tokenising
MOST_BYTES = 32 << 20  # of the folder; the entries that were not used for longest go first
BLOCK = 4096  # bytes that the smallest file takes on most disks


def recall(
    kind: str, texts: Sequence[str], settings: Sequence[object], tokenizer: Tokenizer, count: Callable[[], list[int]]
) -> list[int]:
    """`count()`, or what it gave for the same `kind`, `texts`, `settings` and tokenizer before.

    `texts` and `settings` must be all that the numbers depend on. Texts below WORTH characters are always counted.
    """
    folder = _folder() if sum(map(len, texts)) >= WORTH else None
    if folder is None:
        return count()
    path = folder / f"{_digest(kind, texts, settings, tokenizer)}.npz"
    counts = _read(path)
    if counts is None:
        counts = count()
        with suppress(OSError):  # a full disk, or a folder that may not be written: then nothing is kept
            _write(path, counts)
            _evict(folder)
    return counts


def _folder() -> Path | None:
    """Where entries are; None if nothing is to be kept, or the user has no home."""
    if os.environ.get(SWITCH) == "off":
        return None
    with suppress(RuntimeError):
        return cache_home() / "tokens"
    return None


def _digest(kind: str, texts: Iterable[str], settings: Sequence[object], tokenizer: Tokenizer) -> str:
    head = f"{FORMAT}|{kind}|{tokenizer.fingerprint}|{metadata.version('tokenizers')}|{settings!r}"
    digest = hashlib.sha256(head.encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _read(path: Path) -> list[int] | None:
    """The numbers of an entry, which counts as used from now on; None if there is none, or it is damaged."""
    import numpy as np

    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as archive:  # a zip file, with checksums
            counts: list[int] = archive["counts"].tolist()
    except Exception:  # a damaged archive makes numpy and zipfile raise whatever they trip over
        return None
    with suppress(OSError):
        os.utime(path)
    return counts


def _write(path: Path, counts: list[int]) -> None:
    """An entry, whole or not at all, whoever else writes it. Raises OSError."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.savez_compressed(file, counts=np.array(counts, dtype=np.int64))


def _evict(folder: Path) -> None:
    """Remove what was not used for longest until the folder is small enough. Raises OSError."""
    files = sorted(((file.stat(), file) for file in folder.iterdir()), key=lambda pair: pair[0].st_mtime)
    size = sum(max(stat.st_size, BLOCK) for stat, _ in files)
    for stat, file in files:
        if size <= MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        size -= max(stat.st_size, BLOCK)

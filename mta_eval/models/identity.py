"""What makes a checkpoint the same checkpoint tomorrow: digests of its parts, made without loading a weight."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from pathlib import Path

from mta_eval.core import Json, ModelIdentity

WEIGHT_SUFFIXES = (".safetensors", ".gguf")
HEADER_BYTES = 1 << 20  # read of a file without a header of known length


def digest_of(*parts: Json) -> str:
    """16 hexadecimal digits that stand for values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def checkpoint_identity(path: Path, config: Json, template: str, end_tokens: Iterable[int]) -> ModelIdentity:
    """The identity of a checkpoint in a folder or file; of a hub id that is in no folder the weights are "".

    `weights` covers the names, sizes and headers of the files of weights: a tensor that was added, renamed or given
    another shape or dtype shows, one whose numbers alone changed does not.
    """
    files = [path] if path.is_file() else sorted(path.glob("*")) if path.is_dir() else []
    weights = [file for file in files if file.suffix in WEIGHT_SUFFIXES]
    return ModelIdentity(
        weights=digest_of([[file.name, file.stat().st_size, _header(file)] for file in weights]) if weights else "",
        config=digest_of(config),
        template=digest_of(template) if template else "",
        generation=digest_of(sorted(end_tokens)),
    )


def _header(file: Path) -> str:
    """A digest of the tensors' names, shapes, dtypes and places."""
    with file.open("rb") as opened:
        size = HEADER_BYTES
        if file.suffix == ".safetensors":
            length = opened.read(8)
            size = min(struct.unpack("<Q", length)[0], 100 * HEADER_BYTES) if len(length) == 8 else 0
        return hashlib.sha256(opened.read(size)).hexdigest()

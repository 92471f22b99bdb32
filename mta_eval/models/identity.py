"""What makes a model the same model tomorrow: digests of a checkpoint's parts, computed without loading its weights."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from mta_eval.core import Json, ModelIdentity

WEIGHT_SUFFIXES = (".safetensors", ".gguf")
HEADER_BYTES = 1 << 20  # read of a file without a header of known length
# of a configuration: where it was loaded from and by which version, which changes nothing
VOLATILE = ("_name_or_path", "transformers_version")


def digest_of(*parts: Json) -> str:
    """16 hexadecimal digits that stand for values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def model_identity(
    config: Mapping[str, Json], template: str, end_tokens: Iterable[int], weights: str = "", revision: str = ""
) -> ModelIdentity:
    """The identity of a model from its parts; `config` is the dictionary of its configuration."""
    return ModelIdentity(
        weights=weights,
        config=digest_of({name: value for name, value in config.items() if name not in VOLATILE}),
        revision=revision,
        template=template_digest(template),
        generation=digest_of(sorted(end_tokens)),
    )


def template_digest(template: str) -> str:
    """The digest of a chat template; "" without one."""
    return digest_of(template) if template else ""


def weights_digest(path: Path) -> str:
    """The digest of a checkpoint's files of weights: a file, or those in a folder; "" if there are none (a hub id).

    It covers names, sizes and headers: a tensor that was added, renamed or given another shape or dtype changes it,
    one whose numbers alone changed does not.
    """
    files = [path] if path.is_file() else sorted(path.glob("*")) if path.is_dir() else []
    weights = [file for file in files if file.suffix in WEIGHT_SUFFIXES]
    return digest_of([[file.name, file.stat().st_size, _header(file)] for file in weights]) if weights else ""


def _header(file: Path) -> str:
    """A digest of the tensors' names, shapes, dtypes and offsets."""
    with file.open("rb") as opened:
        size = HEADER_BYTES
        if file.suffix == ".safetensors":
            length = opened.read(8)
            size = min(struct.unpack("<Q", length)[0], 100 * HEADER_BYTES) if len(length) == 8 else 0
        return hashlib.sha256(opened.read(size)).hexdigest()

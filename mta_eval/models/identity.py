"""What makes a model the same model tomorrow: digests of a checkpoint's parts, computed without loading its weights."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.caches import cache_home
from mta_eval.core import Json, ModelIdentity
from mta_eval.errors import ModelError
from mta_eval.models.error_text import first_line
from mta_eval.outside import read_json, regular
from mta_eval.whole_files import write_text

if TYPE_CHECKING:
    import torch

WEIGHT_ENDS = (".safetensors", ".gguf", ".safetensors.index.json")  # the index says which file a tensor is taken from
ADAPTER_PICKLE = "adapter_model.bin"  # PEFT reads it where there are no safetensors
HEADER_BYTES = 1 << 20  # read of a file without a header of known length
# files of weights that are read whole have so many bytes together at most; larger ones are sampled, so that a model of
# 100 GB starts at once
WHOLE_BYTES = 4 << 30
CHUNK = 1 << 22
STRETCHES, STRETCH = 256, 1 << 16  # of a sampled file: so many, spread evenly, of so many bytes
VALUES = 1 << 22  # of a tensor in memory that are hashed at once
MEMORY = "fingerprints.json"  # in the cache: digests of files, by path, size and time of change
# of a configuration: where it was loaded from and by which version, which changes nothing
VOLATILE = ("_name_or_path", "transformers_version")


def digest_of(*parts: Json) -> str:
    """16 hexadecimal digits that stand for values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def model_identity(
    config: Mapping[str, Json],
    template: str,
    end_tokens: Iterable[int],
    weights: str = "",
    revision: str = "",
    adapter: str = "",
) -> ModelIdentity:
    """The identity of a model from its parts; `config` is the dictionary of its configuration."""
    return ModelIdentity(
        weights=weights,
        config=digest_of({name: value for name, value in config.items() if name not in VOLATILE}),
        adapter=adapter,
        revision=revision,
        template=template_digest(template),
        generation=digest_of(sorted(end_tokens)),
    )


def template_digest(template: str) -> str:
    """The digest of a chat template; "" without one."""
    return digest_of(template) if template else ""


def stored_parameters(path: Path) -> int:
    """How many numbers the safetensors files of a folder hold, by their headers; 0 without one. Raises ModelError."""
    from safetensors import SafetensorError, safe_open

    count = 0
    for file in sorted(path.glob("*.safetensors")):
        try:
            with safe_open(file, "numpy") as weights:
                count += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{str(file)!r} is damaged: {first_line(error)}; copy it again") from error
    return count


def weights_digest(path: Path) -> str:
    """The digest of a checkpoint's files of weights: a file, or those in a folder; "" if there are none (a hub id).

    Up to WHOLE_BYTES in all every byte counts; beyond that sizes, headers (names, shapes and types of tensors) and
    stretches of each file. What was read once is remembered in the cache by path, size and time of change.
    """
    files = [path] if path.is_file() else sorted(path.glob("*")) if path.is_dir() else []
    weights = [file for file in files if file.name.endswith((*WEIGHT_ENDS, ADAPTER_PICKLE))]
    if not weights:
        return ""
    whole = sum(file.stat().st_size for file in weights) <= WHOLE_BYTES
    known = _Remembered(cache_home() / MEMORY)
    digests: list[Json] = [[file.name, file.stat().st_size, known.digest(file, whole)] for file in weights]
    known.save()
    return digest_of(digests)


def adapter_digest(path: Path) -> str:
    """The digest of a PEFT adapter's configuration and weights; of a hub id its commit stands for both.

    "" where there is no adapter. Raises ModelError for what can be no hub id.
    """
    config = path / "adapter_config.json"
    if not path.exists():
        from transformers.utils import cached_file

        try:
            found = cached_file(str(path), config.name, _raise_exceptions_for_missing_entries=False)
        except (OSError, ValueError) as error:
            raise ModelError(f"no adapter {str(path)!r}: {first_line(error)}; name a folder or a hub id") from error
        return digest_of(Path(found).parent.name) if found else ""  # …/snapshots/COMMIT/adapter_config.json
    weights = weights_digest(path)
    return digest_of(config.read_text("utf-8"), weights) if config.is_file() else weights


def code_digest(path: Path) -> str:
    """The digest of the Python files of a checkpoint's folder; "" where there are none (a hub id)."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else []
    return digest_of([[str(file.relative_to(path)), _file_digest(file, True)] for file in files]) if files else ""


def tensors_digest(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    """The digest of tensors in memory: names, shapes, types and every byte, the same on every device."""
    there = [(name, tensor) for name, tensor in tensors if not tensor.is_meta]
    with ThreadPoolExecutor() as pool:
        hashed = pool.map(_tensor_bytes_digest, (tensor for _, tensor in there))
        parts: list[Json] = [
            [name, list(tensor.shape), str(tensor.dtype), digest]
            for (name, tensor), digest in zip(there, hashed, strict=True)
        ]
    return digest_of(*parts) if parts else ""


def _tensor_bytes_digest(tensor: torch.Tensor) -> str:
    import torch

    digest = hashlib.sha256()
    with torch.no_grad():
        for part in torch.split(tensor.detach().flatten(), VALUES):
            digest.update(part.view(torch.uint8).cpu().numpy().data)
    return digest.hexdigest()


class _Remembered:
    """Digests of files that were read before. A memory that cannot be read or written is done without."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        try:
            known = read_json(path.read_text("utf-8"))
        except (OSError, ValueError):
            known = {}
        self._known: dict[str, Json] = known if isinstance(known, dict) else {}

    def digest(self, file: Path, whole: bool) -> str:
        state = file.stat()
        # the time of change, too: a file written in place may have been given its old times again
        key: list[Json] = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, whole]
        there = self._known.get(str(file.resolve()))
        if isinstance(there, list) and there[:-1] == key:
            return str(there[-1])
        digest = _file_digest(file, whole)
        self._known[str(file.resolve())] = [*key, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        if not self._changed:
            return
        try:
            known = {path: entry for path, entry in self._known.items() if Path(path).exists()}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(known))
        except OSError:  # the next run reads the files again
            return


def _file_digest(file: Path, whole: bool) -> str:
    digest = hashlib.sha256()
    for part in _chunks(file) if whole else _stretches(file):
        digest.update(part)
    return digest.hexdigest()


def _chunks(file: Path) -> Iterator[bytes]:
    with regular(file).open("rb") as opened:
        while part := opened.read(CHUNK):
            yield part


def _stretches(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with regular(file).open("rb") as opened:
        yield _header(opened.read(8), file)
        for place in _places(size):
            opened.seek(place)
            yield opened.read(STRETCH)


def _places(size: int) -> Sequence[int]:
    return [size * index // STRETCHES for index in range(STRETCHES)] + [max(0, size - STRETCH)]


def _header(length: bytes, file: Path) -> bytes:
    """The tensors' names, shapes, dtypes and offsets."""
    size = HEADER_BYTES
    if file.suffix == ".safetensors":
        size = min(struct.unpack("<Q", length)[0], 100 * HEADER_BYTES) if len(length) == 8 else 0
    with regular(file).open("rb") as opened:
        return opened.read(8 + size)

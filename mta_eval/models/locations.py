"""Where a checkpoint or tokenizer is: folders, files, hub ids, and model specs that have a checkpoint."""

from __future__ import annotations

from pathlib import Path

from mta_eval import registry
from mta_eval.errors import ModelError

HINT = "name a folder, a tokenizer.json or .gguf file, or a Hugging Face id"


def local_path(path_or_id: str) -> Path:
    """`path_or_id` as a path; it need not exist if it may be a hub id (NAME or OWNER/NAME). Raises ModelError."""
    try:
        path = Path(path_or_id).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError):
        exists = False
    hub = not path_or_id.startswith((".", "/", "~")) and path_or_id.count("/") < 2
    if not exists and (not hub or path_or_id.endswith((".gguf", ".json"))):
        raise ModelError(f"no file or folder {path_or_id!r}; {HINT}")
    return path if exists else Path(path_or_id)


def checkpoint_path(source: str) -> str:
    """The folder or hub id behind a path or a model spec, such as smollm2 or mta:DIR. Raises ModelError, SpecError."""
    name, *_ = registry.parse(source)
    if name not in registry.names("models"):
        return str(local_path(source))
    model = registry.build_model(source)
    path = getattr(getattr(model, "model", model), "path", None)
    if path is None:
        raise ModelError(f"{source!r} has no checkpoint; name a folder, a hub id, or a model that has weights")
    return str(local_path(path))

"""The door for a checkpoint's folder: its files are files, its JSON is an object, its index names files beside it.

Other packages read these files too, and wait for a pipe, run out of stack, or say nothing of what they pass over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mta_eval.core import Json
from mta_eval.errors import ModelError
from mta_eval.outside import read_json, regular

CONFIG = "config.json"
# read by transformers or tokenizers whatever else is there; an index only where the weights are in several files
OBJECTS = (
    *(CONFIG, "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("adapter_config.json", "processor_config.json", "preprocessor_config.json", "chat_template.json"),
)
READ_WHOLE = ("tokenizer.json", "chat_template.jinja")
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", "*.model")
INDEX = "*.safetensors.index.json"


def check_folder(folder: Path) -> Mapping[str, Json]:
    """What config.json of a checkpoint's folder says; nothing where `folder` is none, or has none.

    Raises ModelError for a file that is no file, JSON that is no object, and an index that names what is not there.
    """
    if not folder.is_dir():
        return {}
    for path in (*(folder / name for name in READ_WHOLE), *(path for ends in WEIGHTS for path in folder.glob(ends))):
        _check_file(path)
    objects = {name: _object(folder / name) for name in OBJECTS}
    for path in folder.glob(INDEX):
        _check_index(path, _object(path))
    return objects[CONFIG]


def _check_file(path: Path) -> None:
    if not (path.exists() or path.is_symlink()):
        return
    try:
        regular(path)
    except OSError as error:
        raise ModelError(f"cannot read {str(path)!r}: {error.strerror}; put the file there again") from error


def _object(path: Path) -> Mapping[str, Json]:
    _check_file(path)
    if not path.exists():
        return {}
    try:
        value = read_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{str(path)!r} is damaged: {reason}; copy it again, or mend it") from error
    if not isinstance(value, dict):
        raise ModelError(f"{str(path)!r} is damaged: it holds {type(value).__name__}, not an object; copy it again")
    return value


def _check_index(path: Path, index: Mapping[str, Json]) -> None:
    files = index.get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) for name in files.values()):
        raise ModelError(f"{str(path)!r} is damaged: its weight_map does not say which file has which weight")
    for name in dict.fromkeys(map(str, files.values())):
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name:
            raise ModelError(f"{str(path)!r} names {name!r}, a file outside of its folder; copy the weights beside it")
        try:
            regular(path.parent / name)
        except OSError as error:
            raise ModelError(f"{str(path)!r} names {name!r}: {error.strerror}; copy that file beside it") from error

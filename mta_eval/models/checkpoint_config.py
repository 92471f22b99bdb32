"""A checkpoint's config.json, checked before anything is built of it: its sizes, and whether its weights are enough.

A size far out of range would otherwise be found by the memory, when a model of random weights has filled it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.errors import ModelError
from mta_eval.models.checkpoint_files import check_folder
from mta_eval.models.config_values import check_values, values_of
from mta_eval.models.error_text import first_line

if TYPE_CHECKING:
    from transformers import PretrainedConfig

HINT = "name a folder, a .gguf file, or a Hugging Face id"
WEIGHTS_IN_A_BYTE = 16  # twice what one bit for each weight takes


def read_config(name: str, where: Mapping[str, str], trust_remote_code: bool = False) -> PretrainedConfig:
    """The configuration of a checkpoint; `name` is for messages, `where` arguments of from_pretrained.

    Raises ModelError if it cannot be read, if a value is none that a model can have, or if its weights, where they are
    on this machine, are too few for its sizes.
    """
    from transformers import AutoConfig, PretrainedConfig

    folder = Path(where["pretrained_model_name_or_path"])
    written = check_folder(folder)  # before transformers, which says in lines of its own what it takes all the same
    for part in (written, written.get("text_config")):
        if isinstance(part, Mapping):
            check_values(name, part.get)
    try:
        config = AutoConfig.from_pretrained(**where, trust_remote_code=trust_remote_code)
    except Exception as error:  # its fields are checked by code of each model, which raises what it trips over
        raise ModelError(f"cannot load the model {name!r}: {first_line(error)}; {HINT}") from error
    text = config.get_text_config()
    if not isinstance(text, PretrainedConfig):
        raise ModelError(f"cannot load the model {name!r}: the config of its text part is no object; {HINT}")
    check_values(name, values_of(text))
    _check_bytes(name, text, folder)
    return config


def _check_bytes(name: str, config: PretrainedConfig, folder: Path) -> None:
    """Raises ModelError if the weights in `folder` have too few bytes for what the sizes need at the very least."""
    sizes = (getattr(config, size, None) for size in ("vocab_size", "hidden_size", "num_hidden_layers"))
    vocabulary, width, layers = (size if isinstance(size, int) else 0 for size in sizes)
    there = sum(file.stat().st_size for file in folder.glob("*.safetensors")) if folder.is_dir() else 0
    least = vocabulary * width + layers * width * width // 4  # of what attention has, about 2 to 4 width * width
    if there and least > there * WEIGHTS_IN_A_BYTE:
        raise ModelError(
            f"the weights of {name!r} are not those of its config: its sizes need more than {least:,} weights, its "
            f"files have {there:,} bytes"
        )

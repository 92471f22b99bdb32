"""A checkpoint's config.json, checked before anything is built of it: its sizes, and whether its weights are enough.

A size far out of range would otherwise be found by the memory, when a model of random weights has filled it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.errors import ModelError
from mta_eval.models.error_text import first_line

if TYPE_CHECKING:
    from transformers import PretrainedConfig

HINT = "name a folder, a .gguf file, or a Hugging Face id"
LARGEST = {  # of each size; the largest models that are published stay a factor of 4 below
    "hidden_size": 2**17,
    "intermediate_size": 2**20,
    "num_hidden_layers": 2**12,
    "num_attention_heads": 2**13,
    "num_key_value_heads": 2**13,
    "head_dim": 2**14,
    "vocab_size": 2**24,
    "max_position_embeddings": 2**40,
}
WEIGHTS_IN_A_BYTE = 16  # twice what one bit for each weight takes


def read_config(name: str, where: Mapping[str, str], trust_remote_code: bool = False) -> PretrainedConfig:
    """The configuration of a checkpoint; `name` is for messages, `where` arguments of from_pretrained.

    Raises ModelError if it cannot be read, if a size is no number from 1 to its largest, or if its weights, where they
    are on this machine, are too few for its sizes.
    """
    from transformers import AutoConfig, PretrainedConfig

    try:
        config = AutoConfig.from_pretrained(**where, trust_remote_code=trust_remote_code)
    except Exception as error:  # its fields are checked by code of each model, which raises what it trips over
        raise ModelError(f"cannot load the model {name!r}: {first_line(error)}; {HINT}") from error
    text = config.get_text_config()
    if not isinstance(text, PretrainedConfig):
        raise ModelError(f"cannot load the model {name!r}: the config of its text part is no object; {HINT}")
    for size, largest in LARGEST.items():
        value = getattr(text, size, None)
        if value is not None and not _is_size(value, largest):
            raise ModelError(f"the config of {name!r} is damaged: {size} is {value!r:.60}, not 1 to {largest}")
    _check_bytes(name, text, Path(where["pretrained_model_name_or_path"]))
    return config


def _is_size(value: object, largest: int) -> bool:
    if isinstance(value, list | tuple):  # some models have a size for each layer
        return all(_is_size(part, largest) or part == 0 for part in value)
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest


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

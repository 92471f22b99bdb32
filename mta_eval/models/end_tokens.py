"""The tokens that end an answer, as generation configs have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import GenerationConfig, PretrainedConfig


def end_tokens_of(generation_config: GenerationConfig) -> set[int]:
    """The ids of a generation config's end tokens; none if it names none."""
    ends = generation_config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends} - {None}


def end_tokens_of_checkpoint(path: Path, config: PretrainedConfig) -> set[int]:
    """The end tokens that a checkpoint's model has once it is loaded: of generation_config.json, else of `config`."""
    from transformers import GenerationConfig

    try:
        generation_config = GenerationConfig.from_pretrained(str(path))
    except OSError:  # there is no such file
        generation_config = GenerationConfig.from_model_config(config)
    return end_tokens_of(generation_config)

"""The tokens that end an answer: those of the generation config, of the config and of the tokenizer together.

Checkpoints disagree with themselves: a base config beside a chat template, a tokenizer that was given another end.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.errors import ModelError
from mta_eval.models.error_text import first_line

if TYPE_CHECKING:
    from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerFast

GENERATION_CONFIG = "generation_config.json"


def end_tokens_of(
    generation_config: GenerationConfig | None, config: PretrainedConfig, tokenizer: PreTrainedTokenizerFast | None
) -> set[int]:
    """The ids of all end tokens that any of the three names. Raises ModelError for what is no token of the model."""
    text = config.get_text_config()
    vocabulary = getattr(text, "vocab_size", None)
    named = {"generation_config.json": generation_config, "config.json": config, "the text part of config.json": text}
    ids = {token for where, source in named.items() for token in _ids(source, where, vocabulary)}
    return ids | set(_ids(tokenizer, "the tokenizer", None))


def end_tokens_of_checkpoint(
    path: Path, config: PretrainedConfig, tokenizer: PreTrainedTokenizerFast | None
) -> set[int]:
    """`end_tokens_of` a checkpoint that is not loaded, with the generation_config.json of its folder if it has one.

    Raises ModelError for one that cannot be read: transformers passes over it in silence, and over its end tokens.
    """
    from transformers import GenerationConfig

    try:
        generation_config = GenerationConfig.from_pretrained(str(path))
    except Exception as error:  # it compares its fields before it looks at their types
        if (path / GENERATION_CONFIG).exists():
            where = str(path / GENERATION_CONFIG)
            raise ModelError(f"cannot read {where!r}: {first_line(error)}; mend it or remove it") from error
        generation_config = None
    return end_tokens_of(generation_config, config, tokenizer)


def _ids(source: object, where: str, vocabulary: object) -> Iterable[int]:
    """The ids in what a config holds: one, several, or none. Raises ModelError."""
    tokens = getattr(source, "eos_token_id", None)
    several = tokens if isinstance(tokens, list | tuple) else [] if tokens is None else [tokens]
    most = vocabulary if isinstance(vocabulary, int) else None
    for token in several:
        whole = isinstance(token, int) and not isinstance(token, bool)
        if not whole or token < 0 or (most is not None and token >= most):
            raise ModelError(
                f"eos_token_id in {where} is {token!r:.60}, which is no token"
                f"{'' if most is None else f' of the {most} that the model has'}; mend it there"
            )
    return several

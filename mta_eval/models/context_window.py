"""The context window that a configuration of transformers names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def window_of(config: PretrainedConfig) -> int:
    """The longest window, in tokens, that a configuration names; 0 if it names none."""
    for key in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"):
        if isinstance(length := getattr(config, key, None), int):
            return length
    return 0

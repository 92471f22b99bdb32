"""The context window that a configuration of transformers names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# kinds of RoPE whose config names the window before scaling, and the factor by which it grows; longrope and llama3
# name the window after it
GROWING = ("yarn", "linear", "dynamic")


def window_of(config: PretrainedConfig) -> int:
    """The longest window, in tokens, that a configuration names, positions scaled as it says; 0 if it names none."""
    for key in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"):
        if isinstance(length := getattr(config, key, None), int):
            return max(length, _scaled(config, length))
    return 0


def _scaled(config: PretrainedConfig, length: int) -> int:
    """The window after scaling; 0 without it. The smallest where kinds of layers have their own."""
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    parts = [scaling, *(part for part in scaling.values() if isinstance(part, Mapping))]
    windows = [window for part in parts if (window := _window_after(part, length))]
    return min(windows, default=0)


def _window_after(scaling: Mapping[str, object], length: int) -> int:
    kind, factor = scaling.get("rope_type") or scaling.get("type"), scaling.get("factor")
    if kind not in GROWING or not isinstance(factor, int | float):
        return 0
    original = scaling.get("original_max_position_embeddings")
    return int((original if isinstance(original, int) else length) * factor)

"""What transformers' caches allow: whether they only append, how far they can be cropped, what can be removed again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers.cache_utils import Cache, CacheLayerMixin

    from mta_eval.models.inference.causal_lm import CausalLM

LENGTH_DEPENDENT_ROPE = {"dynamic", "longrope"}  # kinds of RoPE whose angles depend on the prompt's length


def is_append_only(model: CausalLM, cache: Cache | None) -> bool:
    """Whether a cache holds one more entry for each token, and entries do not change when more tokens come."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    kinds = [part.get("rope_type") for part in _rope_parts(model)]
    if cache is None or type(cache) is not DynamicCache or LENGTH_DEPENDENT_ROPE.intersection(kinds):
        return False
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    return all(type(layer) in plain or hasattr(layer, "crop_step") for layer in cache.layers)


def switches_rope_after(model: CausalLM, length: int) -> bool:
    """Whether tokens after the first `length` give these other keys, so that they must be read again (longrope)."""
    return any(
        part.get("rope_type") == "longrope" and part.get("original_max_position_embeddings") == length
        for part in _rope_parts(model)
    )


def _rope_parts(model: CausalLM) -> list[dict[str, object]]:
    """The parameters of RoPE: of all layers together, and of kinds of layers that have their own."""
    config = getattr(model, "config", None)
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return [part for part in (rope, *rope.values()) if isinstance(part, dict)]


def croppable_length(cache: Cache, length: int) -> int:
    """The most tokens, `length` or fewer, that an append-only cache can be cropped to; 0 if it cannot be cropped."""
    total = int(cache.get_seq_length())
    length, step = max(0, min(length, total)), 1
    for layer in cache.layers:
        rolled = getattr(layer, "is_sliding", False) and layer.get_seq_length() >= layer.sliding_window
        if rolled or layer.get_seq_length() != total:
            return 0
        if total - length > getattr(layer, "recent", 0):
            step = math.lcm(step, getattr(layer, "crop_step", 1))
    return length // step * step


def can_remove(cache: Cache, count: int) -> bool:
    """Whether `count` tokens that an append-only cache stores next, in one step, can be removed again."""
    from transformers.cache_utils import DynamicLayer

    def layer_can(layer: CacheLayerMixin) -> bool:
        if getattr(layer, "is_sliding", False):
            return bool(layer.get_seq_length() + count < layer.sliding_window)
        return type(layer) is DynamicLayer or count <= getattr(layer, "free_crop_limit", 0)

    return all(map(layer_can, cache.layers))

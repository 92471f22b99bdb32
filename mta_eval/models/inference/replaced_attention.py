"""Attention of our own in transformers' models for the length of a block, and the one for a prompt's later pieces.

A piece attends to all earlier tokens and, causally, to itself. Torch's CPU kernels take two to three times as long
with a mask that says so; two softmaxes without one, merged by their log-sum-exps, are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, DynamicLayer

from mta_eval.models.inference.causal_lm import CausalLM

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]

PIECE = "mta_eval_piece"  # in transformers' tables
# returns the log-sum-exps too, which scaled_dot_product_attention does not
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
IGNORED_OPTIONS = (  # they do not change plain attention
    *("dropout", "is_causal", "position_ids", "cache_position", "use_cache", "output_attentions"),
)


class UnsupportedAttentionError(Exception):
    """The model's attention is more than softmax over all earlier tokens, or cannot be replaced."""


def has_plain_attention(model: CausalLM, cache: Cache) -> bool:
    """Whether a model that made an append-only `cache` has plain attention, which can be computed in another way."""
    return (
        all(type(layer) is DynamicLayer and layer.get_seq_length() for layer in cache.layers)
        and all(layer.keys.shape[-1] == layer.values.shape[-1] for layer in cache.layers)
        and getattr(model.config, "_attn_implementation", None) == "sdpa"
        and getattr(model, "_supports_attention_backend", False)
        and "position_ids" in signature(getattr(model, "forward", model.__call__)).parameters
    )


@contextmanager
def use_attention(model: CausalLM, name: str) -> Iterator[None]:
    """The model's attention is the one of that name within the block.

    Raises UnsupportedAttentionError if a layer did not call it.
    """
    parts = [model.config, model.config.get_text_config()]
    before = [part._attn_implementation for part in parts]
    _Calls.count = 0
    try:
        for part in parts:
            part._attn_implementation = name
        yield
    finally:
        for part, implementation in zip(parts, before, strict=True):
            part._attn_implementation = implementation
    layers = model.config.get_text_config().num_hidden_layers
    if _Calls.count != layers:
        raise UnsupportedAttentionError(f"{_Calls.count} of {layers} layers called the attention")


def register_attention(name: str, attend: Attend) -> None:
    """Put attention without a mask into transformers' tables: attend(query, key, value, scale) -> (B, T, H, D)."""

    def adapter(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        **options: object,
    ) -> tuple[torch.Tensor, None]:
        unknown = [name for name, value in options.items() if value is not None and name not in IGNORED_OPTIONS]
        if attention_mask is not None or unknown:
            raise UnsupportedAttentionError(
                f"{type(module).__name__} does more than plain attention: {', '.join(unknown)}"
            )
        _Calls.count += 1
        scale = scaling if scaling is not None else 1 / math.sqrt(query.shape[-1])
        return attend(query, key, value, scale).to(query.dtype), None

    AttentionInterface.register(name, adapter)
    AttentionMaskInterface.register(name, _no_mask)


def attend_piece(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
    """(B, T, H, D) of the last T of S tokens: query (B, H, T, D), key and value (B, G, S, D), on a CPU."""
    batch, heads, current, size = query.shape
    groups, past = key.shape[1], key.shape[2] - current
    folded = query.reshape(batch, groups, -1, size)  # heads that read the same keys
    before, before_sum = attend_part(folded, key[:, :, :past], value[:, :, :past], scale)
    within = (part[:, :, past:].repeat_interleave(heads // groups, 1) for part in (key, value))
    here, here_sum = _flash(query, *within, is_causal=True, scale=scale)
    merged = merge_softmaxes(before.reshape(here.shape), before_sum.reshape(here_sum.shape), here, here_sum)
    return merged.transpose(1, 2).contiguous()


def attend_part(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention (B, G, T, D) to some of the keys, and the log-sum-exp (B, G, T) of their scores; `mask` is added."""
    if query.device.type == "cpu":
        flash: tuple[torch.Tensor, torch.Tensor] = _flash(query, key, value, attn_mask=mask, scale=scale)
        return flash
    return attend_by_definition(query, key, value, scale, mask)


def attend_by_definition(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`attend_part` by its definition, in float32 or wider, on any device."""
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = (query.to(wide) * scale) @ key.to(wide).transpose(-1, -2)
    scores = scores if mask is None else scores + mask
    sums = scores.logsumexp(-1)
    return torch.exp(scores - sums[..., None]) @ value.to(wide), sums


def merge_softmaxes(
    first: torch.Tensor, first_sum: torch.Tensor, second: torch.Tensor, second_sum: torch.Tensor
) -> torch.Tensor:
    """Attention to the union of two sets of keys, from the attention to each and the log-sum-exps of their scores."""
    share = torch.sigmoid(first_sum - second_sum)[..., None]
    return first * share + second * (1 - share)


class _Calls:
    count = 0


def _no_mask(**_inputs: object) -> None:
    return None


register_attention(PIECE, attend_piece)

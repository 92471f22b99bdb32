"""Attention of our own in transformers' models, for as long as a block lasts; and that of a prompt's later pieces.

A piece attends to all that went before it and, causally, to itself. Torch's kernels for a CPU take two to three times
as long with the mask that says so; two softmaxes without one, merged by their log-sum-exps, are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicLayer

PIECE = "mta_eval_piece"  # in transformers' tables
# gives the log-sum-exps too, which scaled_dot_product_attention keeps to itself
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
KNOWN = ("dropout", "is_causal", "position_ids", "cache_position", "use_cache", "output_attentions")  # change nothing


class UnfitError(Exception):
    """The model's attention is more than softmax over all earlier tokens, or does not let itself be replaced."""


def fits(model: Any, cache: Any) -> bool:
    """Whether a model that made a growing `cache` has plain attention, which may be computed in another way."""
    return (
        all(type(layer) is DynamicLayer and layer.get_seq_length() for layer in cache.layers)
        and all(layer.keys.shape[-1] == layer.values.shape[-1] for layer in cache.layers)
        and getattr(model.config, "_attn_implementation", None) == "sdpa"
        and getattr(model, "_supports_attention_backend", False)
        and "position_ids" in signature(model.forward).parameters
    )


@contextmanager
def attention_of(model: Any, name: str) -> Iterator[None]:
    """The model's attention is the one of that name in the block. Raises UnfitError if a layer did not ask it."""
    parts = [model.config, model.config.get_text_config()]
    before = [part._attn_implementation for part in parts]
    _Asked.times = 0
    try:
        for part in parts:
            part._attn_implementation = name
        yield
    finally:
        for part, own in zip(parts, before, strict=True):
            part._attn_implementation = own
    if _Asked.times != model.config.get_text_config().num_hidden_layers:
        raise UnfitError(f"{_Asked.times} layers asked for attention")


def register(name: str, attend: Any) -> None:
    """Put attention without a mask into transformers' tables: attend(query, key, value, scale) -> (B, T, H, D)."""

    def asked(
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, None]:
        unknown = [name for name, value in options.items() if value is not None and name not in KNOWN]
        if attention_mask is not None or unknown:
            raise UnfitError(f"{type(module).__name__} does more than plain attention: {', '.join(unknown)}")
        _Asked.times += 1
        scale = scaling if scaling is not None else 1 / math.sqrt(query.shape[-1])
        return attend(query, key, value, scale).to(query.dtype), None

    AttentionInterface.register(name, asked)
    AttentionMaskInterface.register(name, _no_mask)


def attend_piece(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
    """(B, T, H, D) of the last T of S tokens: query (B, H, T, D), key and value (B, G, S, D), on a CPU."""
    batch, heads, current, size = query.shape
    groups, past = key.shape[1], key.shape[2] - current
    folded = query.reshape(batch, groups, -1, size)  # heads that read the same keys
    before, before_sum = attend_part(folded, key[:, :, :past], value[:, :, :past], scale)
    own = (part[:, :, past:].repeat_interleave(heads // groups, 1) for part in (key, value))
    here, here_sum = _flash(query, *own, is_causal=True, scale=scale)
    merged = merge(before.reshape(here.shape), before_sum.reshape(here_sum.shape), here, here_sum)
    return merged.transpose(1, 2).contiguous()


def attend_part(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention (B, G, T, D) to some of the keys, and the log-sum-exp (B, G, T) of their scores; `mask` is added."""
    if query.device.type == "cpu":
        flash: tuple[torch.Tensor, torch.Tensor] = _flash(query, key, value, attn_mask=mask, scale=scale)
        return flash
    return attend_plainly(query, key, value, scale, mask)


def attend_plainly(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`attend_part` by its definition, in float32 or wider: on any device."""
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = (query.to(wide) * scale) @ key.to(wide).transpose(-1, -2)
    scores = scores if mask is None else scores + mask
    sums = scores.logsumexp(-1)
    return torch.exp(scores - sums[..., None]) @ value.to(wide), sums


def merge(one: torch.Tensor, one_sum: torch.Tensor, other: torch.Tensor, other_sum: torch.Tensor) -> torch.Tensor:
    """Attention to two sets of keys, from that to each and the log-sum-exps of their scores."""
    share = torch.sigmoid(one_sum - other_sum)[..., None]
    return one * share + other * (1 - share)


class _Asked:
    times = 0


def _no_mask(**_given: Any) -> None:
    return None


register(PIECE, attend_piece)

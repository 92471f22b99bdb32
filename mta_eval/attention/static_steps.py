"""Steps with a static cache whose positions stay on the device."""

from __future__ import annotations

import torch
from transformers.cache_utils import Cache, StaticLayer

from mta_eval.attention.documents import Tokens


def stays_on_device(device: torch.device) -> bool:
    """Whether a step should read no number from the device: a GPU would stand still, and a graph would break."""
    return device.type == "cuda" or torch.compiler.is_compiling()


def step_on_device(
    cache: Cache | None, current: int, starts: torch.Tensor | None, device: torch.device
) -> Tokens | None:
    """The tokens of one more token of every row of a static cache that was filled before, or None: it is none such.

    Whether there is room left is not looked at. `starts` (B,) are the first tokens of rows that begin with padding.
    """
    if cache is None or current != 1 or getattr(cache, "offloading", False) or not stays_on_device(device):
        return None
    layers = cache.layers
    if not layers or not all(isinstance(layer, StaticLayer) and layer.is_initialized for layer in layers):
        return None
    return Tokens(1, layers[0].max_cache_len, starts=starts, length=layers[0].cumulative_length + 1)


def step_positions(tokens: Tokens) -> torch.Tensor:
    """The positions (B or 1, 1) of the current tokens, counted from each row's first one."""
    assert tokens.length is not None
    newest = (tokens.length - 1).view(1, 1)
    return newest if tokens.starts is None else newest - tokens.starts[:, None]


def mask_of_starts(starts: torch.Tensor, total: int) -> torch.Tensor:
    """The mask (B, S) of rows that begin with padding up to `starts` (B,)."""
    return (torch.arange(total, device=starts.device) >= starts[:, None]).long()

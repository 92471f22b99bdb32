"""Multi-token attention on fused kernels: FlexAttention off the diagonal, the rule on it, merged by log-sum-exp.

Off a band of c_q - 1 + right diagonals the convolved logits are a dot product of widened queries and keys, so plain
causal attention of q~[band:] over k~[: S - band] gives that part with its log-sum-exp; the band is a softmax over
`band` keys a row. Mixing after softmax moves to the values: each head runs once over its group's values side by side.
Layers that mix before softmax or convolve after it have no such form here; `tiles.py` does them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch.nn import functional as F

from mta_eval.attention.kernels import Kernels, key_reach
from mta_eval.attention.tile import widen_keys, widen_queries


def can_fuse(kernels: Kernels, queries: int) -> bool:
    """Whether this layer has a fused form, and more than a decoding step to do."""
    has_form = kernels.convolve_after is None and kernels.mix_before is None and not kernels.softmax_again
    return queries > 1 and has_form


def attend_by_flex(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, history: int = 0
) -> torch.Tensor:
    """As `tiles.multi_token_attention`, for kernels that `can_fuse` allows; without dropout."""
    heads = q.shape[1]
    if kernels.mix_after is not None:
        v = _side_by_side(v, heads, kernels.mix_after.shape[-1])
    out = _convolved(q / math.sqrt(q.shape[-1]), k, v, kernels, history)
    return out if kernels.mix_after is None else _mixed(out, kernels.mix_after)


def _convolved(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, history: int) -> torch.Tensor:
    queries, past = q.shape[2] - history, k.shape[2] - (q.shape[2] - history)
    kernel = kernels.convolve_before
    if kernel is None:
        return _flex(q, k, v, past)[0]
    halo, (left, right) = kernels.halo_before, key_reach(kernel, kernels.key_padding)
    band = halo + right
    wide_q, wide_k = widen_queries(q, halo, history), widen_keys(k, kernels)
    assert wide_k is not None
    if not band:
        return _flex(wide_q, wide_k, v, past)[0]
    logits = _band_logits(q, k, kernel, left, band, history)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    near_lse, near_out = torch.logsumexp(logits, -1), _band_values(torch.softmax(logits, -1).to(v.dtype), v, queries)
    skipped = max(0, band - past)  # rows that have no key off the band
    if skipped >= queries:
        return near_out
    far_keys = k.shape[2] - band
    far_out, far_lse = _flex(wide_q[:, :, skipped:], wide_k[:, :, :far_keys], v[:, :, :far_keys], past + skipped - band)
    near_lse = near_lse[:, :, skipped:]
    total_lse = torch.logaddexp(near_lse, far_lse)
    share = [torch.exp(lse - total_lse)[..., None].to(v.dtype) for lse in (near_lse, far_lse)]
    return torch.cat((near_out[:, :, :skipped], near_out[:, :, skipped:] * share[0] + far_out * share[1]), 2)


def _band_logits(
    q: torch.Tensor, k: torch.Tensor, kernel: torch.Tensor, left: int, band: int, history: int
) -> torch.Tensor:
    """Convolved logits (B, H, T, band) of each row's last `band` keys, newest first, by the rule."""
    keys, halo, width, rows = k.shape[2], kernel.shape[1] - 1, band + left, q.shape[2]
    k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
    padded = F.pad(k, (0, 0, width, 0))[:, :, keys - rows :]
    # scores[i, m] = q_i . k_i-m, zero where i - m is before the first key
    scores = torch.stack([(q * padded[:, :, width - m : width - m + rows]).sum(-1) for m in range(width)], -1)
    scores = F.pad(scores, (kernel.shape[2], kernel.shape[2], halo - history, 0))
    queries = rows - history
    total = q.new_zeros(*q.shape[:2], queries, band)
    for a in range(kernel.shape[1]):
        for b in range(kernel.shape[2]):
            column = kernel.shape[2] + a - halo + left - b
            if -band < column - kernel.shape[2] < width:
                part = F.pad(scores, (band, band))[:, :, a : a + queries, band + column : 2 * band + column]
                total = total + kernel[:, a, b].view(-1, 1, 1) * part
    before_all = torch.arange(keys - queries, keys, device=q.device)[:, None] < torch.arange(band, device=q.device)
    return total.masked_fill(before_all, -math.inf)


def _band_values(weights: torch.Tensor, v: torch.Tensor, queries: int) -> torch.Tensor:
    """sum_m weights[i, m] v[i - m], (B, H, T, D_v)."""
    band = weights.shape[-1]
    v = F.pad(v.repeat_interleave(weights.shape[1] // v.shape[1], 1), (0, 0, band, 0))
    total = v.shape[2]
    windows = [v[:, :, total - queries - m : total - m] for m in range(band)]
    return torch.stack([weights[..., m, None] * windows[m] for m in range(band)]).sum(0)


def _flex(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, offset: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of q over the keys j <= i + offset, with its log-sum-exp; q is scaled already."""
    from torch.nn.attention.flex_attention import AuxRequest, create_block_mask

    def visible(_batch: torch.Tensor, _head: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        return j <= i + offset

    def causal(
        score: torch.Tensor, _batch: torch.Tensor, _head: torch.Tensor, i: torch.Tensor, j: torch.Tensor
    ) -> torch.Tensor:
        return torch.where(j <= i + offset, score, -math.inf)

    if k.shape[1] != v.shape[1]:
        groups = max(k.shape[1], v.shape[1])
        k, v = (tensor.repeat_interleave(groups // tensor.shape[1], 1) for tensor in (k, v))
    on_gpu = q.is_cuda
    mask = create_block_mask(visible, None, None, q.shape[2], k.shape[2], device=q.device) if on_gpu else None
    out, aux = _kernel(on_gpu)(
        q.contiguous(),
        k.contiguous(),
        v.contiguous(),
        score_mod=None if on_gpu else causal,
        block_mask=mask,
        scale=1.0,
        enable_gqa=q.shape[1] != k.shape[1],
        return_aux=AuxRequest(lse=True),
    )
    return out, aux.lse


@cache
def _kernel(on_gpu: bool) -> Any:
    """FlexAttention: fused on a GPU; elsewhere its unfused form, which is for tests (it makes the T x S matrix)."""
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention) if on_gpu else flex_attention


def _side_by_side(v: torch.Tensor, heads: int, size: int) -> torch.Tensor:
    """(B, G, S, D_v) -> (B, H, S, size D_v): every head gets the values of its whole group."""
    v = v.repeat_interleave(heads // v.shape[1], 1)
    batch, _, keys, width = v.shape
    joined = v.view(batch, heads // size, size, keys, width).transpose(2, 3).reshape(batch, -1, 1, keys, size * width)
    return joined.expand(-1, -1, size, -1, -1).reshape(batch, heads, keys, size * width)


def _mixed(out: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """O'_h = sum_g kernel[h, g] P_g V_h from out (B, H, T, c_h D_v), where head g holds P_g V_h for every h."""
    batch, heads, queries, wide = out.shape
    groups, size, _ = kernel.shape
    parts = out.view(batch, groups, size, queries, size, wide // size)
    return torch.einsum("nhg,bngthd->bnhtd", kernel, parts).reshape(batch, heads, queries, wide // size)

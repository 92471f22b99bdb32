"""One step of decoding that never waits for the device: lengths and padding are read where the cache lies.

On a CUDA device it is the fused step where there is a form, else a few products over the whole room of the cache. No
shape depends on what the device holds, so that the step can be captured in a CUDA graph or compiled.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from mta_eval.attention import fused
from mta_eval.attention.convolution import convolve_few
from mta_eval.attention.kernels import Kernels, key_reach
from mta_eval.attention.tile import grouped_product, mix_scores


def why_no_fused_step(q: fused.Operand, k: fused.Operand, v: fused.Operand, kernels: Kernels) -> str | None:
    """Why "auto" does not take the fused step for one query, in a few words, or None: it does."""
    if not q.is_cuda:
        return "no CUDA device"
    if not fused.available(q):
        return "Triton is not installed"
    return fused.decoding_unsupported(q, k, v, kernels)


def fused_step(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    starts: torch.Tensor | None = None,
    length: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """Outputs (B, H, 1, D_v) by the fused step; None where there is none, or where gradients are wanted.

    q (B, H, some, D) ends with the current query; fewer than the kernel reads were all that there are. k (B, G, S, D)
    and v (B, G, S, D_v); `starts` and `length` as in `fused.decode_attention`.
    """
    learned = (q, k, v, *(kernel for kernel in kernels[:4] if kernel is not None))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in learned):
        return None
    if why_no_fused_step(q, k, v, kernels) is not None:
        return None
    rows = kernels.halo_before + 1
    q = F.pad(q, (0, 0, max(0, rows - q.shape[2]), 0))[:, :, -rows:]
    return fused.decode_attention(
        q,
        k,
        v,
        kernels.convolve_before,
        key_padding=kernels.key_padding,
        mix_after=kernels.mix_after,
        starts=starts,
        length=length,
    )


def step_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    starts: torch.Tensor | None,
    length: torch.Tensor | None,
    may_fuse: bool = True,
) -> torch.Tensor | None:
    """Outputs (B, H, 1, D_v) of the current token; None only where `length` is, and there is no fused step.

    q (B, H, halo + 1 or more, D) ends with the current query; where there are fewer tokens, what stands before them is
    not read. k (B, G, S, D) and v (B, G, S, D_v) are a cache with room for S tokens, of which `length` are there; the
    others hold finite numbers. `starts` (B,) are the first tokens of rows that begin with padding.
    """
    q = q[:, :, q.shape[2] - kernels.halo - 1 :]
    found = fused_step(q, k, v, kernels, starts, length) if may_fuse else None
    if found is not None or length is None:
        return found
    work = torch.float32 if q.device.type == "cpu" and v.dtype.itemsize < 4 else v.dtype
    with torch.autocast(q.device.type, enabled=False):
        shares = _weights(q.to(work), k.to(work), kernels.to(work), starts, length)
        return grouped_product(shares, v.to(work)).to(v.dtype)


def _weights(
    q: torch.Tensor, k: torch.Tensor, kernels: Kernels, starts: torch.Tensor | None, length: torch.Tensor
) -> torch.Tensor:
    """What the values are multiplied with, (B, H, 1, S): the equations, for a few rows."""
    keys = torch.arange(k.shape[2], device=k.device)
    tokens = length - q.shape[2] + torch.arange(q.shape[2], device=k.device)  # of the queries
    begin = torch.zeros_like(tokens[:1]) if starts is None else starts
    seen = (keys <= tokens[:, None]) & (keys >= begin[:, None, None]) & (tokens >= begin[:, None])[..., None]
    hidden = ~seen[:, None]  # (B or 1, 1, queries, S)
    scores = grouped_product(q / math.sqrt(q.shape[3]), k.transpose(2, 3)).masked_fill(hidden, 0)
    if kernels.convolve_before is not None:
        scores = _convolve_rows(scores, kernels.convolve_before, kernels)
        hidden = hidden[:, :, kernels.halo_before :]
    if kernels.mix_before is not None:
        scores = mix_scores(scores, kernels.mix_before)
    shares = _softmax_of_seen(scores, hidden)
    if kernels.softmax_again:
        shares = _softmax_of_seen(shares, hidden)
    if kernels.convolve_after is not None:
        hidden = hidden[:, :, kernels.halo_after :]
        shares = _convolve_rows(shares, kernels.convolve_after, kernels).masked_fill(hidden, 0)
    return shares if kernels.mix_after is None else mix_scores(shares, kernels.mix_after)


def _convolve_rows(scores: torch.Tensor, kernel: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    return convolve_few(F.pad(scores, key_reach(kernel, kernels.key_padding)), kernel)


def _softmax_of_seen(scores: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Softmax, in float32 at least; zeros for rows that see nothing, as there are before the first token."""
    wide = torch.promote_types(scores.dtype, torch.float32)
    return torch.softmax(scores.masked_fill(hidden, -math.inf), -1, dtype=wide).masked_fill(hidden, 0).to(scores.dtype)

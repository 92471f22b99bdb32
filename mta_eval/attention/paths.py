"""The attention of every model of the family: exact, and never an N x N tensor.

Softmax alone runs on torch's scaled_dot_product_attention; kernels run on fused Triton kernels (`fused/`) where there
is a CUDA device and a form for the layer, else on row tiles (`tiles.py`), or, where it is chosen, on FlexAttention
(`flex.py`). The oracle they are tested against is `naive.py`. A path only ever
sees one whole document: `documents.by_document` takes padding and packed documents apart.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional as F

from mta_eval.attention import fused
from mta_eval.attention.documents import Tokens, by_document
from mta_eval.attention.flex import attend_by_flex, can_fuse
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.tiles import full_matrix_attention, multi_token_attention

Path = Literal["auto", "tiles", "flex", "definition"]
PATHS: dict[str, Path] = {"sdpa": "auto", "flex_attention": "flex", "eager": "definition"}  # by attn_implementation
MASK_ELEMENTS = 2**24  # of the mask that a chunk of prefill gets


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    tokens: Tokens,
    earlier: torch.Tensor | None = None,
    dropout: float = 0.0,
    path: Path = "auto",
) -> torch.Tensor:
    """Attention (B, H, T, D_v) of the current queries q (B, H, T, D) over k (B, G, S, D) and v (B, G, S, D_v).

    `earlier` (B, H, halo or more, D) are the queries before them, right-aligned, if there were tokens before. Padding
    gets zeros.
    """

    def attend_whole(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
        history = 0 if before is None else before.shape[2]
        q = q if before is None else torch.cat((before.to(q.dtype), q), 2)
        return attend_document(q, k, v, kernels, history, dropout, path)

    return by_document(attend_whole, q, k, v, tokens, earlier)


def attend_document(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, history: int, dropout: float, path: Path
) -> torch.Tensor:
    """Attention (B, H, T, D_v) of the last T tokens of one document over k (B, G, S, D) and v (B, G, S, D_v).

    q (B, H, history + T, D) begins with earlier queries, at least as many as the kernels look back at, if there are.
    """
    queries = q.shape[2] - history
    needed = min(kernels.halo, k.shape[2] - queries)
    q = q[:, :, history - needed :]
    if kernels.are_none:
        return softmax_attention(q, k, v, dropout)
    if path == "auto" and chosen_path(q, v, kernels, queries, dropout) == "fused":
        with torch.autocast(q.device.type, enabled=False):
            out = fused.fused_attention(
                q.to(v.dtype),
                k.to(v.dtype),
                v,
                kernels.convolve_before,
                history=needed,
                key_padding=kernels.key_padding,
                mix_after=kernels.mix_after,
                dropout=dropout,
            )
        assert isinstance(out, torch.Tensor)  # a pair only with log-sum-exps
        return out
    work = v.dtype
    if q.device.type == "cpu" and work in (torch.bfloat16, torch.float16):
        work = torch.float32  # scores in half precision would lose what a fused kernel keeps
    with torch.autocast(q.device.type, enabled=False):
        q, k, v, kernels, dtype = q.to(work), k.to(work), v.to(work), kernels.to(work), v.dtype
        fuses = not dropout and (q.is_cuda or not torch.is_grad_enabled())  # on a CPU it has no gradients
        if path == "flex" and fuses and can_fuse(kernels, queries):
            return attend_by_flex(q, k, v, kernels, needed).to(dtype)
        compute = full_matrix_attention if path == "definition" else multi_token_attention
        return compute(q, k, v, kernels, needed, dropout).to(dtype)


def chosen_path(
    q: torch.Tensor, v: torch.Tensor, kernels: Kernels, queries: int, dropout: float
) -> Literal["fused", "tiles"]:
    """What "auto" is: fused kernels on a CUDA device where there is a form for this layer, else row tiles.

    A decoding step of one query has no use for fused kernels, which would widen every key for it.
    """
    fuses = q.is_cuda and queries > 1 and fused.available(q) and fused.unsupported(q, v, kernels, dropout) is None
    return "fused" if fuses else "tiles"


def softmax_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
    """Plain causal attention (B, H, T, D) of the last T tokens of one document over all its S, by torch's kernels."""
    queries, keys, grouped = q.shape[2], k.shape[2], q.shape[1] != k.shape[1]
    if queries == keys:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout, enable_gqa=grouped)
    if queries == 1:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, enable_gqa=grouped)
    rows = max(1, min(queries, MASK_ELEMENTS // keys))
    parts = []
    for first in range(0, queries, rows):
        last = min(first + rows, queries)
        visible = keys - queries + last
        mask = torch.ones(last - first, visible, dtype=torch.bool, device=q.device).tril(keys - queries + first)
        part = F.scaled_dot_product_attention(
            q[:, :, first:last], k[:, :, :visible], v[:, :, :visible], mask, dropout_p=dropout, enable_gqa=grouped
        )
        parts.append(part)
    return torch.cat(parts, 2)


def for_every_head(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, G, ...) -> (B, H, ...): head h reads head h * G / H."""
    return tensor if tensor.shape[1] == heads else tensor.repeat_interleave(heads // tensor.shape[1], 1)

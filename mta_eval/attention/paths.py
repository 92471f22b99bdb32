"""The attention of every model of the family: exact, and never an N x N tensor.

Softmax alone runs on torch's scaled_dot_product_attention; kernels run on fused Triton kernels (`fused/`) where there
is a CUDA device and a form for the layer, else on row tiles (`tiles.py`). The oracle they are tested against is
`naive.py`. A path only ever sees one whole document: `documents.by_document` takes padding and packed documents apart.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional as F

from mta_eval.attention import fused
from mta_eval.attention.documents import Tokens, by_document
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.step import fused_step, why_no_fused_step
from mta_eval.attention.tiles import full_matrix_attention, multi_token_attention

Path = Literal["auto", "tiles", "definition"]
PATHS: dict[str, Path] = {"sdpa": "auto", "eager": "definition"}  # by attn_implementation
FUSED, TILES = "fused Triton kernels", "row tiles"  # in run.json, and
SOFTMAX, WHOLE_MATRIX = "scaled_dot_product_attention", "the definition on the whole matrix"
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
    if path == "auto" and queries == 1 and not dropout:
        step = fused_step(q.to(v.dtype), k.to(v.dtype), v, kernels)
        if step is not None:
            return step
    if path == "auto" and why_not_fused(q, v, kernels, queries, dropout) is None:
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
        compute = full_matrix_attention if path == "definition" else multi_token_attention
        return compute(q, k, v, kernels, needed, dropout).to(dtype)


def why_not_fused(
    q: fused.Operand, v: fused.Operand, kernels: Kernels, queries: int, dropout: float = 0.0
) -> str | None:
    """Why "auto" takes row tiles, in a few words, or None: it takes fused kernels. q, v: tensors or what is like them.

    One query has no use for them, which would widen every key for it; it has a step of its own (`step.py`).
    """
    if not q.is_cuda:
        return "no CUDA device"
    if not fused.available(q):
        return "Triton is not installed"
    return "one query" if queries == 1 else fused.unsupported(q, v, kernels, dropout)


def computed_by(q: fused.Operand, keys: fused.Operand, kernels: Kernels, path: Path) -> str:
    """In a few words what computes a layer's attention, and why it is not fused where it is not.

    That of several tokens; that of one, after others, is told too where it is another.
    """
    if kernels.are_none:
        return SOFTMAX
    if path == "definition":
        return WHOLE_MATRIX
    reason = why_not_fused(q, q, kernels, 2) if path == "auto" else "as chosen"
    if reason is not None:
        return f"{TILES} ({reason})"
    reason = why_no_fused_step(q, keys, keys, kernels)
    return FUSED if reason is None else f"{FUSED}; steps of one token on {TILES} ({reason})"


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

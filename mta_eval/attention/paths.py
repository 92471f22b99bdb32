"""The attention of every model of the family: exact, and never an N x N tensor.

Which path does the work: softmax and DIFF run on torch's scaled_dot_product_attention; kernels run on row tiles
(`tiles.py`) or, where asked and possible, on FlexAttention (`fused.py`). The oracle they are tested against is
`naive.py`. Padding and packed documents are taken apart here, so that a path only ever sees one whole document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch.nn import functional as F

from mta_eval.attention.documents import Tokens
from mta_eval.attention.flex import can_fuse, fused_attention
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.tiles import full_matrix_attention, multi_token_attention

Path = Literal["tiles", "flex", "definition"]
MASK_ELEMENTS = 2**24  # of the mask that a chunk of prefill gets


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    tokens: Tokens,
    kept: torch.Tensor | None = None,
    dropout: float = 0.0,
    path: Path = "tiles",
) -> torch.Tensor:
    """Attention (B, H, T, D_v) of the current queries q (B, H, T, D) over k (B, G, S, D) and v (B, G, S, D_v).

    `kept` (B, H, halo or more, D) are the queries kept from before, right-aligned, if there were tokens before.
    Padding gets zeros.
    """

    def one(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
        past = min(kernels.halo, k.shape[2] - q.shape[2])  # other layers may look back further
        before = None if before is None or not past else before[:, :, before.shape[2] - past :]
        return _document(q, k, v, kernels, before, dropout, path)

    if tokens.documents is None:
        return one(q, k, v, kept)
    return _by_document(one, q, k, v, tokens, kept)


def differential(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: torch.Tensor, tokens: Tokens, dropout: float = 0.0
) -> torch.Tensor:
    """DIFF's (softmax_2h - scale * softmax_2h+1) V_h, (B, H / 2, T, 2 D); shapes as in `naive.differential_attention`.

    Fused kernels want values as wide as the keys, so each softmax runs over the two halves of the values.
    """
    halves = v.chunk(2, -1)

    def run(pair: int) -> torch.Tensor:
        q_pair, k_pair = q[:, pair::2], k[:, pair::2]
        return torch.cat([attend(q_pair, k_pair, half, Kernels(), tokens, None, dropout) for half in halves], -1)

    return run(0) - scale * run(1)


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
        seen = keys - queries + last
        mask = torch.ones(last - first, seen, dtype=torch.bool, device=q.device).tril(keys - queries + first)
        part = F.scaled_dot_product_attention(
            q[:, :, first:last], k[:, :, :seen], v[:, :, :seen], mask, dropout_p=dropout, enable_gqa=grouped
        )
        parts.append(part)
    return torch.cat(parts, 2)


def _document(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    before: torch.Tensor | None,
    dropout: float,
    path: Path,
) -> torch.Tensor:
    if all(kernel is None for kernel in kernels[:4]):
        return softmax_attention(q, k, v, dropout)
    history = 0 if before is None else before.shape[2]
    if before is not None:
        q = torch.cat((before.to(q.dtype), q), 2)
    work = v.dtype
    if q.device.type == "cpu" and work in (torch.bfloat16, torch.float16):
        work = torch.float32  # scores in half precision would lose what a fused kernel keeps
    with torch.autocast(q.device.type, enabled=False):
        q, k, v, kernels, given = q.to(work), k.to(work), v.to(work), kernels.to(work), v.dtype
        fuses = not dropout and (q.is_cuda or not torch.is_grad_enabled())  # on a CPU it has no gradients
        if path == "flex" and fuses and can_fuse(kernels, q.shape[2] - history):
            return fused_attention(q, k, v, kernels, history).to(given)
        one = full_matrix_attention if path == "definition" else multi_token_attention
        return one(q, k, v, kernels, history, dropout).to(given)


def _by_document(
    one: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    tokens: Tokens,
    kept: torch.Tensor | None,
) -> torch.Tensor:
    assert tokens.documents is not None
    out = torch.zeros(*q.shape[:3], v.shape[-1], dtype=v.dtype, device=q.device)
    for document in tokens.documents:
        rows = document.rows[:, None]
        q_d = q[rows, :, document.queries].transpose(1, 2)
        k_d, v_d = (tensor[rows, :, document.keys].transpose(1, 2) for tensor in (k, v))
        before = None
        if kept is not None and len(document.history):
            before = kept[rows, :, document.history].transpose(1, 2)
        found = one(q_d, k_d, v_d, before).transpose(1, 2)
        out = out.transpose(1, 2).index_put((rows, document.queries), found.to(out.dtype)).transpose(1, 2)
    return out

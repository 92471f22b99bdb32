"""Linear attention: a sum over all earlier tokens instead of a matrix of weights (arXiv 2006.16236)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import for_every_head


class LinearAttention(AttentionLayer):
    """No matrix of weights is ever made."""

    kind: ClassVar[str] = "linear"
    title: ClassVar[str] = "Linear attention"
    source: ClassVar[str] = "Katharopoulos et al. 2020, arXiv 2006.16236"

    def attend_document(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, history: int, dropout: float
    ) -> torch.Tensor:
        heads, queries = q.shape[1], q.shape[2]
        q, k = F.elu(q) + 1, F.elu(for_every_head(k, heads)) + 1
        v = for_every_head(v, heads)
        states = (k[..., None] * v[..., None, :]).cumsum(2)[:, :, -queries:]
        totals = k.cumsum(2)[:, :, -queries:]
        return (q[..., None, :] @ states).squeeze(-2) / (q * totals).sum(-1, keepdim=True)

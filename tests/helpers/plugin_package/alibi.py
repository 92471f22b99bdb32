"""ALiBi: no positions in the embeddings, a penalty on scores that grows with the distance (arXiv 2108.12409)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import for_every_head


class ALiBiAttention(AttentionLayer):
    """Softmax attention whose scores lose slope * distance, another slope for every head."""

    kind: ClassVar[str] = "alibi"
    title: ClassVar[str] = "ALiBi"
    source: ClassVar[str] = "Press et al. 2022, arXiv 2108.12409"
    options: ClassVar[Mapping[str, Any]] = {"alibi_exponent": 8.0}
    rotates: ClassVar[bool] = False

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        heads, queries, keys = q.shape[1], q.shape[2], k.shape[2]
        ranks = torch.arange(1, heads + 1, device=q.device, dtype=q.dtype)
        slopes = 2.0 ** (-self.config.alibi_exponent * ranks / heads)
        places = torch.arange(keys, device=q.device)
        distance = places[keys - queries :, None] - places
        scores = q @ for_every_head(k, heads).transpose(2, 3) / math.sqrt(q.shape[3])
        scores = scores - slopes[:, None, None] * distance
        return torch.softmax(scores.masked_fill(distance < 0, -math.inf), -1)

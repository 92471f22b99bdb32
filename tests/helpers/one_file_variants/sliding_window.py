"""A sliding window: a token attends to itself and the `window` - 1 tokens before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import for_every_head


class SlidingWindowAttention(AttentionLayer):
    """Softmax attention to the last tokens."""

    kind: ClassVar[str] = "sliding_window"
    title: ClassVar[str] = "Sliding window"
    options: ClassVar[Mapping[str, object]] = {"window": 16}

    @classmethod
    def check(cls, config: MTAConfig) -> None:
        if config.window < 1:
            raise ValueError(f"window is a number of tokens from 1 on, not {config.window}")

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        heads, queries, keys = q.shape[1], q.shape[2], k.shape[2]
        places = torch.arange(keys, device=q.device)
        distance = places[keys - queries :, None] - places
        scores = q @ for_every_head(k, heads).transpose(2, 3) / math.sqrt(q.shape[3])
        outside = (distance < 0) | (distance >= self.config.window)
        return torch.softmax(scores.masked_fill(outside, -math.inf), -1)

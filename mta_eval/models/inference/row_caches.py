"""Several answers decoded at once by a model whose cache is of its own kind: each row has a cache to itself.

A step reads the weights once for all rows; attention is then computed row by row, as it is for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from transformers.cache_utils import Cache

from mta_eval.attention.row_caches import RowCaches
from mta_eval.models.inference.prefill import padded


class SeparateRows:
    """Rows of tokens for a model that looks at `RowCaches` by itself, which its `takes_row_caches` says."""

    light = True  # rows are let go without a copy

    def __init__(self, model: Any, count: int) -> None:
        self._model = model
        self._rows: list[Cache] = [Cache(layers=[])] * count
        self._last = 0

    def fill(self, row: int, cache: Cache, length: int) -> None:
        """Let a row go on from a copy of what `cache` holds, which is `length` tokens."""
        if cache.get_seq_length() != length:
            raise ValueError(f"a row of {length} tokens is filled from a cache of {cache.get_seq_length()}")
        layers = [layer.own_copy() if hasattr(layer, "own_copy") else copy(layer) for layer in cache.layers]
        self._rows[row] = Cache(layers=layers)

    def step(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits (B, T, vocabulary) after each of a row's next tokens; a row of fewer repeats its last."""
        device = self._model.device
        ids = torch.tensor(padded(tokens), device=device)
        lengths = torch.tensor([[int(row.get_seq_length())] for row in self._rows], device=device)
        output = self._model(
            input_ids=ids,
            position_ids=lengths + torch.arange(ids.shape[1], device=device),
            past_key_values=RowCaches(self._rows),
            use_cache=True,
            logits_to_keep=ids.shape[1],
        )
        self._last = ids.shape[1]
        logits: torch.Tensor = output.logits
        return logits

    def advance(self, counts: Sequence[int]) -> None:
        """So many of the last step's tokens stay in each row."""
        for row, count in zip(self._rows, counts, strict=True):
            if count < self._last:
                row.crop(count - self._last)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        self._rows = [self._rows[row] for row in rows]

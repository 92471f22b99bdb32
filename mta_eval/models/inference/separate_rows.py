"""Several answers decoded at once by a model with caches of its own kind: each row has a cache to itself.

A step reads the weights once for all rows; attention is then computed row by row, as it is for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from transformers.cache_utils import Cache

from mta_eval.attention.row_caches import RowCaches
from mta_eval.models.inference.causal_lm import CausalLM
from mta_eval.models.token_ids import pad_with_last


class SeparateRows:
    """Rows of tokens for a model that handles `RowCaches` itself, as its attribute `takes_row_caches` says."""

    cheap_to_drop = True  # dropping a row copies nothing

    def __init__(self, model: CausalLM, count: int) -> None:
        self._model = model
        self._rows: list[Cache] = [Cache(layers=[])] * count
        self._step_tokens = 0

    def fill(self, row: int, cache: Cache, length: int) -> None:
        """Let a row continue from a copy of `cache`, which holds `length` tokens. Raises ValueError if it does not."""
        if cache.get_seq_length() != length:
            raise ValueError(f"a row of {length} tokens is filled from a cache of {cache.get_seq_length()}")
        layers = [
            layer.independent_copy() if hasattr(layer, "independent_copy") else copy(layer) for layer in cache.layers
        ]
        self._rows[row] = Cache(layers=layers)

    def step(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits (B, T, vocabulary) after each of a row's next tokens; a row of fewer repeats its last."""
        device = self._model.device
        ids = torch.tensor(pad_with_last(tokens), device=device)
        lengths = torch.tensor([[int(row.get_seq_length())] for row in self._rows], device=device)
        output = self._model(
            input_ids=ids,
            position_ids=lengths + torch.arange(ids.shape[1], device=device),
            past_key_values=RowCaches(self._rows),
            use_cache=True,
            logits_to_keep=ids.shape[1],
        )
        self._step_tokens = ids.shape[1]
        return output.logits

    def advance(self, counts: Sequence[int]) -> None:
        """Keep so many of the last step's tokens in each row."""
        for row, count in zip(self._rows, counts, strict=True):
            if count < self._step_tokens:
                row.crop(count - self._step_tokens)

    def select(self, rows: Sequence[int]) -> None:
        """Continue with some of the rows only."""
        self._rows = [self._rows[row] for row in rows]

"""Several answers decoded at once by a model whose cache is of its own kind: each row has a cache to itself.

A step reads the weights once for all rows; attention is then computed row by row, as it is for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import torch
from transformers.cache_utils import Cache


class RowCaches(Cache):  # type: ignore[misc]
    """The caches of several rows, one sequence in each; asked for its length or layers, it is the longest one."""

    def __init__(self, rows: Sequence[Cache]) -> None:
        super().__init__(layers=list(max(rows, key=lambda row: int(row.get_seq_length())).layers))
        self.rows = list(rows)


def by_row(attend: Callable[..., torch.Tensor], cache: Cache | None, *parts: torch.Tensor) -> torch.Tensor:
    """attend(*parts, cache), row by row of the parts (B, …) where each has a cache to itself."""
    if not isinstance(cache, RowCaches):
        return attend(*parts, cache)
    return torch.cat([attend(*(part[row : row + 1] for part in parts), own) for row, own in enumerate(cache.rows)])


class SeparateRows:
    """Rows of tokens for a model that looks at `RowCaches` by itself, which its `takes_row_caches` says."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._rows: list[Cache] = []

    def add(self, cache: Cache) -> None:
        """One more row, which goes on from a copy of what `cache` holds."""
        layers = [layer.own_copy() if hasattr(layer, "own_copy") else copy(layer) for layer in cache.layers]
        self._rows.append(Cache(layers=layers))

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Logits (B, vocabulary) after one more token for each row."""
        device = self._model.device
        positions = [int(row.get_seq_length()) for row in self._rows]
        output = self._model(
            input_ids=torch.tensor(tokens, device=device)[:, None],
            position_ids=torch.tensor(positions, device=device)[:, None],
            past_key_values=RowCaches(self._rows),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        self._rows = [self._rows[row] for row in rows]

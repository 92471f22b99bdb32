"""The cache of several rows that are computed in one pass, each of which has a cache of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers.cache_utils import Cache


class RowCaches(Cache):  # type: ignore[misc]
    """The caches of several rows, one sequence in each; its length and layers are those of the longest one."""

    def __init__(self, rows: Sequence[Cache]) -> None:
        super().__init__(layers=list(max(rows, key=lambda row: int(row.get_seq_length())).layers))
        self.rows = list(rows)


def by_row(attend: Callable[..., torch.Tensor], cache: Cache | None, *parts: torch.Tensor) -> torch.Tensor:
    """attend(*parts, cache) (B, …), computed row by row of the parts (B, …) where the cache is a RowCaches."""
    if not isinstance(cache, RowCaches):
        return attend(*parts, cache)
    outputs = [attend(*(part[row : row + 1] for part in parts), row_cache) for row, row_cache in enumerate(cache.rows)]
    return torch.cat(outputs)

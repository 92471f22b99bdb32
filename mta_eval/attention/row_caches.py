"""Several rows, each with a cache to itself: a step reads the weights once, attention is computed row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers.cache_utils import Cache


class RowCaches(Cache):  # type: ignore[misc]
    """The caches of several rows, one sequence in each; asked for its length or layers, it is the longest one."""

    def __init__(self, rows: Sequence[Cache]) -> None:
        super().__init__(layers=list(max(rows, key=lambda row: int(row.get_seq_length())).layers))
        self.rows = list(rows)


def by_row(attend: Callable[..., torch.Tensor], cache: Cache | None, *parts: torch.Tensor) -> torch.Tensor:
    """attend(*parts, cache), row by row of the parts (B, ...) where each has a cache to itself."""
    if not isinstance(cache, RowCaches):
        return attend(*parts, cache)
    return torch.cat([attend(*(part[row : row + 1] for part in parts), own) for row, own in enumerate(cache.rows)])

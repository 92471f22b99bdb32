"""The cache of a layer with key-query kernels: keys, values and the last few queries."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class QueryLayer(DynamicLayer):
    """A layer of a DynamicCache that also keeps the queries which later rows need: (B, H, halo, D), right-aligned."""

    is_croppable = False

    def __init__(self) -> None:
        super().__init__()
        self.queries: torch.Tensor | None = None

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *_args: Any,
        queries: torch.Tensor,
        halo: int,
        kept: torch.Tensor | None,
        **_kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take in T new keys, values and queries (B, H, T, D); `kept` says which queries to keep (`Tokens.kept`)."""
        before = queries.new_zeros(*queries.shape[:2], halo, queries.shape[3]) if self.queries is None else self.queries
        joined = torch.cat((before, queries), 2)
        if kept is None:
            self.queries = joined[:, :, joined.shape[2] - halo :].clone()
        else:
            index = kept.clamp(min=0)[:, None, :, None].expand(-1, joined.shape[1], -1, joined.shape[3])
            self.queries = joined.gather(2, index)
        keys, values = super().update(key_states, value_states)
        return keys, values

    def crop(self, tokens_to_remove: int) -> None:
        """Raises ValueError: the queries before the cut are gone."""
        if tokens_to_remove:
            raise ValueError("a cache with kept queries cannot be cropped: the queries before the cut are gone")

    def reset(self) -> None:
        """Forget everything."""
        self.queries = None
        super().reset()

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Reorder the batch, for beam search."""
        super().reorder_cache(beam_idx)
        self._select(beam_idx)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep some rows of the batch."""
        super().batch_select_indices(indices)
        self._select(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row of the batch."""
        super().batch_repeat_interleave(repeats)
        if self.queries is not None:
            self.queries = self.queries.repeat_interleave(repeats, 0)

    def _select(self, indices: torch.Tensor) -> None:
        if self.queries is not None:
            self.queries = self.queries[indices.to(self.queries.device)]


def layer_at(cache: Cache, layer: int) -> Any:
    """The layer of a cache, made if it is not there and the cache makes its own."""
    while len(cache.layers) <= layer and cache.layer_class_to_replicate is not None:
        cache.layers.append(cache.layer_class_to_replicate())
    return cache.layers[layer]


def check_layer(cache: Cache, layer: int) -> DynamicLayer:
    """The layer of a cache, made if it is not there. Raises ValueError unless it is of a plain dynamic cache."""
    found = layer_at(cache, layer)
    if type(found) not in (DynamicLayer, QueryLayer):
        raise ValueError(f"layer {layer} needs a dynamic cache, not a {type(found).__name__}")
    return found


def query_layer(cache: Cache, layer: int) -> QueryLayer:
    """The layer of a DynamicCache as one that keeps queries. Raises ValueError if it holds tokens without them."""
    found = check_layer(cache, layer)
    if not isinstance(found, QueryLayer):
        if found.get_seq_length():
            raise ValueError(f"layer {layer} needs a dynamic cache that it fills itself: this one kept no queries")
        found = cache.layers[layer] = QueryLayer()
    return found

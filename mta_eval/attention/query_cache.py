"""The cache of a layer with key-query kernels: keys, values and a few queries."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer

CROP_STEP = 64  # tokens between two places to crop to: a tenth of all queries is kept for them, at kernels of 6 rows


class QueryLayer(DynamicLayer):
    """A layer of a DynamicCache that also keeps the queries which later rows need: (B, H, halo, D), right-aligned.

    It can be cropped to multiples of `crop_step` tokens, whose queries it keeps too, and by tokens of the last few.
    """

    is_croppable = False  # not to any length
    crop_step = CROP_STEP
    free_crop_limit = 64  # tokens: an update of at most so many can be cropped at any of them

    def __init__(self) -> None:
        super().__init__()
        self.queries: torch.Tensor | None = None
        self._checkpoints: dict[int, torch.Tensor] = {}  # what `queries` was after so many tokens
        self._last: torch.Tensor | None = None  # the queries kept before the last few tokens, and theirs

    @property
    def recent(self) -> int:
        """How many of the last tokens can be removed one by one."""
        return 0 if self._last is None or self.queries is None else self._last.shape[2] - self.queries.shape[2]

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *_args: object,
        queries: torch.Tensor,
        halo: int,
        kept: torch.Tensor | None,
        **_kwargs: object,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take in T new keys, values and queries (B, H, T, D); `kept` says which queries to keep (`Tokens.kept`)."""
        before = queries.new_zeros(*queries.shape[:2], halo, queries.shape[3]) if self.queries is None else self.queries
        joined = torch.cat((before, queries), 2)
        self._last = joined if kept is None and queries.shape[2] <= self.free_crop_limit else None
        if kept is None:
            self.queries = joined[:, :, joined.shape[2] - halo :].clone()
            past, current = self.get_seq_length(), queries.shape[2]
            for border in range((past // CROP_STEP + 1) * CROP_STEP, past + current + 1, CROP_STEP):
                self._checkpoints[border] = joined[:, :, border - past : border - past + halo].clone()
        else:
            index = kept.clamp(min=0)[:, None, :, None].expand(-1, joined.shape[1], -1, joined.shape[3])
            self.queries = joined.gather(2, index)
        keys, values = super().update(key_states, value_states)
        return keys, values

    def crop(self, tokens_to_remove: int) -> None:
        """Remove the last -`tokens_to_remove` tokens. Raises ValueError where the queries before the cut are gone."""
        remaining = self.get_seq_length() + tokens_to_remove
        if not tokens_to_remove:
            return
        if 0 < -tokens_to_remove <= self.recent:
            assert self._last is not None
            assert self.queries is not None
            halo, self._last = self.queries.shape[2], self._last[:, :, :tokens_to_remove]
            self.queries = self._last[:, :, self._last.shape[2] - halo :]
        elif tokens_to_remove < 0 and remaining in self._checkpoints:
            self._last, self.queries = None, self._checkpoints[remaining]
        else:
            raise ValueError(
                f"a cache with kept queries is cropped by its last few tokens, or to a multiple of {CROP_STEP}, "
                f"none of them padding, not by {tokens_to_remove} to {remaining}: the queries before the cut are gone"
            )
        super().crop(tokens_to_remove)
        self._checkpoints = {border: queries for border, queries in self._checkpoints.items() if border <= remaining}

    def independent_copy(self) -> QueryLayer:
        """A copy that later updates of either layer leave as it is."""
        layer = copy(self)
        layer._checkpoints = dict(self._checkpoints)
        return layer

    def reset(self) -> None:
        """Forget everything."""
        self.queries, self._checkpoints, self._last = None, {}, None
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
        self._replace(lambda queries: queries.repeat_interleave(repeats, 0))

    def _select(self, indices: torch.Tensor) -> None:
        self._replace(lambda queries: queries[indices.to(queries.device)])

    def _replace(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.queries = None if self.queries is None else change(self.queries)
        self._last = None if self._last is None else change(self._last)
        self._checkpoints = {border: change(queries) for border, queries in self._checkpoints.items()}


def layer_at(cache: Cache, layer: int) -> CacheLayerMixin:
    """The layer of a cache, made if it is not there and the cache makes its own."""
    while len(cache.layers) <= layer and cache.layer_class_to_replicate is not None:
        cache.layers.append(cache.layer_class_to_replicate())
    return cache.layers[layer]


def check_layer(cache: Cache, layer: int) -> DynamicLayer:
    """The layer of a cache, made if it is not there. Raises ValueError unless it is of a plain dynamic cache."""
    cache_layer = layer_at(cache, layer)
    if type(cache_layer) not in (DynamicLayer, QueryLayer):
        raise ValueError(f"layer {layer} needs a dynamic cache, not a {type(cache_layer).__name__}")
    return cache_layer


def query_layer(cache: Cache, layer: int) -> QueryLayer:
    """The layer of a DynamicCache as one that keeps queries. Raises ValueError if it holds tokens without them."""
    cache_layer = check_layer(cache, layer)
    if not isinstance(cache_layer, QueryLayer):
        if cache_layer.get_seq_length():
            raise ValueError(f"layer {layer} needs a dynamic cache that it fills itself: this one kept no queries")
        cache_layer = cache.layers[layer] = QueryLayer()
    return cache_layer

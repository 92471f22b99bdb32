"""Which of transformers' caches a layer takes, and queries that are kept beside keys and values.

A layer with key-query kernels looks back at the last few queries. `query_layer` puts a layer that keeps them in the
place of an empty one of the same kind: dynamic, static or quantised, offloaded or not. Queries stay on the device, in
full precision.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache as cached

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer, QuantizedLayer, StaticLayer

CROP_STEP = 64  # tokens between two places to crop to: a tenth of all queries is kept for them, at kernels of 6 rows


class KeepsQueries(CacheLayerMixin):
    """Beside keys and values, the queries which later rows need: (B, H, halo, D), right-aligned."""

    is_croppable = False  # not to any length
    queries: torch.Tensor | None = None

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
        if kept is None:
            self.keep(joined[:, :, joined.shape[2] - halo :].clone())
        else:
            index = kept.clamp(min=0)[:, None, :, None].expand(-1, joined.shape[1], -1, joined.shape[3])
            self.keep(joined.gather(2, index))
        self.note(joined, halo, padded=kept is not None)
        keys, values = super().update(key_states, value_states)
        return keys, values

    def earlier(self) -> torch.Tensor | None:
        """The queries that are kept now, in a tensor that later updates leave as it is."""
        return self.queries

    def keep(self, queries: torch.Tensor) -> None:
        """These from now on."""
        self.queries = queries

    def note(self, joined: torch.Tensor, halo: int, padded: bool) -> None:
        """For a subclass to keep more of the queries before T new ones and those, (B, H, halo + T, D)."""

    def reset(self) -> None:
        """Forget everything."""
        self.queries = None
        super().reset()

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Reorder the batch, for beam search."""
        super().reorder_cache(beam_idx)
        self.change_queries(lambda queries: queries[beam_idx.to(queries.device)])

    def change_queries(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Change the rows of all queries that are kept."""
        self.queries = None if self.queries is None else change(self.queries)


class QueryLayer(KeepsQueries, DynamicLayer):
    """A layer of a DynamicCache that keeps queries.

    It can be cropped to multiples of `crop_step` tokens, whose queries it keeps too, and by tokens of the last few.
    """

    crop_step = CROP_STEP
    free_crop_limit = 64  # tokens: an update of at most so many can be cropped at any of them

    def __init__(self) -> None:
        super().__init__()
        self._checkpoints: dict[int, torch.Tensor] = {}  # what `queries` was after so many tokens
        self._last: torch.Tensor | None = None  # the queries kept before the last few tokens, and theirs

    @property
    def recent(self) -> int:
        """How many of the last tokens can be removed one by one."""
        return 0 if self._last is None or self.queries is None else self._last.shape[2] - self.queries.shape[2]

    def note(self, joined: torch.Tensor, halo: int, padded: bool) -> None:
        """Queries that a crop goes back to."""
        current = joined.shape[2] - halo
        self._last = joined if not padded and current <= self.free_crop_limit else None
        if not padded:
            past = self.get_seq_length()
            for border in range((past // CROP_STEP + 1) * CROP_STEP, past + current + 1, CROP_STEP):
                self._checkpoints[border] = joined[:, :, border - past : border - past + halo].clone()

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
        self._checkpoints, self._last = {}, None
        super().reset()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep some rows of the batch."""
        super().batch_select_indices(indices)
        self.change_queries(lambda queries: queries[indices.to(queries.device)])

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row of the batch."""
        super().batch_repeat_interleave(repeats)
        self.change_queries(lambda queries: queries.repeat_interleave(repeats, 0))

    def change_queries(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """See KeepsQueries."""
        super().change_queries(change)
        self._last = None if self._last is None else change(self._last)
        self._checkpoints = {border: change(queries) for border, queries in self._checkpoints.items()}


class _FixedLayer(KeepsQueries):
    """What a static or quantised layer that keeps queries cannot do."""

    def _refuse(self, *_args: object) -> None:
        """Raises ValueError."""
        raise ValueError(
            f"a {type(self).__name__} cannot be cropped, nor its rows repeated or dropped; use a dynamic cache"
        )

    crop = batch_select_indices = batch_repeat_interleave = _refuse


class _InPlace(_FixedLayer):
    """Queries of a static layer stay where they are, as its keys do: a CUDA graph goes on reading and writing there."""

    def earlier(self) -> torch.Tensor | None:
        """See KeepsQueries."""
        return None if self.queries is None else self.queries.clone()

    def keep(self, queries: torch.Tensor) -> None:
        """See KeepsQueries; in place, but for the first ones."""
        if self.queries is None or self.queries.shape != queries.shape:
            super().keep(queries)
        else:
            self.queries.copy_(queries)

    def reset(self) -> None:
        """Forget everything, in place."""
        queries = self.queries
        super().reset()
        self.queries = None if queries is None else queries.zero_()


@cached
def _with_queries(kind: type[CacheLayerMixin]) -> type[KeepsQueries]:
    """The class of static or quantised layers of a kind that keep queries too."""
    base = _InPlace if issubclass(kind, StaticLayer) else _FixedLayer
    return type(f"{kind.__name__}WithQueries", (base, kind), {})


def layer_at(cache: Cache, layer: int) -> CacheLayerMixin:
    """The layer of a cache, made if it is not there and the cache makes its own."""
    while len(cache.layers) <= layer and cache.layer_class_to_replicate is not None:
        cache.layers.append(cache.layer_class_to_replicate())
    return cache.layers[layer]


def check_layer(cache: Cache, layer: int) -> CacheLayerMixin:
    """The layer of a cache, made if it is not there. Raises ValueError unless it keeps all keys of all tokens."""
    cache_layer = layer_at(cache, layer)
    known = type(cache_layer) in (DynamicLayer, StaticLayer) or isinstance(cache_layer, (KeepsQueries, QuantizedLayer))
    if not known:
        kind = type(cache_layer).__name__
        raise ValueError(f"layer {layer} needs a dynamic cache, a static or a quantised one, not a {kind}")
    return cache_layer


def check_cache(cache: Cache, total: int, device: torch.device) -> None:
    """Raises ValueError where a cache has no room for `total` tokens, or offloads keys that are not on a GPU."""
    if getattr(cache, "offloading", False) and device.type != "cuda":
        raise ValueError(
            f"an offloaded cache moves keys from a CUDA device to the CPU, but this model is on {device.type}; "
            "take a dynamic or static cache that is not offloaded"
        )
    layer = cache.layers[0] if len(cache.layers) else None
    if isinstance(layer, StaticLayer) and total > layer.max_cache_len:
        raise ValueError(
            f"a static cache of {layer.max_cache_len} tokens has no room for {total}; "
            "make it larger (max_cache_len), or generate fewer tokens"
        )


def layer_for(cache: Cache, layer: int, halo: int) -> CacheLayerMixin:
    """The layer of a cache for attention that looks back at `halo` queries: one that keeps them if there are any.

    Quantised ones are always ours: transformers' own can be cropped, but to other tokens than those that are meant.
    Raises ValueError as `check_layer` and `query_layer` do.
    """
    cache_layer = check_layer(cache, layer)
    return query_layer(cache, layer) if halo or isinstance(cache_layer, QuantizedLayer) else cache_layer


def query_layer(cache: Cache, layer: int) -> KeepsQueries:
    """The layer of a cache as one that keeps queries. Raises ValueError if it holds tokens without them."""
    cache_layer = check_layer(cache, layer)
    if isinstance(cache_layer, KeepsQueries):
        return cache_layer
    if int(cache_layer.get_seq_length()):
        raise ValueError(f"layer {layer} needs a cache that it fills itself: this one kept no queries")
    cache.layers[layer] = new = _keeping_queries(cache_layer)
    return new


def _keeping_queries(layer: CacheLayerMixin) -> KeepsQueries:
    """An empty layer as one that keeps queries, with its settings and the room that was made for it already."""
    kind = type(layer)
    if kind is DynamicLayer:
        return QueryLayer()
    new = object.__new__(_with_queries(kind))  # type: ignore[arg-type]  # a class of transformers is Any
    new.__dict__.update(layer.__dict__)
    return new

"""LongHeads' cache of one layer: unrotated keys and values, a vector for each whole chunk, the open chunk's queries."""

from __future__ import annotations

from copy import copy

import torch
from transformers.cache_utils import Cache, DynamicLayer

from mta_eval.attention.query_cache import layer_at
from mta_eval.models.context_extension.chunks import Rotation, chunk_vectors
from mta_eval.models.context_extension.resident_chunks import ResidentChunks, copied_store, new_store

GROWTH = 1.25  # of the store, so that a step of decoding does not copy all that is there


class ChunkLayer(DynamicLayer):
    """A layer of a DynamicCache. `vectors` (B, H, C, D); keys and values (B, G, S, D) lie on `store_on`.

    Where that is named, it is pinned memory of the CPU for a GPU, and `resident` holds what came over last; before
    `begin` tokens that is all.

    It can be cropped to whole chunks, `crop_step` tokens each.
    """

    is_croppable = False  # not to any length

    def __init__(self, window: int, rotation: Rotation, store_on: torch.device | None = None, begin: int = 0) -> None:
        super().__init__()
        self.crop_step = window
        self.window, self.rotation, self.store_on = window, rotation, store_on
        self.vectors: torch.Tensor | None = None
        self._open: torch.Tensor | None = None  # queries of the chunk that is not whole yet
        self._room: list[torch.Tensor] = []
        self.resident = None if store_on is None else ResidentChunks(window, begin)

    def store(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store T new tokens: queries (B, H, T, D), keys and values (B, G, T, D), none of them rotated."""
        past = self.get_seq_length()
        self.keys, self.values = (self._append(at, past, new) for at, new in enumerate((keys, values)))
        self.is_initialized, self.dtype, self.device = True, keys.dtype, self.keys.device
        joined = queries if self._open is None else torch.cat((self._open, queries), 2)
        whole = joined.shape[2] // self.window * self.window
        self._open = joined[:, :, whole:].clone()
        if self.vectors is None:
            self.vectors = queries.new_zeros(*queries.shape[:2], 0, queries.shape[3])
        if whole:
            k, v = self._whole_chunks(past, whole, keys, values)
            vectors = chunk_vectors(joined[:, :, :whole], k, v, self.rotation, self.window)
            self.vectors = torch.cat((self.vectors, vectors), 2)
        if self.resident is not None:
            self.resident.append(keys.detach(), values.detach())

    def _whole_chunks(
        self, past: int, whole: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (B, G, `whole`, D) of the chunks that the new ones make whole, on the device of those."""
        assert self.vectors is not None
        first = self.vectors.shape[2] * self.window
        if self.resident is None:
            return self.keys[:, :, first : first + whole], self.values[:, :, first : first + whole]
        if first < past:
            stores = (self.keys, self.values)
            opened = [self.resident.tokens(at, x, first, past, keys.device) for at, x in enumerate(stores)]
            keys, values = (torch.cat(pair, 2) for pair in zip(opened, (keys, values), strict=True))
        return keys[:, :, :whole], values[:, :, :whole]

    def crop(self, tokens_to_remove: int) -> None:
        """Remove the last -`tokens_to_remove` tokens. Raises ValueError unless whole chunks are left."""
        left = self.get_seq_length() + tokens_to_remove
        if not tokens_to_remove:
            return
        if tokens_to_remove > 0 or left <= 0 or left % self.window:
            raise ValueError(
                f"a cache of chunks is cropped by a negative number to whole chunks of {self.window} tokens, not by "
                f"{tokens_to_remove} to {left}: the queries of the last chunk left are gone"
            )
        assert self.vectors is not None
        self.keys, self.values = (room[:, :, :left] for room in self._room)
        self.vectors, self._open = self.vectors[:, :, : left // self.window], None
        if self.resident is not None:
            self.resident.crop(left)

    def independent_copy(self) -> ChunkLayer:
        """An independent copy: the store is written in place."""
        copied = copy(self)
        copied.keys, copied.values = copied._room = [copied_store(part) for part in (self.keys, self.values)]
        copied.resident = copy(self.resident)
        return copied

    def reset(self) -> None:
        """Drop everything that is stored."""
        self.vectors, self._open, self._room = None, None, []
        self.keys = self.values = None  # type: ignore[assignment]
        self.is_initialized = False
        if self.resident is not None:
            self.resident.clear()

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:  # noqa: ARG002  (transformers' signature)
        """Raises ValueError: beams are not supported."""
        raise ValueError("LongHeads decodes greedily or by sampling: its cache has no beams")

    def _append(self, at: int, past: int, new: torch.Tensor) -> torch.Tensor:
        new = new.detach()
        total = past + new.shape[2]
        if len(self._room) <= at:
            self._room.append(new[:, :, :0])
        if self._room[at].shape[2] < total:
            size = int(total * GROWTH) + self.window if past else total
            room = new_store((*new.shape[:2], size, new.shape[3]), new, self.store_on)
            room[:, :, :past] = self._room[at][:, :, :past]
            self._room[at] = room
        self._room[at][:, :, past:total] = new
        return self._room[at][:, :, :total]


def chunk_layer(cache: Cache, layer: int, new: ChunkLayer) -> ChunkLayer:
    """The layer of a dynamic cache as one of chunks; an empty one becomes `new`. Raises ValueError for other caches."""
    existing = layer_at(cache, layer)
    if isinstance(existing, ChunkLayer):
        return existing
    if not isinstance(existing, DynamicLayer) or existing.get_seq_length():
        raise ValueError(f"layer {layer} needs a dynamic cache that LongHeads fills itself")
    cache.layers[layer] = new
    return new


def refuse_padding(attention_mask: torch.Tensor | None = None, **_inputs: object) -> None:
    """The mask for LongHeads, which needs none. Raises ValueError where there is padding."""
    if attention_mask is not None and not bool(attention_mask.all()):
        raise ValueError("LongHeads reads whole sequences: no padding")

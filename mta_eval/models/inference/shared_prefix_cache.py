"""Several rows of tokens whose common prefix is in the cache once.

Each step of decoding reads all weights, for however many rows and tokens. A row attends to the shared keys, which need
no mask, and to its own, the few that need one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from transformers.cache_utils import Cache, DynamicLayer

from mta_eval.models.inference.causal_lm import CausalLM
from mta_eval.models.inference.replaced_attention import (
    UnsupportedAttentionError,
    attend_part,
    merge_softmaxes,
    register_attention,
    use_attention,
)
from mta_eval.models.token_ids import pad_with_last

NAME = "mta_eval_rows"  # in transformers' tables


class RowsStep:
    """One step of all rows: `places` (B, T) of the next tokens among a row's own keys, and the mask of those keys."""

    def __init__(self, places: torch.Tensor, longest: int, dtype: torch.dtype) -> None:
        self.rows = torch.arange(len(places), device=places.device)[:, None]
        self.places, self.longest = places, longest  # of a row's own keys, at most
        hidden = torch.arange(longest, device=places.device) > places[:, :, None]
        self.mask = torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, -math.inf)[:, None]  # (B, 1, T, longest)


class SharedPrefixLayer(DynamicLayer):
    """One layer's keys and values: `shared` (1, G, P, D) of all rows, and `own` (B, G, room, D), from the left."""

    def __init__(self, layer: DynamicLayer, shared: int, rows: int, room: int) -> None:
        super().__init__()
        self.shared = [_copied_part(part[:1, :, :shared], part) for part in (layer.keys, layer.values)]
        self.own = [part.new_zeros(rows, part.shape[1], room, part.shape[3]) for part in (layer.keys, layer.values)]
        self.step: RowsStep

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store T tokens of each row (B, G, T, D); the tensors returned are for `attend` alone."""
        for own, new in zip(self.own, (key_states, value_states), strict=True):
            own[self.step.rows, :, self.step.places] = new.transpose(1, 2)
        carrier = key_states.view_as(key_states)
        carrier.shared_prefix_layer = self  # type: ignore[attr-defined]
        return carrier, value_states

    def get_seq_length(self) -> int:
        """Tokens of the longest row, those of the current step included."""
        return int(self.shared[0].shape[2]) + self.step.longest

    def attend(self, q: torch.Tensor, scale: float) -> torch.Tensor:
        """(B, T, H, D_v) from the queries (B, H, T, D) of the rows' last tokens."""
        batch, heads, current, size = q.shape
        groups, count = self.shared[0].shape[1:3]
        each = heads // groups * current  # queries of a row that read the same keys
        q = q.reshape(batch, groups, each, size)
        own_k, own_v = (part[:, :, : self.step.longest] for part in self.own)
        out, own_sum = attend_part(q, own_k, own_v, scale, self.step.mask.repeat(1, 1, each // current, 1))
        if count:
            folded = q.transpose(0, 1).reshape(1, groups, batch * each, size)
            parts = attend_part(folded, self.shared[0], self.shared[1], scale)
            common, common_sum = (part.view(groups, batch, each, -1).transpose(0, 1) for part in parts)
            out = merge_softmaxes(common, common_sum[..., 0], out, own_sum)
        return out.reshape(batch, heads, current, -1).transpose(1, 2)


class SharedPrefixRows:
    """`count` rows of tokens after `shared` common ones, with `room` for more in each."""

    cheap_to_drop = False  # dropping a row copies the others

    def __init__(self, model: CausalLM, shared: int, count: int, room: int) -> None:
        self._model, self.shared, self._room = model, shared, room
        self._lengths = [shared] * count
        self._layers: list[SharedPrefixLayer] = []

    def share(self, cache: Cache) -> None:
        """Take over the shared tokens from a cache that begins with them."""
        count = len(self._lengths)
        self._layers = [SharedPrefixLayer(layer, self.shared, count, self._room) for layer in cache.layers]

    def fill(self, row: int, cache: Cache, length: int, source_row: int = 0) -> None:
        """Copy what a row of `length` tokens has beyond the shared ones from a cache that has them in `source_row`."""
        if not self._layers:
            self.share(cache)
        self._lengths[row] = length
        for layer, source in zip(self._layers, cache.layers, strict=True):
            for own, whole in zip(layer.own, (source.keys, source.values), strict=True):
                own[row, :, : length - self.shared] = whole[source_row, :, self.shared : length]

    def step(self, tokens: Sequence[Sequence[int]], last_only: bool = False) -> torch.Tensor:
        """Logits (B, T, vocabulary) after each of a row's next tokens, or (B, 1, vocabulary) after its last one.

        `advance` says how many of them stay. A row of fewer tokens repeats its last, position included. Raises
        UnsupportedAttentionError if the model's attention cannot be replaced.
        """
        device = self._model.device
        ids = torch.tensor(pad_with_last(tokens), device=device)
        lasts = torch.tensor([[len(row) - 1] for row in tokens], device=device)
        following = torch.arange(ids.shape[1], device=device).minimum(lasts)
        positions = torch.tensor(self._lengths, device=device)[:, None] + following
        longest = max(map(sum, zip(self._lengths, map(len, tokens), strict=True))) - self.shared
        step = RowsStep(positions - self.shared, longest, self._layers[0].own[0].dtype)
        for layer in self._layers:
            layer.step = step
        with use_attention(self._model, NAME):
            output = self._model(
                input_ids=ids,
                position_ids=positions,
                past_key_values=Cache(layers=list(self._layers)),
                use_cache=True,
                logits_to_keep=1 if last_only else ids.shape[1],
            )
        return output.logits

    def advance(self, counts: Sequence[int]) -> None:
        """Keep so many of the last step's tokens in each row."""
        self._lengths = [length + count for length, count in zip(self._lengths, counts, strict=True)]

    def select(self, rows: Sequence[int]) -> None:
        """Continue with some of the rows only."""
        if len(rows) == len(self._lengths):
            return
        self._lengths = [self._lengths[row] for row in rows]
        for layer in self._layers:
            layer.own = [part[list(rows)] for part in layer.own]


def _copied_part(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """A part of a cache that does not hold the rest of it in memory."""
    return part if part.shape == whole.shape else part.clone()


def _attend(query: torch.Tensor, key: torch.Tensor, _value: torch.Tensor, scale: float) -> torch.Tensor:
    layer: SharedPrefixLayer | None = getattr(key, "shared_prefix_layer", None)
    if layer is None:
        raise UnsupportedAttentionError("keys are changed after the cache returned them")
    return layer.attend(query, scale)


register_attention(NAME, _attend)

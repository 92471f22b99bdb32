"""Rows of tokens, each after a prompt of its own; what the prompts begin with alike is kept once.

Each step of decoding reads all weights, for however many rows and tokens. A row attends to the shared keys, which need
no mask, and to its own, the few that need one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from mta_eval.models.inference.prefill import padded
from mta_eval.models.inference.replaced_attention import UnfitError, attend_part, attention_of, merge, register

NAME = "mta_eval_rows"  # in transformers' tables


class Step:
    """What all layers ask about the next tokens (B, T): their `places` in a row's own keys, and what they look at."""

    def __init__(self, places: torch.Tensor, longest: int, dtype: torch.dtype) -> None:
        self.rows = torch.arange(len(places), device=places.device)[:, None]
        self.places, self.longest = places, longest  # how much a row has of its own, at most
        hidden = torch.arange(longest, device=places.device) > places[:, :, None]
        self.mask = torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, -math.inf)[:, None]  # (B, 1, T, longest)


class RowsLayer(DynamicLayer):
    """One layer's keys and values: `shared` (1, G, P, D) of all rows, and `own` (B, G, room, D), from the left."""

    def __init__(self, layer: DynamicLayer, shared: int, rows: int, room: int) -> None:
        super().__init__()
        self.shared = [_held(part[:1, :, :shared], part) for part in (layer.keys, layer.values)]
        self.own = [part.new_zeros(rows, part.shape[1], room, part.shape[3]) for part in (layer.keys, layer.values)]
        self.step: Step

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take in T tokens of each row (B, G, T, D); what comes back is for `attend` alone."""
        for own, new in zip(self.own, (key_states, value_states), strict=True):
            own[self.step.rows, :, self.step.places] = new.transpose(1, 2)
        marked = key_states.view_as(key_states)
        marked.rows_layer = self  # type: ignore[attr-defined]
        return marked, value_states

    def get_seq_length(self) -> int:
        """Of the longest row, the step's tokens with it."""
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
            found = attend_part(folded, self.shared[0], self.shared[1], scale)
            common, common_sum = (part.view(groups, batch, each, -1).transpose(0, 1) for part in found)
            out = merge(common, common_sum[..., 0], out, own_sum)
        return out.reshape(batch, heads, current, -1).transpose(1, 2)


class Rows:
    """`count` rows of tokens after `shared` common ones, with `room` for more in each."""

    light = False  # rows that are let go cost a copy of the others

    def __init__(self, model: Any, shared: int, count: int, room: int) -> None:
        self._model, self.shared, self._room = model, shared, room
        self._lengths = [shared] * count
        self._layers: list[RowsLayer] = []

    def share(self, cache: Cache) -> None:
        """Take over the shared tokens from a cache that begins with them."""
        count = len(self._lengths)
        self._layers = [RowsLayer(layer, self.shared, count, self._room) for layer in cache.layers]

    def fill(self, row: int, cache: Cache, length: int, at: int = 0) -> None:
        """Copy what a row of so many tokens has of its own, from a cache that holds them in its row `at`."""
        if not self._layers:
            self.share(cache)
        self._lengths[row] = length
        for layer, found in zip(self._layers, cache.layers, strict=True):
            for part, given in zip(layer.own, (found.keys, found.values), strict=True):
                part[row, :, : length - self.shared] = given[at, :, self.shared : length]

    def step(self, tokens: Sequence[Sequence[int]], last_only: bool = False) -> torch.Tensor:
        """Logits (B, T, vocabulary) after each of a row's next tokens, or (B, 1, vocabulary) after its last one.

        They are there for good when `advance` says so. A row of fewer tokens repeats its last, place and all. Raises
        UnfitError if the model has its own ways.
        """
        device = self._model.device
        ids = torch.tensor(padded(tokens), device=device)
        lasts = torch.tensor([[len(row) - 1] for row in tokens], device=device)
        following = torch.arange(ids.shape[1], device=device).minimum(lasts)
        positions = torch.tensor(self._lengths, device=device)[:, None] + following
        longest = max(map(sum, zip(self._lengths, map(len, tokens), strict=True))) - self.shared
        step = Step(positions - self.shared, longest, self._layers[0].own[0].dtype)
        for layer in self._layers:
            layer.step = step
        with attention_of(self._model, NAME):
            output = self._model(
                input_ids=ids,
                position_ids=positions,
                past_key_values=Cache(layers=list(self._layers)),
                use_cache=True,
                logits_to_keep=1 if last_only else ids.shape[1],
            )
        logits: torch.Tensor = output.logits
        return logits

    def advance(self, counts: Sequence[int]) -> None:
        """So many of the last step's tokens stay in each row."""
        self._lengths = [length + count for length, count in zip(self._lengths, counts, strict=True)]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        if len(rows) == len(self._lengths):
            return
        self._lengths = [self._lengths[row] for row in rows]
        for layer in self._layers:
            layer.own = [part[list(rows)] for part in layer.own]


def _held(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """A part of a cache that does not keep the rest of it in memory."""
    return part if part.shape == whole.shape else part.clone()


def _attend(query: torch.Tensor, key: torch.Tensor, _value: torch.Tensor, scale: float) -> torch.Tensor:
    layer: RowsLayer | None = getattr(key, "rows_layer", None)
    if layer is None:
        raise UnfitError("keys that are changed after they were kept")
    return layer.attend(query, scale)


register(NAME, _attend)

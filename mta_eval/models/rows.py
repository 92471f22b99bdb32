"""Several answers decoded at once, each after a prompt of its own; what the prompts begin with alike is kept once.

Each step of decoding reads all weights, for however many rows. Padding would have to be masked, which costs more than
it saves; here a row's softmax runs over the shared keys and its own. It is computed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from mta_eval.models.answer import Answer
from mta_eval.models.own_attention import UnfitError, attention_of, fits, register
from mta_eval.models.prefill import Prefill, State, grows
from mta_eval.models.row_caches import SeparateRows
from mta_eval.models.tokenizer import shared_tokens

NAME = "mta_eval_rows"  # in transformers' tables
SHORT, SHORT_COSTS = 512, 1.5  # tokens; how much longer a token of so short a prompt takes when it is read alone
MEMORY, WEIGHTS_SHARE = 2**28, 0.25  # bytes that rows may take: so many, or that share of the weights


class RowsLayer(DynamicLayer):
    """One layer's keys and values: `shared` (G, P, D) of all rows, and `own` (B, G, room, D) of each, from the left."""

    def __init__(self, layer: DynamicLayer, shared: int, rows: int, room: int) -> None:
        super().__init__()
        self.shared = [_wide(part[0, :, :shared]) for part in (layer.keys, layer.values)]
        _, groups, _, size = layer.keys.shape
        sizes = (size, layer.values.shape[-1])
        self.own = [part.new_zeros(rows, groups, room, size) for part, size in zip(self.shared, sizes, strict=True)]
        self.ends = torch.zeros(rows, dtype=torch.long, device=layer.keys.device)  # how much of `own` is there
        self.longest = 0  # of them

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take in one token of each row (B, G, 1, D); what comes back is for `attend` alone."""
        for own, new in zip(self.own, (key_states, value_states), strict=True):
            own[torch.arange(len(own), device=own.device), :, self.ends - 1] = new[:, :, 0].to(own.dtype)
        marked = key_states.view_as(key_states)
        marked.rows_layer = self  # type: ignore[attr-defined]
        return marked, value_states

    def get_seq_length(self) -> int:
        """Of the longest row."""
        return int(self.shared[0].shape[1]) + self.longest

    def attend(self, q: torch.Tensor, scale: float) -> torch.Tensor:
        """(B, H, D_v) from the queries (B, H, D) of the rows' last tokens."""
        batch, heads, size = q.shape
        (shared_k, shared_v), (own_k, own_v) = self.shared, (part[:, :, : self.longest] for part in self.own)
        groups, count = shared_k.shape[:2]
        sharing = heads // groups
        q = q.to(shared_k.dtype).view(batch, groups, sharing, size) * scale
        folded = q.transpose(0, 1).reshape(groups, batch * sharing, size)  # all rows and heads that read the same keys
        scores = (folded @ shared_k.transpose(1, 2)).view(groups, batch, sharing, count).transpose(0, 1)
        hidden = torch.arange(self.longest, device=q.device) >= self.ends[:, None]
        own = (q @ own_k.transpose(2, 3)).masked_fill(hidden[:, None, None], -math.inf)
        weights = torch.softmax(torch.cat((scores, own), -1), -1)
        out = weights[..., :count].transpose(0, 1).reshape(groups, batch * sharing, count) @ shared_v
        out = out.view(groups, batch, sharing, -1).transpose(0, 1) + weights[..., count:] @ own_v
        found: torch.Tensor = out.reshape(batch, heads, -1)
        return found


class Rows:
    """Rows of tokens after `shared` common ones, `room` more for each; `add` fills one row after another."""

    def __init__(self, model: Any, shared: int, lengths: Sequence[int], room: int) -> None:
        self._model, self._shared = model, shared
        self._lengths, self._room = list(lengths), max(lengths) - shared + room
        self._layers: list[RowsLayer] = []
        self._there = 0

    def add(self, cache: Cache, at: int = 0) -> None:
        """Copy what the next row has of its own, from a cache that holds its prompt in row `at`."""
        if not self._layers:
            rows = len(self._lengths)
            self._layers = [RowsLayer(layer, self._shared, rows, self._room) for layer in cache.layers]
        row, self._there = self._there, self._there + 1
        own = self._lengths[row] - self._shared
        for layer, found in zip(self._layers, cache.layers, strict=True):
            for part, given in zip(layer.own, (found.keys, found.values), strict=True):
                part[row, :, :own] = given[at, :, self._shared : self._lengths[row]]

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Logits (B, vocabulary) after one more token for each row. Raises UnfitError if the model has its own ways."""
        device = self._model.device
        positions = torch.tensor(self._lengths, device=device)
        self._lengths = [length + 1 for length in self._lengths]
        for layer in self._layers:
            layer.ends, layer.longest = positions - self._shared + 1, max(self._lengths) - self._shared
        with attention_of(self._model, NAME):
            output = self._model(
                input_ids=torch.tensor(tokens, device=device)[:, None],
                position_ids=positions[:, None],
                past_key_values=Cache(layers=list(self._layers)),
                use_cache=True,
                logits_to_keep=1,
            )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        if len(rows) == len(self._lengths):
            return
        self._lengths = [self._lengths[row] for row in rows]
        for layer in self._layers:
            layer.own = [part[list(rows)] for part in layer.own]


def answer(model: Any, prefill: Prefill, prompts: list[list[int]], answers: list[Answer], state: State) -> int:
    """Answer as many of these prompts as go together; how many, 0 if the first is better answered alone.

    The first is in `state`, and its answer begun. A later one that cannot be read ends them.
    """
    cache = state.get("past_key_values")
    apart = getattr(model, "takes_row_caches", False)
    suited = grows(model, cache) and (apart or fits(model, cache))
    count = rows_in_memory(model, cache, prompts, [one.most for one in answers], apart) if suited else 0
    if count < 2:
        return 0
    prompts, answers = prompts[:count], answers[:count]
    rows: Rows | SeparateRows = SeparateRows(model)
    if not apart:
        shared = min(shared_tokens(prompts[0], ids) for ids in prompts)
        rows = Rows(model, shared, [len(ids) for ids in prompts], max(one.most for one in answers))
    rows.add(cache)
    at_once = isinstance(rows, Rows) and better_padded(prompts) and _read_at_once(prefill, prompts, answers, rows)
    if not at_once:
        count = _read_each(prefill, prompts, answers, rows)
    _decode(rows, answers[:count])
    return count


def better_padded(prompts: Sequence[list[int]]) -> bool:
    """Whether all prompts after the first are quicker read in one pass than each after what it shares with the last."""
    longest = max(map(len, prompts[1:]))
    alone = sum(len(ids) - shared_tokens(before, ids) for before, ids in pairwise(prompts))
    return longest <= SHORT and alone * SHORT_COSTS > longest * (len(prompts) - 1)


def _read_at_once(prefill: Prefill, prompts: list[list[int]], answers: list[Answer], rows: Rows) -> bool:
    """Read the prompts after the first one in one pass; False if that fails, which each alone will explain."""
    try:
        logits, cache = prefill.read_padded(prompts[1:])
    except Exception:
        return False
    for row, token in enumerate(logits.argmax(-1).tolist()):
        answers[row + 1].take(token)
        rows.add(cache, row)
    return True


def _read_each(prefill: Prefill, prompts: list[list[int]], answers: list[Answer], rows: Rows | SeparateRows) -> int:
    """Read the prompts after the first one after another; how many there are then."""
    for row in range(1, len(prompts)):
        try:
            logits, state = prefill.read(prompts[row])
        except Exception:  # it will show again when it is the first
            return row
        answers[row].take(int(logits[-1].argmax()))
        rows.add(state["past_key_values"])
    return len(prompts)


def _decode(rows: Rows | SeparateRows, answers: list[Answer]) -> None:
    going = list(range(len(answers)))
    rows.keep(going)
    while unfinished := [row for row in going if not answers[row].done]:
        if 2 * len(unfinished) <= len(going):  # copying the others costs less than their steps
            rows.keep([going.index(row) for row in unfinished])
            going = unfinished
        chosen = rows.step([answers[row].tokens[-1] if answers[row].tokens else 0 for row in going]).argmax(-1)
        for row, token in zip(going, chosen.tolist(), strict=True):
            answers[row].take(token)


def rows_in_memory(
    model: Any, cache: Any, prompts: Sequence[list[int]], rooms: Sequence[int], apart: bool = False
) -> int:
    """How many of these prompts, from the first on, make rows that take no more than MEMORY or a share of the weights.

    `rooms` is how many tokens may follow each. `apart`: each keeps all its tokens, in the model's dtype.
    """
    most = max(MEMORY, WEIGHTS_SHARE * sum(part.numel() * part.element_size() for part in model.parameters()))
    numbers = sum(layer.keys[0, :, 0].numel() + layer.values[0, :, 0].numel() for layer in cache.layers)
    tokens = most / (numbers * (cache.layers[0].keys.element_size() if apart else 4))
    shared, longest, count = 0 if apart else len(prompts[0]), 0, 0
    for count, (ids, room) in enumerate(zip(prompts, rooms, strict=True)):
        shared = min(shared, shared_tokens(prompts[0], ids))
        longest = max(longest, len(ids) + room)
        if shared + (count + 1) * (longest - shared) > tokens:
            return count
    return count + 1


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _attend(query: torch.Tensor, key: torch.Tensor, _value: torch.Tensor, scale: float) -> torch.Tensor:
    layer: RowsLayer | None = getattr(key, "rows_layer", None)
    if layer is None:
        raise UnfitError("keys that are changed after they were kept")
    return layer.attend(query[:, :, 0], scale)[:, None]


register(NAME, _attend)

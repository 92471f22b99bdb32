"""Prompts read into a model's cache: in pieces, and only what the prompt before them did not begin with.

What two prompts share is exact: keys and values of a causal model hang on earlier tokens alone. Where that is not so
(RoPE scaled by the prompt's length), or where a cache cannot be cropped, every prompt is read from its start.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mta_eval.models.tokenizer import shared_tokens

if TYPE_CHECKING:
    import torch

PIECE = 32 * 1024  # tokens read at once
CPU_PIECE = 3 * 1024  # as quick there as more at once, and takes less memory
SMALLEST = 64  # however little memory there is
BY_LENGTH = {"dynamic", "longrope"}  # kinds of RoPE whose angles hang on the prompt's length

State = dict[str, Any]  # a model's cache, by the name of the argument that takes it; empty if it has none


class Prefill:
    """Reads prompts, and keeps the cache of the last one. With `reuse` off each is read from its start.

    `prefilled_tokens` counts the tokens of prompts that were computed.
    """

    def __init__(self, model: Any, reuse: bool = True) -> None:
        self._model, self._reuse = model, reuse
        self._piece = CPU_PIECE if model.device.type == "cpu" else PIECE
        self._own_attention = True  # where it is quicker
        self._ids: list[int] = []
        self._state: State = {}
        self.prefilled_tokens = 0

    def read(self, ids: list[int], wanted: int = 1) -> tuple[torch.Tensor, State]:
        """Logits (wanted, vocabulary) of the last tokens of a prompt, and the cache that holds it.

        Tokens may be added to that cache; the next prompt crops it. Where memory runs out, pieces are halved.
        """
        while True:
            try:
                return self._read(ids, wanted)
            except RuntimeError as error:
                self.forget()
                piece = min(self._piece, len(ids)) // 2
                if not out_of_memory(error) or piece < SMALLEST or not self.grows:
                    raise
            self._piece = piece
            print(f"mta-eval: out of memory; prompts are read {piece} tokens at a time from here on", file=sys.stderr)

    def read_padded(self, prompts: list[list[int]]) -> tuple[torch.Tensor, Any]:
        """Logits (B, vocabulary) of the last token of each of several prompts, read in one pass, and their cache.

        Padding stands behind a prompt, where a causal model does not look: no mask is needed. In the cache it is the
        caller's affair. The last prompt's cache stays as it is.
        """
        import torch

        device = self._model.device
        ends = torch.tensor([len(ids) - 1 for ids in prompts], device=device)
        places, at = torch.unique(ends, return_inverse=True)
        ids = torch.tensor(padded(prompts), device=device)
        output = self._model(input_ids=ids, use_cache=True, logits_to_keep=places)
        self.prefilled_tokens += sum(map(len, prompts))
        return output.logits[torch.arange(len(prompts), device=device), at], output.past_key_values

    def in_pieces(self, ids: list[int], rows: int) -> Iterator[torch.Tensor]:
        """Logits of every token, about (rows, vocabulary) at a time; all at once if the model's cache is of its own."""
        self.forget()
        state: State = {}
        for first, last in bounds(0, len(ids), rows if len(ids) > rows and self.grows else len(ids), 1):
            logits, state = self.step(ids[first:last], state, last - first)
            self.prefilled_tokens += last - first
            yield logits

    def step(self, ids: list[int], state: State, wanted: int = 1) -> tuple[torch.Tensor, State]:
        """Logits (wanted, vocabulary) of the last of `ids`, which follow what is in the cache, and the cache then."""
        import torch

        step = torch.tensor([ids], device=self._model.device)
        with self._attention(len(ids), state):
            output = self._model(input_ids=step, **state, use_cache=True, logits_to_keep=wanted)
        caches = {name: getattr(output, name, None) for name in ("past_key_values", "cache_params")}
        return output.logits[0], {name: cache for name, cache in caches.items() if cache is not None}

    def forget(self) -> None:
        """Let go of the last prompt's cache."""
        self._ids, self._state = [], {}

    @cached_property
    def probe(self) -> Any:
        """The model's cache of a token or two: what kind it is; None if there is none."""
        from mta_eval.models.inference.replaced_attention import UnfitError

        _, state = self.step([0], {})
        cache = state.get("past_key_values")
        if grows(self._model, cache):
            try:
                self.step([0, 0], state)
            except UnfitError:
                self._own_attention = False
        return cache

    @property
    def grows(self) -> bool:
        """Whether the model's cache takes a prompt in pieces."""
        return grows(self._model, self.probe)

    def _read(self, ids: list[int], wanted: int) -> tuple[torch.Tensor, State]:
        least = max(2, wanted)  # LongHeads takes one token after others for one that was decoded
        state, shared = self._shared(ids, len(ids) - least)
        size = len(ids) if len(ids) - shared <= self._piece or not self.grows else self._piece
        for first, last in bounds(shared, len(ids), size, least):
            logits, state = self.step(ids[first:last], state, wanted)
            self.prefilled_tokens += last - first
        if self._reuse:
            self._ids, self._state = ids, state
        return logits, state

    def _attention(self, current: int, state: State) -> AbstractContextManager[None]:
        """What attention the next tokens have: our own for some that follow others on a CPU, else the model's."""
        cache = state.get("past_key_values")
        if cache is None or current < 2 or not self._own_attention or self._model.device.type != "cpu":
            return nullcontext()
        from mta_eval.models.inference import replaced_attention as own_attention

        if not grows(self._model, cache) or not own_attention.fits(self._model, cache):
            return nullcontext()
        return own_attention.attention_of(self._model, own_attention.PIECE)

    def _shared(self, ids: list[int], most: int) -> tuple[State, int]:
        """The cache cropped to what `ids` share with the last prompt, at `most` so many tokens, and how many."""
        state, before = self._state, self._ids
        self.forget()  # should anything fail, it is not to be trusted
        cache = state.get("past_key_values")
        if cache is None or not self.grows:
            return {}, 0
        kept = croppable_to(cache, min(shared_tokens(before, ids), most))
        if kept <= 0:
            return {}, 0
        if surplus := cache.get_seq_length() - kept:
            cache.crop(-surplus)
        return state, kept


def padded(rows: Iterable[Sequence[int]]) -> list[list[int]]:
    """Rows of tokens, all as long as the longest: the last token of a shorter one is repeated."""
    listed = [list(row) for row in rows]
    longest = max(map(len, listed))
    return [row + row[-1:] * (longest - len(row)) for row in listed]


def grows(model: Any, cache: Any) -> bool:
    """Whether a cache holds one more entry for each token, and these stay as they are when more tokens come."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    config = getattr(model, "config", None)
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = [part.get("rope_type") for part in (rope, *rope.values()) if isinstance(part, dict)]
    if type(cache) is not DynamicCache or BY_LENGTH.intersection(kinds):
        return False
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    return all(type(layer) in plain or hasattr(layer, "crop_step") for layer in cache.layers)


def croppable_to(cache: Any, length: int) -> int:
    """The most tokens, no more than `length`, that a growing cache can be cropped to; 0 if it cannot be cropped."""
    total = int(cache.get_seq_length())
    length, step = max(0, min(length, total)), 1
    for layer in cache.layers:
        rolled = getattr(layer, "is_sliding", False) and layer.get_seq_length() >= layer.sliding_window
        if rolled or layer.get_seq_length() != total:
            return 0
        if total - length > getattr(layer, "recent", 0):
            step = math.lcm(step, getattr(layer, "crop_step", 1))
    return length // step * step


def takes_back(cache: Any, count: int) -> bool:
    """Whether `count` tokens that a growing cache takes in next, at once, can be removed again."""
    from transformers.cache_utils import DynamicLayer

    def able(layer: Any) -> bool:
        if getattr(layer, "is_sliding", False):
            return bool(layer.get_seq_length() + count < layer.sliding_window)
        return type(layer) is DynamicLayer or count <= getattr(layer, "few", 0)

    return all(map(able, cache.layers))


def bounds(first: int, last: int, size: int, least: int) -> Iterator[tuple[int, int]]:
    """[first, last) in pieces of `size`; the final one has `least` or more, if there are as many."""
    while first < last:
        end = first + size if last - first >= size + least else last
        yield first, end
        first = end


def out_of_memory(error: Exception) -> bool:
    """Whether torch found no memory, on whichever device."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)

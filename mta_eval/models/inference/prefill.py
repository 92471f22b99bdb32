"""Prompts read into a model's cache: in pieces, and without what the prompt before them began with.

Reusing a shared prefix is exact: keys and values of a causal model depend on earlier tokens alone. Where that is not
so (RoPE scaled by the prompt's length), or where a cache cannot be cropped, every prompt is read from its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING

from mta_eval.models.inference.caches import croppable_length, is_append_only
from mta_eval.models.token_ids import pad_with_last, shared_prefix_length
from mta_eval.printable import say

if TYPE_CHECKING:
    import torch
    from transformers.cache_utils import Cache

    from mta_eval.models.inference.causal_lm import CausalLM

PIECE_TOKENS = 32 * 1024  # read at once
CPU_PIECE_TOKENS = 3 * 1024  # as fast there as more at once, and takes less memory
MIN_PIECE_TOKENS = 64  # however little memory there is

State = dict[str, "Cache"]  # a model's cache, by the name of the argument that takes it; empty if it has none


class Prefill:
    """Reads prompts and keeps the cache of the last one. With `reuse` off each is read from its start.

    `prefilled_tokens` counts the tokens of prompts that were computed.
    """

    def __init__(self, model: CausalLM, reuse: bool = True) -> None:
        self._model, self._reuse = model, reuse
        self._piece = CPU_PIECE_TOKENS if model.device.type == "cpu" else PIECE_TOKENS
        self._replace_attention = True  # where that is faster
        self._ids: list[int] = []
        self._state: State = {}
        self.prefilled_tokens = 0

    def read(self, ids: list[int], count: int = 1) -> tuple[torch.Tensor, State]:
        """Logits (count, vocabulary) of the last tokens of a prompt, and the cache that holds it.

        Tokens may be added to that cache; the next prompt crops it. Where memory runs out, pieces are halved.
        """
        while True:
            try:
                return self._read(ids, count)
            except RuntimeError as error:
                self.clear()
                piece = min(self._piece, len(ids)) // 2
                if not is_out_of_memory(error) or piece < MIN_PIECE_TOKENS or not self.is_append_only:
                    raise
            self._piece = piece
            say(f"out of memory; prompts are read {piece} tokens at a time from here on")

    def read_padded(self, prompts: list[list[int]]) -> tuple[torch.Tensor, Cache | None]:
        """Logits (B, vocabulary) of the last token of each of several prompts, read in one pass, and their cache.

        Padding follows a prompt, where a causal model does not look: no mask is needed. The caller must ignore it in
        the cache. The cache of the last single prompt is left alone.
        """
        import torch

        device = self._model.device
        ends = torch.tensor([len(ids) - 1 for ids in prompts], device=device)
        places, indices = torch.unique(ends, return_inverse=True)
        ids = torch.tensor(pad_with_last(prompts), device=device)
        positions = self._positions(0, ids.shape[1])
        output = self._model(input_ids=ids, use_cache=True, logits_to_keep=places, **positions)
        self.prefilled_tokens += sum(map(len, prompts))
        return output.logits[torch.arange(len(prompts), device=device), indices], output.past_key_values

    def in_pieces(self, ids: list[int], size: int) -> Iterator[torch.Tensor]:
        """Logits (about `size`, vocabulary) of every token, piece by piece; one piece if the cache cannot append."""
        self.clear()
        state: State = {}
        size = size if len(ids) > size and self.is_append_only else len(ids)
        for first, last in piece_bounds(0, len(ids), size, 1):
            logits, state = self.step(ids[first:last], state, first, last - first)
            self.prefilled_tokens += last - first
            yield logits

    def step(self, ids: list[int], state: State, past: int, count: int = 1) -> tuple[torch.Tensor, State]:
        """Logits (count, vocabulary) of the last of `ids`, which follow `past` tokens in the cache, and the cache then.

        `past` is 0 for an empty `state`.
        """
        import torch

        if not state:
            reset_rope(self._dynamic_rope)
        inputs = torch.tensor([ids], device=self._model.device)
        positions = self._positions(past, len(ids))
        with self._attention(len(ids), state):
            output = self._model(input_ids=inputs, **state, use_cache=True, logits_to_keep=count, **positions)
        caches = {name: getattr(output, name, None) for name in ("past_key_values", "cache_params")}
        # xLSTM gives the logits of all tokens
        return output.logits[0, -count:], {name: cache for name, cache in caches.items() if cache is not None}

    def _positions(self, past: int, current: int) -> dict[str, torch.Tensor]:
        """The positions of the next tokens, as an argument, for a model that takes it.

        Some models (Bamba, MiniMax) would otherwise give every decoded token the position of the first.
        """
        import torch

        if not self._takes_positions:
            return {}
        return {"position_ids": torch.arange(past, past + current, device=self._model.device)[None]}

    @cached_property
    def _takes_positions(self) -> bool:
        from transformers import GenerationMixin

        name = "_prepare_position_ids_for_generation"
        if getattr(type(self._model), name, None) not in (None, getattr(GenerationMixin, name, None)):
            return False  # it makes them in a way of its own (Reformer)
        return "position_ids" in signature(getattr(self._model, "forward", self._model.__call__)).parameters

    def clear(self) -> None:
        """Drop the last prompt's cache."""
        self._ids, self._state = [], {}

    @cached_property
    def _dynamic_rope(self) -> list[torch.nn.Module]:
        modules: Iterable[torch.nn.Module] = getattr(self._model, "modules", list)()
        return [module for module in modules if "dynamic" in str(getattr(module, "rope_type", ""))]

    @cached_property
    def probe(self) -> Cache | None:
        """The model's cache of a token or two, to see what kind it is; None if there is none."""
        from mta_eval.models.inference.replaced_attention import UnsupportedAttentionError

        _, state = self.step([0], {}, 0)
        cache = state.get("past_key_values")
        if is_append_only(self._model, cache):
            try:
                self.step([0, 0], state, 1)
            except UnsupportedAttentionError:
                self._replace_attention = False
        return cache

    @property
    def is_append_only(self) -> bool:
        """Whether the model's cache takes a prompt in pieces."""
        return is_append_only(self._model, self.probe)

    def _read(self, ids: list[int], count: int) -> tuple[torch.Tensor, State]:
        least = max(2, count)  # LongHeads takes one token after others for one that was decoded
        state, shared = self._shared(ids, len(ids) - least)
        size = len(ids) if len(ids) - shared <= self._piece or not self.is_append_only else self._piece
        for first, last in piece_bounds(shared, len(ids), size, least):
            logits, state = self.step(ids[first:last], state, first, count)
            self.prefilled_tokens += last - first
        if self._reuse:
            self._ids, self._state = ids, state
        return logits, state

    def _attention(self, current: int, state: State) -> AbstractContextManager[None]:
        """The attention of the next tokens: our own for several that follow others on a CPU, else the model's."""
        cache = state.get("past_key_values")
        if cache is None or current < 2 or not self._replace_attention or self._model.device.type != "cpu":
            return nullcontext()
        from mta_eval.models.inference import replaced_attention

        if not is_append_only(self._model, cache) or not replaced_attention.has_plain_attention(self._model, cache):
            return nullcontext()
        return replaced_attention.use_attention(self._model, replaced_attention.PIECE)

    def _shared(self, ids: list[int], limit: int) -> tuple[State, int]:
        """The cache cropped to what `ids` share with the last prompt, `limit` tokens at most, and how many they are."""
        state, before = self._state, self._ids
        self.clear()  # should anything fail, the cache is not valid
        cache = state.get("past_key_values")
        if cache is None or not self.is_append_only:
            return {}, 0
        length = croppable_length(cache, min(shared_prefix_length(before, ids), limit))
        if length <= 0:
            return {}, 0
        if surplus := cache.get_seq_length() - length:
            cache.crop(-surplus)
        return state, length


def reset_rope(modules: Sequence[torch.nn.Module]) -> None:
    """Set modules of RoPE that scales with the longest text seen back to what they were before the first one.

    transformers does so only for texts within the original window: without it a longer one would be read with the
    angles of whatever was asked before it.
    """
    for module in modules:
        original: int = module.original_max_seq_len  # type: ignore[assignment]
        kinds = [f"{kind}_" for kind in module.rope_type] if isinstance(module.rope_type, dict) else [""]
        for prefix in kinds:
            frequencies: torch.Tensor = getattr(module, f"{prefix}original_inv_freq")
            device = getattr(module, f"{prefix}inv_freq").device
            module.register_buffer(f"{prefix}inv_freq", frequencies.to(device), persistent=False)
            setattr(module, f"{prefix}max_seq_len_cached", original)


def piece_bounds(first: int, last: int, size: int, least: int) -> Iterator[tuple[int, int]]:
    """[first, last) in pieces of `size`; the final one has `least` or more, if there are as many."""
    while first < last:
        end = first + size if last - first >= size + least else last
        yield first, end
        first = end


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch found no memory, on whichever device."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)

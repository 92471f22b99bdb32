"""Prompts read together into rows: which go together, and whether in one pass or each after the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mta_eval.models.inference.prefill import Prefill, grows
from mta_eval.models.tokenizer import shared_tokens

if TYPE_CHECKING:
    import torch

    from mta_eval.models.inference.shared_prefix_cache import Rows

SHORT, SHORT_COSTS = 512, 1.5  # tokens; how much longer a token of so short a prompt takes when it is read alone
TAILS = 256  # tokens of all rows, at most, where prompts are read on from what they share
MEMORY, WEIGHTS_SHARE = 2**28, 0.25  # bytes that rows may take: so many, or that share of the weights
SCORES = 2**26  # bytes, of one layer's attention scores; off a CPU there are up to three tensors of them


def suits(model: Any, cache: Any) -> bool:
    """Whether a model that made `cache` can go on in rows of what prompts share and what each has of its own."""
    from mta_eval.models.inference.replaced_attention import fits

    return grows(model, cache) and fits(model, cache)


def rows_in_memory(
    model: Any, cache: Any, prompts: Sequence[list[int]], rooms: Sequence[int], apart: bool = False
) -> int:
    """How many of these prompts, from the first on, make rows that take no more than MEMORY or a share of the weights.

    `rooms` is how many tokens may follow each. `apart`: each keeps all its tokens.
    """
    most = max(MEMORY, WEIGHTS_SHARE * sum(part.numel() * part.element_size() for part in model.parameters()))
    numbers = sum(layer.keys[0, :, 0].numel() + layer.values[0, :, 0].numel() for layer in cache.layers)
    tokens = most / (numbers * cache.layers[0].keys.element_size())
    shared, longest, most_room, count = 0 if apart else len(prompts[0]), 0, 0, 0
    for count, (ids, room) in enumerate(zip(prompts, rooms, strict=True)):
        shared = min(shared, shared_tokens(prompts[0], ids))
        longest, most_room = max(longest, len(ids)), max(most_room, room)
        if shared + (count + 1) * (longest - shared + most_room) > tokens:
            return count
    return count + 1


def tokens_in_memory(model: Any, longest: int) -> int:
    """How many tokens of all rows may be read in one step, so that their attention scores take no more than SCORES."""
    return int(SCORES // (4 * model.config.get_text_config().num_attention_heads * longest))


def shared_rows(model: Any, prompts: Sequence[list[int]], room: int, most: int | None = None) -> Rows:
    """Rows that hold what prompts begin with alike, `most` tokens at most, and none of them whole; `room` for more."""
    from mta_eval.models.inference.shared_prefix_cache import Rows

    shared = min(shared_tokens(prompts[0][:-1], ids[:-1]) for ids in prompts)
    shared = shared if most is None else min(shared, most)
    return Rows(model, shared, len(prompts), max(map(len, prompts)) - shared + room)


def better_padded(prompts: Sequence[list[int]]) -> bool:
    """Whether prompts are quicker read in one pass than each after what it shares with the last."""
    longest = max(map(len, prompts))
    alone = len(prompts[0]) + sum(len(ids) - shared_tokens(before, ids) for before, ids in pairwise(prompts))
    return longest <= SHORT and alone * SHORT_COSTS > longest * len(prompts)


def read_padded(prefill: Prefill, prompts: list[list[int]], rows: Rows) -> torch.Tensor:
    """Logits (B, vocabulary) of the last tokens of prompts that are read whole, in one pass."""
    logits, cache = prefill.read_padded(prompts)
    for row, ids in enumerate(prompts):
        rows.fill(row, cache, len(ids), row)
    return logits


def tails_fit(model: Any, prompts: Sequence[list[int]], rows: Rows) -> bool:
    """Whether what follows on the shared tokens is so little that it is quicker, and safely, read in one pass."""
    longest = max(map(len, prompts))
    tails = len(prompts) * (longest - rows.shared)
    return rows.shared > 0 and tails <= min(TAILS, tokens_in_memory(model, longest))


def read_tails(prefill: Prefill, prompts: Sequence[list[int]], rows: Rows, last_only: bool) -> torch.Tensor:
    """Logits (B, T, vocabulary) of what follows on the shared tokens, T of the longest, or of the last tokens only."""
    _, state = prefill.read(prompts[0][: rows.shared])
    rows.share(state["past_key_values"])
    tails = [ids[rows.shared :] for ids in prompts]
    logits = rows.step(tails, last_only)
    rows.advance([len(ids) for ids in tails])
    prefill.prefilled_tokens += sum(map(len, tails))
    return logits


def logits_of_ends(
    model: Any, prefill: Prefill, prompts: Sequence[list[int]], wanted: Sequence[int]
) -> list[torch.Tensor]:
    """Logits (wanted, vocabulary) of the last tokens of prompts that share all but a little; of none if they do not."""
    if len(prompts) < 2 or not suits(model, cache := prefill.probe):
        return []
    count = rows_in_memory(model, cache, prompts, [0] * len(prompts))
    if count < 2:
        return []
    prompts = prompts[:count]
    before = min(len(ids) - some for ids, some in zip(prompts, wanted, strict=False))
    rows = shared_rows(model, prompts, 0, before)
    if not tails_fit(model, prompts, rows):
        return []
    logits = read_tails(prefill, prompts, rows, last_only=False)
    return [
        part[len(ids) - rows.shared - some : len(ids) - rows.shared]
        for part, ids, some in zip(logits, prompts, wanted, strict=False)
    ]

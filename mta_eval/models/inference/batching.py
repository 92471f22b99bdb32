"""Which prompts are read as one batch, and whether in one pass or each after the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mta_eval.models.inference.caches import is_append_only
from mta_eval.models.token_ids import shared_prefix_length

if TYPE_CHECKING:
    import torch
    from transformers.cache_utils import Cache

    from mta_eval.models.inference.causal_lm import CausalLM
    from mta_eval.models.inference.prefill import Prefill
    from mta_eval.models.inference.shared_prefix_cache import SharedPrefixRows

SHORT_PROMPT, SHORT_PROMPT_COST = 512, 1.5  # tokens; how much longer a token of a short prompt takes, read alone
MAX_SUFFIX_TOKENS = 256  # of all rows, where suffixes are read in one pass after the shared prefix
ROWS_MEMORY, WEIGHTS_SHARE = 2**28, 0.25  # bytes that rows may take: so many, or that share of the weights
SCORES_MEMORY = 2**26  # bytes of one layer's attention scores; off a CPU there are up to three tensors of them


def can_share_prefix(model: CausalLM, cache: Cache | None) -> bool:
    """Whether a model that made `cache` can continue in rows that share a prefix."""
    from mta_eval.models.inference.replaced_attention import has_plain_attention

    return cache is not None and is_append_only(model, cache) and has_plain_attention(model, cache)


def rows_that_fit(
    model: CausalLM, cache: Cache, prompts: Sequence[list[int]], budgets: Sequence[int], separate: bool = False
) -> int:
    """How many of these prompts, from the first on, fit into the memory of rows: ROWS_MEMORY or WEIGHTS_SHARE.

    `budgets` is how many tokens may follow each. `separate`: each row holds all its tokens.
    """
    memory = max(ROWS_MEMORY, WEIGHTS_SHARE * sum(part.numel() * part.element_size() for part in model.parameters()))
    numbers = sum(layer.keys[0, :, 0].numel() + layer.values[0, :, 0].numel() for layer in cache.layers)
    tokens = memory / (numbers * cache.layers[0].keys.element_size())
    shared, longest, budget, count = 0 if separate else len(prompts[0]), 0, 0, 0
    for count, (ids, new_tokens) in enumerate(zip(prompts, budgets, strict=True)):
        shared = min(shared, shared_prefix_length(prompts[0], ids))
        longest, budget = max(longest, len(ids)), max(budget, new_tokens)
        if shared + (count + 1) * (longest - shared + budget) > tokens:
            return count
    return count + 1


def max_step_tokens(model: CausalLM, longest: int) -> int:
    """How many tokens of all rows may be read in one step, such that attention scores take at most SCORES_MEMORY."""
    return int(SCORES_MEMORY // (4 * model.config.get_text_config().num_attention_heads * longest))


def new_shared_rows(
    model: CausalLM, prompts: Sequence[list[int]], budget: int, max_shared: int | None = None
) -> SharedPrefixRows:
    """Rows for prompts with a common prefix, of `max_shared` tokens at most, and `budget` tokens after each prompt."""
    from mta_eval.models.inference.shared_prefix_cache import SharedPrefixRows

    shared = min(shared_prefix_length(prompts[0][:-1], ids[:-1]) for ids in prompts)
    shared = shared if max_shared is None else min(shared, max_shared)
    return SharedPrefixRows(model, shared, len(prompts), max(map(len, prompts)) - shared + budget)


def is_faster_padded(prompts: Sequence[list[int]]) -> bool:
    """Whether prompts are faster read in one padded pass than each after what it shares with the last."""
    longest = max(map(len, prompts))
    alone = len(prompts[0]) + sum(len(ids) - shared_prefix_length(before, ids) for before, ids in pairwise(prompts))
    return longest <= SHORT_PROMPT and alone * SHORT_PROMPT_COST > longest * len(prompts)


def read_padded(prefill: Prefill, prompts: list[list[int]], rows: SharedPrefixRows) -> torch.Tensor:
    """Logits (B, vocabulary) of the last tokens of prompts that are read whole, in one pass."""
    logits, cache = prefill.read_padded(prompts)
    for row, ids in enumerate(prompts):
        rows.fill(row, cache, len(ids), row)
    return logits


def suffixes_fit(model: CausalLM, prompts: Sequence[list[int]], rows: SharedPrefixRows) -> bool:
    """Whether what follows the shared prefix is short enough to be read in one pass, for speed and for memory."""
    longest = max(map(len, prompts))
    tokens = len(prompts) * (longest - rows.shared)
    return rows.shared > 0 and tokens <= min(MAX_SUFFIX_TOKENS, max_step_tokens(model, longest))


def read_suffixes(
    prefill: Prefill, prompts: Sequence[list[int]], rows: SharedPrefixRows, last_only: bool
) -> torch.Tensor:
    """Logits (B, T, vocabulary) of what follows the shared prefix, T of the longest, or of the last tokens only."""
    _, state = prefill.read(prompts[0][: rows.shared])
    rows.share(state["past_key_values"])
    suffixes = [ids[rows.shared :] for ids in prompts]
    logits = rows.step(suffixes, last_only)
    rows.advance([len(ids) for ids in suffixes])
    prefill.prefilled_tokens += sum(map(len, suffixes))
    return logits


def logits_of_suffixes(
    model: CausalLM, prefill: Prefill, prompts: Sequence[list[int]], counts: Sequence[int]
) -> list[torch.Tensor]:
    """Logits (count, vocabulary) of the last tokens of the first few prompts, if they differ in short suffixes only.

    An empty list if they do not.
    """
    cache = prefill.probe if len(prompts) > 1 else None
    if cache is None or not can_share_prefix(model, cache):
        return []
    fitting = rows_that_fit(model, cache, prompts, [0] * len(prompts))
    if fitting < 2:
        return []
    prompts = prompts[:fitting]
    before = min(len(ids) - count for ids, count in zip(prompts, counts, strict=False))
    rows = new_shared_rows(model, prompts, 0, before)
    if not suffixes_fit(model, prompts, rows):
        return []
    logits = read_suffixes(prefill, prompts, rows, last_only=False)
    return [
        part[len(ids) - rows.shared - count : len(ids) - rows.shared]
        for part, ids, count in zip(logits, prompts, counts, strict=False)
    ]

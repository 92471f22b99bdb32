"""Greedy decoding: one answer after its prompt, or several at once; with tokens drafted from the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mta_eval.models.inference.batching import (
    can_share_prefix,
    is_faster_padded,
    max_step_tokens,
    new_shared_rows,
    read_padded,
    read_suffixes,
    rows_that_fit,
    suffixes_fit,
)
from mta_eval.models.inference.caches import can_remove, is_append_only, switches_rope_after
from mta_eval.models.inference.causal_lm import CausalLM
from mta_eval.models.inference.growing_answer import NO_TOKEN, GrowingAnswer
from mta_eval.models.inference.prefill import Prefill, State

if TYPE_CHECKING:
    import torch

    from mta_eval.models.inference.separate_rows import SeparateRows
    from mta_eval.models.inference.shared_prefix_cache import SharedPrefixRows

DRAFT_TOKENS = 8  # at most, in one step of an answer
STEP_TOKENS = 64  # of all rows in a step; more are no longer read in the time of one


def likeliest(logits: torch.Tensor) -> list[Any]:
    """The likeliest tokens of `logits` (…, vocabulary), as nested lists; `NO_TOKEN` where the highest is not finite."""
    highest = logits.max(-1)
    tokens: list[Any] = highest.indices.masked_fill(~highest.values.isfinite(), NO_TOKEN).tolist()
    return tokens


def decode_one(model: CausalLM, prefill: Prefill, answer: GrowingAnswer, state: State, lookup: bool) -> None:
    """Finish an answer whose first token is there, after its prompt in `state`; `lookup` allows draft tokens."""
    cache = state.get("past_key_values")
    lookup = lookup and is_append_only(model, cache)
    while not answer.done:
        draft = answer.draft(DRAFT_TOKENS) if lookup and can_remove(cache, DRAFT_TOKENS + 1) else []
        ids, past = answer.prompt_ids + answer.tokens, 0
        if switches_rope_after(model, len(ids) - 1):
            state = {}
        if state:  # else, as for a model without a cache, everything is read again
            ids, past = ids[-1:] + draft, len(ids) - 1
        logits, state = prefill.step(ids, state, past, 1 + len(draft))
        wrong = len(draft) - answer.accept(draft, likeliest(logits[-1 - len(draft) :]))
        if wrong:
            state["past_key_values"].crop(-wrong)


def decode_batch(model: CausalLM, prefill: Prefill, answers: list[GrowingAnswer]) -> int:
    """Finish the first answers together and return how many they are; 0 if the first is better answered alone.

    A prompt that cannot be read ends the batch before it.
    """
    from mta_eval.models.inference.separate_rows import SeparateRows

    cache, separate = prefill.probe if len(answers) > 1 else None, getattr(model, "takes_row_caches", False)
    if cache is None or not (is_append_only(model, cache) if separate else can_share_prefix(model, cache)):
        return 0
    prompts, budgets = [answer.prompt_ids for answer in answers], [answer.budget for answer in answers]
    count = rows_that_fit(model, cache, prompts, budgets, separate)
    if count < 2:
        return 0
    answers, prompts = answers[:count], prompts[:count]
    rows: SharedPrefixRows | SeparateRows
    if separate:
        rows, tokens = SeparateRows(model, count), STEP_TOKENS if can_remove(cache, STEP_TOKENS) else 0
        count = _read_each(prefill, answers, rows)
    else:
        rows, tokens = new_shared_rows(model, prompts, max(budgets)), max_step_tokens(model, max(map(len, prompts)))
        if not _read_in_one_pass(model, prefill, answers, rows):
            count = _read_each(prefill, answers, rows)
    if count:
        _decode(rows, answers[:count], min(STEP_TOKENS, tokens))
    return count


def _read_in_one_pass(
    model: CausalLM, prefill: Prefill, answers: Sequence[GrowingAnswer], rows: SharedPrefixRows
) -> bool:
    """Read the prompts in one pass; False if that takes longer, or if one cannot be read: it will fail alone."""
    prompts = [answer.prompt_ids for answer in answers]
    try:
        if is_faster_padded(prompts):
            logits = read_padded(prefill, prompts, rows)
        elif suffixes_fit(model, prompts, rows):
            logits = read_suffixes(prefill, prompts, rows, last_only=True)[:, 0]
        else:
            return False
    except (ValueError, IndexError):  # what a model raises for a prompt; anything else is a failure of rows
        return False
    for answer, token in zip(answers, likeliest(logits), strict=True):
        answer.append(token)
    return True


def _read_each(prefill: Prefill, answers: Sequence[GrowingAnswer], rows: SharedPrefixRows | SeparateRows) -> int:
    """Read the prompts one after another; returns how many could be read before the first that could not."""
    for row, answer in enumerate(answers):
        try:
            logits, state = prefill.read(answer.prompt_ids)
        except Exception:  # it will fail again when it is the first
            return row
        answer.append(*likeliest(logits[-1:]))
        rows.fill(row, state["past_key_values"], len(answer.prompt_ids))
    return len(answers)


def _decode(rows: SharedPrefixRows | SeparateRows, answers: Sequence[GrowingAnswer], max_tokens: int) -> None:
    """Finish answers whose first token is there, up to `max_tokens` of all rows in a step, or one of each row."""
    active = [row for row, answer in enumerate(answers) if not answer.done]
    rows.select(active)
    while unfinished := [row for row in active if not answers[row].done]:
        if rows.cheap_to_drop or 2 * len(unfinished) <= len(active):  # copying the others costs less than their steps
            rows.select([active.index(row) for row in unfinished])
            active = unfinished
        drafts = [answers[row].draft(min(DRAFT_TOKENS, max_tokens // len(active) - 1)) for row in active]
        tokens = [[answers[row].tokens[-1], *draft] for row, draft in zip(active, drafts, strict=True)]
        chosen = likeliest(rows.step(tokens))
        counts = [
            0 if answers[row].done else 1 + answers[row].accept(draft, row_chosen)
            for row, draft, row_chosen in zip(active, drafts, chosen, strict=True)
        ]
        rows.advance(counts)

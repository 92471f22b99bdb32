"""How answers are decoded: one after a prompt, or several at once; with tokens guessed from the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mta_eval.models.inference.batching import (
    better_padded,
    read_padded,
    read_tails,
    rows_in_memory,
    shared_rows,
    suits,
    tails_fit,
    tokens_in_memory,
)
from mta_eval.models.inference.growing_answer import GrowingAnswer
from mta_eval.models.inference.prefill import Prefill, State, grows, takes_back

if TYPE_CHECKING:
    from mta_eval.models.inference.row_caches import SeparateRows
    from mta_eval.models.inference.shared_prefix_cache import Rows

GUESSED = 8  # tokens, at most, in one step of an answer
STEP = 64  # tokens of all rows in a step; more are no longer read in the time of one


def alone(model: Any, prefill: Prefill, answer: GrowingAnswer, state: State, guessing: bool) -> None:
    """Decode an answer that is begun, after its prompt in `state`."""
    cache = state.get("past_key_values")
    guessing = guessing and grows(model, cache)
    while not answer.done:
        guessed = answer.guess(GUESSED) if guessing and takes_back(cache, GUESSED + 1) else []
        # a model without a cache reads everything again
        ids = answer.tokens[-1:] + guessed if state else answer.prompt + answer.tokens
        logits, state = prefill.step(ids, state, 1 + len(guessed))
        wrong = len(guessed) - answer.check(guessed, logits[-1 - len(guessed) :].argmax(-1).tolist())
        if wrong:
            state["past_key_values"].crop(-wrong)


def together(model: Any, prefill: Prefill, answers: list[GrowingAnswer]) -> int:
    """GrowingAnswer as many prompts as go together, from the first on; how many, 0 if it is better answered alone.

    One that cannot be read ends them.
    """
    from mta_eval.models.inference.row_caches import SeparateRows

    if len(answers) < 2:
        return 0
    cache, apart = prefill.probe, getattr(model, "takes_row_caches", False)
    if not (grows(model, cache) if apart else suits(model, cache)):
        return 0
    prompts, rooms = [answer.prompt for answer in answers], [answer.most for answer in answers]
    count = rows_in_memory(model, cache, prompts, rooms, apart)
    if count < 2:
        return 0
    answers, prompts = answers[:count], prompts[:count]
    rows: Rows | SeparateRows
    if apart:
        rows, tokens = SeparateRows(model, count), STEP if takes_back(cache, STEP) else 0
        count = _read_each(prefill, answers, rows)
    else:
        rows, tokens = shared_rows(model, prompts, max(rooms)), tokens_in_memory(model, max(map(len, prompts)))
        if not _read_at_once(model, prefill, answers, rows):
            count = _read_each(prefill, answers, rows)
    if count:
        _decode(rows, answers[:count], min(STEP, tokens))
    return count


def _read_at_once(model: Any, prefill: Prefill, answers: Sequence[GrowingAnswer], rows: Rows) -> bool:
    """Read the prompts in one pass; False if that takes longer, or if one of them cannot be read, as it shows alone."""
    prompts = [answer.prompt for answer in answers]
    try:
        if better_padded(prompts):
            logits = read_padded(prefill, prompts, rows)
        elif tails_fit(model, prompts, rows):
            logits = read_tails(prefill, prompts, rows, last_only=True)[:, 0]
        else:
            return False
    except (ValueError, IndexError):  # what a model says of a prompt; anything else is a failure of rows
        return False
    for answer, token in zip(answers, logits.argmax(-1).tolist(), strict=True):
        answer.take(token)
    return True


def _read_each(prefill: Prefill, answers: Sequence[GrowingAnswer], rows: Rows | SeparateRows) -> int:
    """Read the prompts one after another; how many there are then."""
    for row, answer in enumerate(answers):
        try:
            logits, state = prefill.read(answer.prompt)
        except Exception:  # it will show again when it is the first
            return row
        answer.take(int(logits[-1].argmax()))
        rows.fill(row, state["past_key_values"], len(answer.prompt))
    return len(answers)


def _decode(rows: Rows | SeparateRows, answers: Sequence[GrowingAnswer], most: int) -> None:
    """Decode answers that are begun, up to `most` tokens of all rows in a step, or one of each row."""
    going = [row for row, answer in enumerate(answers) if not answer.done]
    rows.keep(going)
    while unfinished := [row for row in going if not answers[row].done]:
        if rows.light or 2 * len(unfinished) <= len(going):  # copying the others costs less than their steps
            rows.keep([going.index(row) for row in unfinished])
            going = unfinished
        guessed = [answers[row].guess(min(GUESSED, most // len(going) - 1)) for row in going]
        tokens = [[answers[row].tokens[-1], *guess] for row, guess in zip(going, guessed, strict=True)]
        chosen = rows.step(tokens).argmax(-1).tolist()
        stay = [
            0 if answers[row].done else 1 + answers[row].check(guess, said)
            for row, guess, said in zip(going, guessed, chosen, strict=True)
        ]
        rows.advance(stay)

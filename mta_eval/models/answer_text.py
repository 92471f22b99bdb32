"""From the text that another program decoded to an `Answer`: the thought parted from it, its budget, its stop strings.

An engine that gives token ids is read by `inference.growing_answer.settled` instead, which is exact. A text does not
say which tokens it was made of, so here they are counted in its encoding.
"""

from __future__ import annotations

from dataclasses import dataclass

from mta_eval.core import Answer, Finish, Sample
from mta_eval.errors import ModelError
from mta_eval.models.chat_templates import may_think
from mta_eval.models.stop_strings import cut_at_stop, sendable_stops
from mta_eval.models.thoughts import BARE_HARMONY, HARMONY, ThoughtFormat, ThoughtSplit, opened_by, split_thoughts
from mta_eval.models.tokenizer import FastTokenizer


@dataclass(frozen=True)
class GivenText:
    """What a backend generated: its text, and why that ended.

    `thought` is what it told apart itself; with `thought_elsewhere` it did so and kept the thought. `special_tokens`:
    they are spelled out in the text. `output_tokens` counts everything generated; None where the backend does not say.
    """

    text: str
    finish: Finish
    thought: str = ""
    thought_elsewhere: bool = False
    special_tokens: bool = False
    output_tokens: int | None = None


def thought_may_come(sample: Sample, tokenizer: FastTokenizer) -> bool:
    """Whether a model may think before it answers a sample, for all that its settings and its template tell."""
    if sample.settings.thinking_tokens:
        return True
    return sample.chat is not None and may_think(tokenizer.chat_template, sample.settings)


def early_stops(sample: Sample, tokenizer: FastTokenizer) -> list[str]:
    """The stop strings that a backend may look for: none where they could end a thought."""
    return [] if thought_may_come(sample, tokenizer) else sendable_stops(sample.stop)


def marks_are_special(tokenizer: FastTokenizer) -> bool:
    """Whether a text without its special tokens lacks marks of thoughts."""
    return any(_is_bared(known, tokenizer) for known in tokenizer.thought_formats)


def check_marks(sample: Sample, tokenizer: FastTokenizer, backend: str) -> None:
    """Raises ModelError where a thought could not be told from the answer, for a backend leaves out special tokens."""
    bared = [known for known in tokenizer.thought_formats if known is not HARMONY and _is_bared(known, tokenizer)]
    if bared and thought_may_come(sample, tokenizer):
        raise ModelError(
            f"{backend} leaves out the special tokens {bared[0].opening} and {bared[0].closing} that mark this model's "
            "thoughts; switch its thinking off (--thinking off), or use hf:, vllm: or server:"
        )


def answer_of(given: GivenText, sample: Sample, tokenizer: FastTokenizer) -> Answer:
    """The answer in what a backend gave.

    Of the tokens of a text there may be as many as of thought and answer together: the answer ends where its own budget
    does. A thought that did not end has no answer: its text is "" and its finish "length".
    """
    told = given.thought_elsewhere or bool(given.thought)
    split = _split(given.text, sample, tokenizer, told)
    thoughts = "\n".join(filter(None, (given.thought.strip(), split.thought)))
    tokens = given.output_tokens
    if split.unfinished or (given.thought and not given.text):
        return Answer("", thought=thoughts, finish="length", output_tokens=tokens)
    text = without_special_tokens(split.answer, tokenizer) if given.special_tokens else split.answer
    # without a budget of thoughts the backend had the answer's alone, and knows better how many tokens it made
    within = not sample.settings.thinking_tokens if tokens is None else tokens <= sample.max_new_tokens
    kept, full = (text, False) if within else _within_budget(text, sample.max_new_tokens, tokenizer)
    shown = cut_at_stop(kept, sample.stop)
    end: Finish = "stop" if shown != kept else "length" if full else given.finish
    return Answer(shown, thought=thoughts, finish=end, output_tokens=tokens)


def without_special_tokens(text: str, tokenizer: FastTokenizer) -> str:
    """`text` without the special tokens that are spelled out in it."""
    if not text.strip():
        return text
    encoding = tokenizer.encode(text)
    special = {token for token in set(encoding.ids) if tokenizer.decode_all([token]) and not tokenizer.decode([token])}
    kept, end = [], 0
    for token, (start, stop) in zip(encoding.ids, encoding.spans, strict=True):
        if token in special and tokenizer.decode_all([token]) == text[start:stop]:
            kept.append(text[end:start])
            end = stop
    return "".join((*kept, text[end:]))


def _is_bared(known: ThoughtFormat, tokenizer: FastTokenizer) -> bool:
    return any(mark not in tokenizer.decode(tokenizer.encode(mark).ids) for mark in known)


def _split(text: str, sample: Sample, tokenizer: FastTokenizer, told: bool) -> ThoughtSplit:
    formats = tokenizer.thought_formats
    if told or sample.chat is None:
        return split_thoughts(text, formats)
    bare = text.lstrip()
    if HARMONY in formats and bare.startswith(BARE_HARMONY.opening):
        return split_thoughts(bare.removeprefix(BARE_HARMONY.opening), (), BARE_HARMONY)
    return split_thoughts(text, formats, opened_by(sample.prompt, formats))


def _within_budget(text: str, budget: int, tokenizer: FastTokenizer) -> tuple[str, bool]:
    """The first `budget` tokens of `text`, and whether it has that many."""
    if not text.strip() or len(text.encode()) < budget:  # no token stands for less than a byte
        return text, False
    spans = tokenizer.encode(text).spans
    if len(spans) <= budget:
        return text, len(spans) == budget
    # a character that the budget ends in is left out
    return text[: min(spans[budget - 1][1], spans[budget][0])] if budget else "", True

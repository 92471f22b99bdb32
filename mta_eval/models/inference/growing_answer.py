"""An answer while it is decoded: the thought before it, and where both end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mta_eval.core import Answer, Sample
from mta_eval.models.answer_text import without_special_tokens
from mta_eval.models.inference.prompt_lookup import PromptLookup
from mta_eval.models.stop_strings import cut_at_stop
from mta_eval.models.thoughts import closed_first, opened_by, opening_in, split_thoughts
from mta_eval.models.tokenizer import FastTokenizer

NO_TOKEN = -1  # what is chosen where no logit can be
MARK_TOKENS = 24  # as many tokens as a mark may take; an answer that opens with a thought does so within them


class NonFiniteLogitsError(RuntimeError):
    """The model computes what is no number. No MtaEvalError: the runner keeps it as the error of one sample."""


class GrowingAnswer:
    """The tokens decoded for a sample: a thought, if the model begins one, and then the answer.

    The thought has `thinking_tokens` of the sample's settings, its marks included, and the answer `max_new_tokens`.
    An end token ends both, a stop string the answer alone. In a chat the token that ends a turn ends the answer too.
    """

    def __init__(self, sample: Sample, tokenizer: FastTokenizer, end_tokens: set[int]) -> None:
        self._sample, self._tokenizer, self._end_tokens = sample, tokenizer, end_tokens
        self._turn_ends = {tokenizer.turn_end} - {None} if sample.chat is not None else set()
        self._formats = tokenizer.thought_formats
        self._opened = opened_by(sample.prompt, self._formats) if sample.chat is not None else None
        self.prompt_ids = tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)
        self.budget = sample.budget
        self._lookup = PromptLookup(self.prompt_ids, self.budget)
        self.restart()

    def restart(self) -> None:
        """Drop everything that was decoded."""
        self.tokens: list[int] = []
        self._thought = self._opened  # the format of the thought that the next token belongs to
        self._answer_start = 0  # tokens before the answer: those of thoughts
        self._text = ""
        self._ended_by_token = self._ended_by_string = self._interrupted = False
        self._may_open = False  # whether the answer so far is the beginning of a mark that opens a thought

    @property
    def done(self) -> bool:
        """Whether no token follows: an end token or a stop string was decoded, or the budget is used up."""
        if self._ended_by_token or self._ended_by_string or len(self.tokens) == self.budget:
            return True
        tokens = len(self.tokens) - self._answer_start
        if self._thought is None:
            return tokens >= self._sample.max_new_tokens and not self._may_open
        return len(self.tokens) >= self._sample.settings.thinking_tokens

    def result(self) -> Answer:
        """The answer so far. An end token counts as generated, although it is no part of the text.

        A thought that did not end has no answer: its text is "", and whatever ended it, its finish is "length".
        """
        stopped = self._ended_by_token or self._ended_by_string
        split = split_thoughts(self._tokenizer.decode_all(self.tokens), self._formats, self._opened)
        text = "" if self._thought is not None else self._text
        marked = self._tokenizer.decode_all(self.tokens[self._answer_start :])
        amid = self._interrupted or opening_in(marked, self._formats) or closed_first(marked, self._formats)
        if self._thought is None and amid:  # a thought amid the answer
            text = cut_at_stop(without_special_tokens(split.answer, self._tokenizer), self._sample.stop)
        return Answer(
            text,
            thought=split.thought,
            finish="stop" if stopped and not split.unfinished else "length",
            prompt_tokens=len(self.prompt_ids),
            output_tokens=len(self.tokens) + self._ended_by_token,
        )

    def draft(self, limit: int) -> list[int]:
        """Up to `limit` tokens that may come next (see `PromptLookup`), none beyond the budget."""
        if self.done:
            return []
        return self._lookup.continuation(self.tokens, min(limit, self.budget - len(self.tokens) - 1))

    def append(self, token: int) -> None:
        """Add a token, unless the answer is done. Raises NonFiniteLogitsError for `NO_TOKEN`."""
        if self.done:
            return
        if token == NO_TOKEN:
            raise NonFiniteLogitsError("the model's logits are not finite (NaN or infinite), so it says nothing")
        if token in self._end_tokens or (self._thought is None and token in self._turn_ends):
            self._ended_by_token = True
            return
        self.tokens.append(token)
        if self._thought is not None:
            self._look_for_closing()
        else:
            self._look_for_end()

    def accept(self, draft: Sequence[int], chosen: Sequence[int]) -> int:
        """Add what the model chose after the last token and after each draft token up to the first wrong one.

        Returns how many draft tokens were right.
        """
        self.append(chosen[0])
        for right, token in enumerate(draft):
            if token != chosen[right]:
                return right
            self.append(chosen[right + 1])
        return len(draft)

    def _look_for_closing(self) -> None:
        assert self._thought is not None
        tail = self._tokenizer.decode_all(self.tokens[max(self._answer_start, len(self.tokens) - MARK_TOKENS) :])
        if self._thought.closing in tail:
            self._thought, self._answer_start, self._text = None, len(self.tokens), ""

    def _look_for_end(self) -> None:
        tokens = self.tokens[self._answer_start :]
        if len(tokens) <= MARK_TOKENS:
            marked = self._tokenizer.decode_all(tokens)
            self._thought = opening_in(marked, self._formats)
            begun = marked.lstrip()
            self._may_open = bool(begun) and any(form.opening.startswith(begun) for form in self._formats)
            if self._thought is not None:
                self._text, begun = "", marked.partition(self._thought.opening)[0]
                self._interrupted = self._interrupted or bool(begun.strip())
                return
            if closed_first(marked, self._formats):  # and never opened
                self._answer_start, self._text = len(self.tokens), ""
                return
        # more may have come, to see whether a mark begins
        decoded = self._tokenizer.decode(tokens[: self._sample.max_new_tokens])
        self._text = cut_at_stop(decoded, self._sample.stop)
        self._ended_by_string = self._text != decoded


def settled(tokens: Iterable[int], sample: Sample, tokenizer: FastTokenizer, end_tokens: set[int]) -> Answer:
    """The answer that greedily decoded `tokens` are, up to the first end: for engines that decode by themselves."""
    answer = GrowingAnswer(sample, tokenizer, end_tokens)
    for token in tokens:
        answer.append(token)
    return answer.result()

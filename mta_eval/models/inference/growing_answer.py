"""An answer while it is decoded, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from mta_eval.core import Answer, Sample
from mta_eval.models.inference.prompt_lookup import PromptLookup
from mta_eval.models.stop_strings import cut_at_stop
from mta_eval.models.tokenizer import FastTokenizer


class GrowingAnswer:
    """The tokens decoded for a sample: up to max_new_tokens, ended by an end token or one of its stop strings."""

    def __init__(self, sample: Sample, tokenizer: FastTokenizer, end_tokens: set[int]) -> None:
        self._sample, self._tokenizer, self._end_tokens = sample, tokenizer, end_tokens
        self.prompt_ids = tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)
        self.budget = sample.max_new_tokens
        self._lookup = PromptLookup(self.prompt_ids, self.budget)
        self.restart()

    def restart(self) -> None:
        """Drop everything that was decoded."""
        self.tokens: list[int] = []
        self._text = ""
        self._ended_by_token = self._ended_by_string = False

    @property
    def done(self) -> bool:
        """Whether no token follows: an end token or a stop string was decoded, or the budget is used up."""
        return self._ended_by_token or self._ended_by_string or len(self.tokens) == self.budget

    def result(self) -> Answer:
        """The answer so far. An end token counts as generated, although it is no part of the text."""
        stopped = self._ended_by_token or self._ended_by_string
        return Answer(
            self._text,
            finish="stop" if stopped else "length",
            prompt_tokens=len(self.prompt_ids),
            output_tokens=len(self.tokens) + self._ended_by_token,
        )

    def draft(self, limit: int) -> list[int]:
        """Up to `limit` tokens that may come next (see `PromptLookup`), none beyond the budget."""
        if self.done:
            return []
        return self._lookup.continuation(self.tokens, min(limit, self.budget - len(self.tokens) - 1))

    def append(self, token: int) -> None:
        """Add a token, unless the answer is done."""
        if self.done:
            return
        if token in self._end_tokens:
            self._ended_by_token = True
            return
        self.tokens.append(token)
        decoded = self._tokenizer.decode(self.tokens)
        self._text = cut_at_stop(decoded, self._sample.stop)
        self._ended_by_string = self._text != decoded

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

"""An answer as it grows, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from mta_eval.core import Answer, Finish, Sample
from mta_eval.models.inference.prompt_lookup import Guesses
from mta_eval.models.tokenizer import FastTokenizer


class GrowingAnswer:
    """The tokens decoded for a sample: up to max_new_tokens, ended by an end token or one of its stop strings."""

    def __init__(self, sample: Sample, tokenizer: FastTokenizer, end_tokens: set[int]) -> None:
        self._sample, self._tokenizer, self._end_tokens = sample, tokenizer, end_tokens
        self.prompt = tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)
        self.most = sample.max_new_tokens
        self._guesses = Guesses(self.prompt, self.most)
        self.restart()

    def restart(self) -> None:
        """Forget what was decoded."""
        self.tokens: list[int] = []
        self.text, self.done = "", not self.most
        self._finish: Finish = "length"

    def finished(self) -> Answer:
        """The answer as it is now."""
        return Answer(self.text, "", self._finish, len(self.prompt), len(self.tokens))

    def guess(self, most: int) -> list[int]:
        """Up to `most` tokens that may come next, none beyond the answer's length."""
        return [] if self.done else self._guesses.after(self.tokens, min(most, self.most - len(self.tokens) - 1))

    def take(self, token: int) -> None:
        """Go on with a token, if the answer is not done yet."""
        if self.done:
            return
        if token in self._end_tokens:
            self.done, self._finish = True, "stop"
            return
        self.tokens.append(token)
        decoded = self._tokenizer.decode(self.tokens)
        self.text = cut(decoded, self._sample.stop)
        if self.text != decoded:
            self._finish = "stop"
        self.done = self.text != decoded or len(self.tokens) == self.most

    def check(self, guessed: Sequence[int], chosen: Sequence[int]) -> int:
        """Take what was chosen after the last token, and after each guess as long as they are right; how many are."""
        self.take(chosen[0])
        for right, guess in enumerate(guessed):
            if guess != chosen[right]:
                return right
            self.take(chosen[right + 1])
        return len(guessed)


def cut(text: str, stop: tuple[str, ...]) -> str:
    """`text` up to the first stop string after its first word."""
    lead = len(text) - len(text.lstrip())
    ends = [end for mark in stop if (end := text.find(mark, lead)) >= 0]
    return text[: min(ends, default=len(text))]

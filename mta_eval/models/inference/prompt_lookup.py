"""Tokens that an answer may go on with, guessed from the prompt: long-context answers often stand there word for word.

A model reads several guessed tokens in one pass for about the time of one, and says what it would have chosen after
each; those up to its first other choice stand. The answer is that of greedy decoding one token at a time. (Speculative
decoding, Leviathan et al., arXiv 2211.17192; with the prompt as the draft, Saxena's prompt lookup decoding.)
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST, ENOUGH = 4, 32  # tokens that stood together before: fewer say too little, more need not be compared


class Guesses:
    """What followed in the prompt, or in the answer so far, where its end stood before."""

    def __init__(self, prompt: Sequence[int], room: int) -> None:
        import numpy as np

        self._ids = np.zeros(len(prompt) + room, dtype=np.int64)
        self._ids[: len(prompt)] = prompt
        self._prompt = len(prompt)

    def after(self, tokens: Sequence[int], most: int) -> list[int]:
        """Up to `most` tokens after the longest end of prompt + `tokens` that stood before; its last place counts."""
        import numpy as np

        total = self._prompt + len(tokens)
        self._ids[self._prompt : total] = tokens
        ids = self._ids[:total]
        ends, length = np.flatnonzero(ids[:-1] == ids[-1:]), 1
        while ends.size and length < ENOUGH:
            longer = ends[ends >= length]
            longer = longer[ids[longer - length] == ids[total - 1 - length]]
            if not longer.size:
                break
            ends, length = longer, length + 1
        if not ends.size or length < LEAST or most < 1:
            return []
        place = int(ends[-1]) + 1
        found: list[int] = ids[place : place + most].tolist()
        return found

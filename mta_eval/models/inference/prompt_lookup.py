"""Prompt lookup decoding: tokens drafted from the prompt, where long-context answers often are word for word.

A model reads several draft tokens in one pass for about the time of one, and gives what it would have chosen after
each; those before the first difference are accepted. The answer is that of greedy decoding one token at a time.
(Speculative decoding, Leviathan et al., arXiv 2211.17192; with the prompt as the draft, Saxena's prompt lookup.)
"""

from __future__ import annotations

from collections.abc import Sequence

MIN_MATCH, MAX_MATCH = 4, 32  # tokens of the end that must occur earlier, and that are compared at most


class PromptLookup:
    """Finds the end of prompt + answer earlier in the same tokens. `budget`: tokens of the answer, at most."""

    def __init__(self, prompt: Sequence[int], budget: int) -> None:
        import numpy as np

        self._ids = np.zeros(len(prompt) + budget, dtype=np.int64)
        self._ids[: len(prompt)] = prompt
        self._prompt = len(prompt)

    def continuation(self, tokens: Sequence[int], limit: int) -> list[int]:
        """Up to `limit` tokens that follow the last earlier occurrence of the longest end of prompt + `tokens`."""
        import numpy as np

        total = self._prompt + len(tokens)
        self._ids[self._prompt : total] = tokens
        ids = self._ids[:total]
        ends, length = np.flatnonzero(ids[:-1] == ids[-1:]), 1
        while ends.size and length < MAX_MATCH:
            longer = ends[ends >= length]
            longer = longer[ids[longer - length] == ids[total - 1 - length]]
            if not longer.size:
                break
            ends, length = longer, length + 1
        if not ends.size or length < MIN_MATCH or limit < 1:
            return []
        start = int(ends[-1]) + 1
        draft: list[int] = ids[start : start + limit].tolist()
        return draft

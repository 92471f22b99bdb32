"""Haystacks: a source of text with the table of its tokens.

A text is tokenised once, block by block as far as it is needed; after that a window of any length is two look-ups.
Blind to needles: `fitting.py` buries those.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache

from mta_eval.core import Tokenizer
from mta_eval.tasks import prose
from mta_eval.tasks.sources import Source, open_source


class Haystack:
    """A source with the tokens of every unit in one tokenizer.

    `local` turns False when the tokenizer is found to join tokens across units, so that counts of parts do not add up
    to the count of the whole; they are then estimates only.
    """

    def __init__(self, source: Source, tokenizer: Tokenizer) -> None:
        self.source = source
        self.tokenizer = tokenizer
        self.local = True
        self.audits = 0
        self._units: list[str] = []
        self._ends = [0]  # _ends[i]: tokens before unit i
        self._blocks = 0

    def unit(self, index: int) -> str:
        """Unit `index`, white space and all."""
        self._grow(units=index + 1)
        return self._units[index]

    def text(self, first: int, last: int) -> str:
        """Units first..last-1 as they follow each other."""
        self._grow(units=last)
        return "".join(self._units[first:last])

    def tokens(self, first: int, last: int) -> int:
        """How many tokens units first..last-1 have inside running text."""
        self._grow(units=last)
        return self._ends[last] - self._ends[first]

    def reach(self, first: int, tokens: int) -> int:
        """The furthest unit such that tokens(first, it) <= tokens."""
        self._grow(units=first + 1)
        self._grow(tokens=self._ends[first] + tokens + 1)
        return bisect_right(self._ends, self._ends[first] + max(tokens, 0)) - 1

    def nearest(self, first: int, last: int, tokens: float) -> int:
        """The unit border between first and last that is nearest to `tokens` after first."""
        self._grow(units=last)
        wanted = self._ends[first] + tokens
        after = min(bisect_left(self._ends, wanted, first, last + 1), last)
        before = max(after - 1, first)
        return before if wanted - self._ends[before] <= self._ends[after] - wanted else after

    def _grow(self, units: int = 0, tokens: int = 0) -> None:
        while len(self._units) < units or self._ends[-1] < tokens:
            missing = max(units - len(self._units), (tokens - self._ends[-1]) // 16)
            self._take(1 + missing // prose.BLOCK)

    def _take(self, count: int) -> None:
        """Tokenise the next `count` blocks, each between the units it stands between in the text."""
        blocks = [self.source.block(self._blocks + index) for index in range(count + 1)]
        leads = [self._units[-1] if self._units else ".\n\n"] + [block[-1] for block in blocks]
        texts = [
            lead + "".join(block) + after[0] for lead, block, after in zip(leads, blocks, blocks[1:], strict=False)
        ]
        for lead, block, encoding in zip(leads, blocks, self.tokenizer.encode_batch(texts), strict=False):
            self._tabulate(block, len(lead), encoding.spans)
        self._blocks += count

    def _tabulate(self, block: list[str], border: int, spans: list[tuple[int, int]]) -> None:
        """Add a block whose first unit begins at character `border` of the text that `spans` belong to."""
        token = first = bisect_right(spans, border, key=_end)
        base = self._ends[-1]
        for unit in block:
            self._local_at(border, spans, token)
            border += len(unit)
            token = bisect_right(spans, border, token, key=_end)
            self._units.append(unit)
            self._ends.append(base + token - first)

    def _local_at(self, border: int, spans: list[tuple[int, int]], token: int) -> None:
        # a leading-space token may reach back over the white space before a unit, never over its words
        if self._units and token < len(spans):
            overlap = max(border - spans[token][0], 0)
            if overlap and self._units[-1][-overlap:].strip():
                self.local = False


def _end(span: tuple[int, int]) -> int:
    return span[1]


@lru_cache(maxsize=16)
def open_haystack(spec: str, seed: int, tokenizer: Tokenizer) -> Haystack:
    """The haystack a spec names (see KINDS), tokenised for `tokenizer`; opened once. Raises SpecError, TextError."""
    return Haystack(open_source(spec, seed), tokenizer)

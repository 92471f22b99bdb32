"""Haystacks: a source of text with the table of its tokens.

A text is tokenised once, block by block as far as it is needed; after that a window of any length is two look-ups.
Blind to needles: `fitting.py` buries those.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from mta_eval.core import Tokenizer
from mta_eval.printable import say
from mta_eval.tasks.prompts import prose
from mta_eval.tasks.prompts.sources import TextSource, Written, open_source
from mta_eval.tasks.prompts.token_cache import recall

Spans = list[tuple[int, int]]
SHOWN = 3  # control tokens in a message
STRETCH = 64  # blocks: how far one entry of the token cache reaches, and where it begins
TOKENS_KEPT = 200_000  # of short texts: some 20 MB


class Haystack:
    """A source with the tokens of every unit in one tokenizer.

    `local` turns False when the tokenizer is found to join tokens across units, so that counts of parts do not add up
    to the count of the whole; they are then estimates only.
    """

    def __init__(self, source: TextSource, tokenizer: Tokenizer) -> None:
        self.source = source
        self.tokenizer = tokenizer
        self.splice_safe = True
        self.audits = 0
        self._units: list[str] = []
        self._ends = [0]  # _ends[i]: tokens before unit i
        self._blocks = 0
        self._next: list[str] = []  # the next block, once it was looked at
        self._short: dict[str, Spans] = {}
        self._short_tokens = 0  # tokens in it

    def spans(self, text: str) -> Spans:
        """The tokens of a short text (a needle, a seam); remembered, for neighbouring prompts share most of them."""
        if text not in self._short:
            self._short[text] = self.tokenizer.encode(text).spans
            self._short_tokens += len(self._short[text])
        return self._short[text]

    def forget(self) -> None:
        """Give the memory of short texts free once there are many; called between prompts."""
        if self._short_tokens > TOKENS_KEPT:
            self._short.clear()
            self._short_tokens = 0

    def unit(self, index: int) -> str:
        """Unit `index`, white space and all."""
        if index >= len(self._units):
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

    def end_within(self, first: int, tokens: int) -> int:
        """The last unit border `end` with tokens(first, end) <= tokens."""
        self._grow(units=first + 1)
        self._grow(tokens=self._ends[first] + tokens + 1)
        return bisect_right(self._ends, self._ends[first] + max(tokens, 0)) - 1

    def nearest(self, first: int, last: int, tokens: float) -> int:
        """The unit border between first and last that is nearest to `tokens` after first."""
        self._grow(units=last)
        target = self._ends[first] + tokens
        after = min(bisect_left(self._ends, target, first, last + 1), last)
        before = max(after - 1, first)
        return before if target - self._ends[before] <= self._ends[after] - target else after

    def _grow(self, units: int = 0, tokens: int = 0) -> None:
        while len(self._units) < units or self._ends[-1] < tokens:
            missing = max(units - len(self._units), (tokens - self._ends[-1]) // 16)
            self._take(min(1 + missing // prose.BLOCK, STRETCH - self._blocks % STRETCH))

    def _take(self, count: int) -> None:
        """Tokenise the next `count` blocks, or recall how many tokens their units have."""
        ahead = range(self._blocks + bool(self._next), self._blocks + count + 1)
        *blocks, self._next = [*([self._next] if self._next else []), *map(self.source.block, ahead)]
        before, after = self._units[-1] if self._units else "", self._next[0]
        units = [unit for block in blocks for unit in block]
        splice_safe, *counts = recall(
            "units",
            [before, *units, after],
            [len(block) for block in blocks],
            self.tokenizer,
            lambda: _count(before, blocks, after, self.tokenizer),
        )
        self.splice_safe = self.splice_safe and bool(splice_safe)
        self._units += units
        self._ends += list(accumulate(counts, initial=self._ends[-1]))[1:]
        self._blocks += count


def _count(before: str, blocks: list[list[str]], after: str, tokenizer: Tokenizer) -> list[int]:
    """Whether tokens keep to their units (1 or 0), then how many each unit of the blocks has.

    Each block is encoded between the units that it stands between in the text.
    """
    leads = [before or ".\n\n", *(block[-1] for block in blocks)]
    follows = [*(block[0] for block in blocks[1:]), after]
    texts = [lead + "".join(block) + follow for lead, block, follow in zip(leads, blocks, follows, strict=False)]
    splice_safe, counts = 1, []
    for lead, block, encoding in zip(leads, blocks, tokenizer.encode_batch(texts), strict=False):
        border, spans = len(lead), encoding.spans
        token = bisect_right(spans, border, key=_end)
        for unit in block:
            # a leading-space token may reach back over the white space before a unit, never over its words
            overlap = max(border - spans[token][0], 0) if token < len(spans) else 0
            if overlap and before[-overlap:].strip():
                splice_safe = 0
            border += len(unit)
            end = bisect_right(spans, border, token, key=_end)
            counts.append(end - token)
            before, token = unit, end
    return [splice_safe, *counts]


def _end(span: tuple[int, int]) -> int:
    return span[1]


@lru_cache(maxsize=16)
def open_haystack(spec: str, seed: int, tokenizer: Tokenizer) -> Haystack:
    """The haystack a spec names (see KINDS), tokenised for `tokenizer`; opened once. Raises SpecError, TextError.

    Control tokens of the model that stand in a text of somebody's are made plain text, and that is said on stderr.
    """
    source = open_source(spec, seed)
    if isinstance(source, Written) and (marks := [mark for mark in tokenizer.control_tokens if source.holds(mark)]):
        shown = ", ".join(map(repr, marks[:SHOWN])) + (", …" if len(marks) > SHOWN else "")
        say(
            f"the haystack {spec} holds {shown}, which this model would read as control tokens; they are given to it "
            f"as text, such as {spelled_out(marks[0])!r}"
        )
        source = WithoutControls(source, marks)
    return Haystack(source, tokenizer)


class WithoutControls:
    """A source in which control tokens of a model are plain text: a space parts their first character from the rest."""

    def __init__(self, source: TextSource, marks: Sequence[str]) -> None:
        self._source = source
        self._pattern = re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))))

    def block(self, index: int) -> list[str]:
        """See Source."""
        return [self._pattern.sub(lambda mark: spelled_out(mark[0]), unit) for unit in self._source.block(index)]

    def start(self, seed: int, length: int, repeat: int) -> int:
        """See Source."""
        return self._source.start(seed, length, repeat)

    def holds(self, text: str) -> bool:
        """See Source."""
        return self._source.holds(text)


def spelled_out(mark: str) -> str:
    """A control token as a text that is none: "<|im_end|>" -> "< |im_end|>"."""
    return f"{mark[0]} {mark[1:]}"

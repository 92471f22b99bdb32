"""Counting a prompt's tokens without encoding all of it.

* spliced: the inside of each run of haystack comes from the haystack's table; only the seams (an insert, a frame, and
  the sentences beside them) are encoded. Milliseconds for a million tokens.
* whole: the finished prompt is encoded. The oracle, and the way for tokenizers that join tokens across sentences.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from mta_eval.tasks.prompts.haystack import Haystack, Spans
from mta_eval.tasks.prompts.token_cache import recall


class Piece(NamedTuple):
    """Literal text; `insert_start` is the character at which an insert begins in it, -1 for none."""

    text: str
    insert_start: int = -1


class FillerRun(NamedTuple):
    """Haystack units first..last-1."""

    first: int
    last: int


Pieces = list[Piece | FillerRun]
Measured = tuple[int, list[tuple[int, int]]]
SHORTEST_RUN = 4  # shorter ones are encoded with their seam


class NotLocalError(Exception):
    """A token crosses a seam: this tokenizer must be counted whole."""


class Counter:
    """Counts prompts over one haystack; what was found out about a seam is remembered."""

    def __init__(self, haystack: Haystack, specials: tuple[int, int]) -> None:
        self.haystack = haystack
        self.specials = specials  # tokens added before and after the prompt
        self.bias: int | None = 0  # what a spliced count lacks where the tokenizer is not local; None: count whole
        self._seams: dict[tuple[str, str, str], tuple[Spans, int, int]] = {}
        haystack.forget()

    def size(self, text: str) -> int:
        """Tokens of `text` alone."""
        return len(self.haystack.spans(text))

    def measure(self, pieces: Pieces) -> Measured:
        """(tokens of the whole prompt, the tokens of each insert)."""
        if self.bias is None:
            return self.whole(pieces)
        count, spans = self.spliced(pieces)
        return count + self.bias, spans

    def whole(self, pieces: Pieces) -> Measured:
        """Count by encoding the whole prompt."""
        insert_spans, texts, length = [], [], 0
        for piece in pieces:
            if isinstance(piece, Piece) and piece.insert_start >= 0:
                insert_spans.append((length + piece.insert_start, length + len(piece.text)))
            text = piece.text if isinstance(piece, Piece) else self.haystack.text(*piece)
            texts.append(text)
            length += len(text)
        text, tokenizer = "".join(texts), self.haystack.tokenizer
        count, *ends = recall(
            "whole", [text], insert_spans, tokenizer, lambda: _count(tokenizer.encode(text).spans, insert_spans)
        )
        shift = self.specials[0]
        insert_tokens = [(shift + start, shift + end) for start, end in zip(ends[::2], ends[1::2], strict=True)]
        return count + sum(self.specials), insert_tokens

    def spliced(self, pieces: Pieces) -> Measured:
        """Count by the haystack's table and the seams between its runs."""
        total, insert_tokens = self.specials[0], []
        lead, seam, insert_spans = "", "", []
        for piece in [*pieces, None]:
            if isinstance(piece, Piece):
                if piece.insert_start >= 0:
                    insert_spans.append((len(lead + seam) + piece.insert_start, len(lead + seam) + len(piece.text)))
                seam += piece.text
            elif piece is not None and piece.last - piece.first < SHORTEST_RUN:
                seam += self.haystack.text(*piece)
            else:
                follow = ""
                if piece is not None:
                    seam, follow = seam + self.haystack.unit(piece.first), self.haystack.unit(piece.first + 1)
                spans, first, last = self._seam(lead, seam, follow)
                insert_tokens += [token_span(spans, insert_span, total - first) for insert_span in insert_spans]
                total += last - first
                if piece is not None:
                    total += self.haystack.tokens(piece.first + 1, piece.last - 1)
                    lead, seam, insert_spans = (
                        self.haystack.unit(piece.last - 2),
                        self.haystack.unit(piece.last - 1),
                        [],
                    )
        return total + self.specials[1], insert_tokens

    def _seam(self, lead: str, seam: str, follow: str) -> tuple[Spans, int, int]:
        """(tokens of the three texts, the first of them that belongs to `seam`, the first that belongs to `follow`)."""
        key = lead, seam, follow
        if key not in self._seams:
            spans = self.haystack.spans(lead + seam + follow)
            self._seams[key] = spans, self._border(spans, lead), self._border(spans, lead + seam)
        return self._seams[key]

    def _border(self, spans: Spans, before: str) -> int:
        """The first token that ends after the text `before`. Raises NotLocalError if it reaches into its words."""
        first = bisect_right(spans, len(before), key=lambda span: span[1])
        if self.haystack.splice_safe and first < len(spans) and before[spans[first][0] :].strip():
            raise NotLocalError
        return first


def _count(spans: Spans, insert_spans: Sequence[tuple[int, int]]) -> list[int]:
    """How many tokens there are, then the first and the last (exclusive) of each insert."""
    return [len(spans), *(end for insert_span in insert_spans for end in token_span(spans, insert_span, 0))]


def token_span(spans: Spans, characters: tuple[int, int], shift: int = 0) -> tuple[int, int]:
    """The tokens (first, last exclusive) that touch the characters, counted from `shift`."""
    start = bisect_right(spans, characters[0], key=lambda span: span[1])
    end = bisect_left(spans, characters[1], key=lambda span: span[0])
    return shift + start, shift + end

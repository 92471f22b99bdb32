"""Fitting: needles buried at their depths, and a prompt that fills its length to the token.

A prompt is a frame (instruction, question, chat template) around a context of whole haystack sentences with inserts
between them. Whole sentences rarely add up, so the last one is shortened until the prompt fills the budget.

Two ways to count, the second the oracle of the first:
* spliced: the inside of each run of haystack comes from the haystack's table; only the seams (an insert, a frame, and
  the sentences beside them) are encoded. Milliseconds for a million tokens.
* whole: the finished prompt is encoded. The spliced count is audited against it for the first prompts of every
  haystack and ever more rarely after; a tokenizer that is caught joining tokens across sentences is counted whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mta_eval.core import Message, Tokenizer
from mta_eval.errors import LengthError, ModelError
from mta_eval.tasks.haystack import Haystack

SLACK = 4  # tokens that a prompt may stay under its length


@dataclass(frozen=True)
class Frame:
    """What surrounds the context, as the model reads it, and the messages behind it where there is a chat."""

    before: str
    after: str
    question: tuple[str, str] | None = None  # the user's words around the context, where a chat template wraps them

    def messages(self, context: str) -> tuple[Message, ...] | None:
        """The chat around `context`, or None for a plain prompt."""
        if self.question is None:
            return None
        return ({"role": "user", "content": self.question[0] + context + self.question[1]},)


class Insert(NamedTuple):
    """A text to bury; `place` is where, from 0 to 1 of the context."""

    text: str
    place: float


@dataclass(frozen=True)
class Fitted:
    """A finished prompt. `spans` and `depths` belong to the inserts in the order they stand, `order` tells which."""

    prompt: str
    prompt_tokens: int
    order: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    depths: tuple[float, ...]
    chat: tuple[Message, ...] | None


class _Piece(NamedTuple):
    """Literal text; `mark` is the character at which an insert begins in it, -1 for none."""

    text: str
    mark: int = -1


class _Run(NamedTuple):
    """Haystack units first..last-1."""

    first: int
    last: int


_Measured = tuple[int, list[tuple[int, int]]]
_SHORTEST_RUN = 4  # shorter ones are encoded with their seam


class _NotLocalError(Exception):
    """A token crosses a seam: this tokenizer must be counted whole."""


def frame(tokenizer: Tokenizer, before: str, after: str, chat: bool) -> Frame:
    """The texts around the context; with `chat`, one user message in the model's own template.

    Raises ModelError if there is no template, or it does not keep the message as it is.
    """
    if not chat:
        return Frame(before, after)
    hole = "<the context goes here>"
    parts = tokenizer.render([{"role": "user", "content": before + hole + after}]).split(hole)
    if len(parts) != 2:
        raise ModelError("the chat template does not hold the user's message exactly once; use prompt=instruction")
    return Frame(parts[0], parts[1], (before, after))


def answer_budget(tokenizer: Tokenizer, answer: str, slack: int) -> int:
    """max_new_tokens: the tokens of the answer and some to spare."""
    return len(tokenizer.encode(" " + answer).ids) + slack


def bury(
    haystack: Haystack,
    start: int,
    around: Frame,
    inserts: Sequence[Insert],
    length: int,
    max_new_tokens: int,
    *,
    label: str,
    pinned: int | None = None,
    depth: float | None = None,
    keep_order: bool = False,
) -> Fitted:
    """Put `inserts` (sorted by place) between the sentences of `haystack` from unit `start` on.

    The insert number `pinned` begins at `depth` of the context, within half a sentence; the others stand near their
    `place` on its two sides. Unless `keep_order`, crowded neighbours give way to the pinned one.
    The prompt fills `length` but for the answer's `max_new_tokens`; length 0 means no haystack at all.
    Raises LengthError, naming the smallest length of `label`, if the inserts alone do not fit.
    """
    fitter = _Fitter(haystack, start, around, inserts)
    if not length:
        return fitter.finish(fitter.pieces(start, None))
    least = max_new_tokens + fitter.measure(fitter.pieces(start, None))[0]
    if least > length:
        raise LengthError(f"{label} does not fit length {length}: in this tokenizer it needs at least {least}")
    fitter.aim(length - max_new_tokens, pinned, depth, keep_order)
    try:
        return fitter.fit(length - max_new_tokens)
    except _NotLocalError:
        haystack.local = False
        return fitter.fit(length - max_new_tokens)


class _Fitter:
    """One prompt in the making."""

    def __init__(self, haystack: Haystack, start: int, around: Frame, inserts: Sequence[Insert]) -> None:
        self.haystack, self.start, self.around = haystack, start, around
        self.inserts = list(inserts)
        self.order = list(range(len(inserts)))
        self.tokenizer = haystack.tokenizer
        self.specials = self.tokenizer.specials
        self._counts: dict[str, list[tuple[int, int]]] = {}
        self._bias: int | None = 0  # what a spliced count lacks where the tokenizer is not local; None: count whole
        point = self._size("A.")
        self.sizes = [self._size("A. " + insert.text) - point for insert in inserts]
        self.room = 0  # tokens of the context, inserts included
        self.wanted: list[float] = [0.0] * len(inserts)  # haystack tokens before each insert

    # --- where the inserts go -----------------------------------------------------------------------------------

    def aim(self, budget: int, pinned: int | None, depth: float | None, keep_order: bool) -> None:
        """Decide how many haystack tokens should stand before each insert."""
        bare = self._size(self.around.before) + self._size(self.around.after) + sum(self.specials)
        self.room = max(budget - bare, sum(self.sizes))
        hay = self.room - sum(self.sizes)
        if pinned is None or depth is None:
            self.wanted = [insert.place * hay for insert in self.inserts]
            return
        goal = depth * (self.room - self.sizes[pinned])
        if not keep_order:
            pinned = self._give_way(pinned, goal)
        here = min(max(goal - sum(self.sizes[:pinned]), 0.0), float(hay))
        for index, insert in enumerate(self.inserts):
            if index < pinned:
                self.wanted[index] = here * min(insert.place / depth if depth else 0.0, 1.0)
            elif index == pinned:
                self.wanted[index] = here
            else:
                beyond = (insert.place - depth) / (1 - depth) if depth < 1 else 1.0
                self.wanted[index] = here + (hay - here) * min(max(beyond, 0.0), 1.0)

    def _give_way(self, pinned: int, goal: float) -> int:
        """Swap the pinned insert with neighbours that crowd it off its depth."""
        while pinned and sum(self.sizes[:pinned]) - goal > self.sizes[pinned - 1] / 2:
            pinned = self._swap(pinned, pinned - 1)
        behind = self.room - self.sizes[pinned] - goal
        while pinned < len(self.sizes) - 1 and sum(self.sizes[pinned + 1 :]) - behind > self.sizes[pinned + 1] / 2:
            pinned = self._swap(pinned, pinned + 1)
        return pinned

    def _swap(self, one: int, other: int) -> int:
        for row in (self.inserts, self.order, self.sizes):
            _exchange(row, one, other)
        return other

    # --- how much haystack there is -----------------------------------------------------------------------------

    def fit(self, budget: int) -> Fitted:
        """The longest context that fits: whole sentences first, then a shortened one."""
        if self.haystack.local:
            return self.finish(self._choose(budget))
        self._bias = bias = 0
        for _ in range(4):  # a spliced count is off by much the same everywhere: learn by how much
            pieces = self._choose(budget)
            count = self._whole(pieces)[0]
            if budget - SLACK <= count <= budget:
                return self.finish(pieces)
            self._bias = bias = bias + count - self.measure(pieces)[0]
        self._bias = None
        return self.finish(self._choose(budget))

    def _choose(self, budget: int) -> list[_Piece | _Run]:
        end = self.haystack.reach(self.start, self.room - sum(self.sizes))
        while end > self.start and self.measure(self.pieces(end, None))[0] > budget:
            end -= 1
        while self.measure(self.pieces(end + 1, None))[0] <= budget:
            end += 1
        if budget - self.measure(self.pieces(end, None))[0] <= SLACK:
            return self.pieces(end, None)
        return self.pieces(end, self._shorten(end, budget))

    def _shorten(self, end: int, budget: int) -> str:
        """The longest beginning of unit `end` that fits, closed with a full stop; at a word's end if that is enough."""
        unit = self.haystack.unit(end)
        lead = " " * unit.startswith(" ")
        text = unit.strip()

        def cut(characters: int) -> str:
            return lead + re.sub(r"[\s,;:.!?–—-]+$", "", text[:characters]) + "."

        def spare(characters: int) -> int:
            return budget - self.measure(self.pieces(end, cut(characters)))[0]

        words = [match.end() for match in re.finditer(r"\w+", text)]
        best = _last_that_fits(words, spare)
        if best and spare(best) <= SLACK:
            return cut(best)
        stop = next((word for word in words if word > best), len(text))
        fitting = {spare(characters): characters for characters in range(max(best, 1), stop + 1)}
        left = min((left for left in fitting if left >= 0), default=None)
        if left is None:
            raise LengthError(f"no beginning of {text[:40]!r} fits {budget} tokens")
        return cut(fitting[left])

    def pieces(self, end: int, fragment: str | None) -> list[_Piece | _Run]:
        """The whole prompt for a haystack that ends before unit `end`, and then with `fragment`."""
        hay = self.haystack
        last = end
        pieces: list[_Piece | _Run] = [_Piece(self.around.before)]
        tail = "\n"  # the character before the next piece; the context begins like a line
        unit = self.start

        def run_to(border: int) -> None:
            nonlocal unit, tail
            if unit == border:
                return
            opening = hay.unit(unit)
            if tail == "\n":
                opening = opening.lstrip(" ")
            elif not opening.startswith(" "):
                opening = " " + opening
            pieces.append(_Piece(opening))
            if unit + 1 < border:
                pieces.append(_Run(unit + 1, border))
            unit, tail = border, hay.unit(border - 1)[-1]

        for insert, wanted in zip(self.inserts, self.wanted, strict=True):
            border = max(hay.nearest(self.start, last, wanted), unit) if last > self.start else unit
            beyond = fragment is not None and wanted > hay.tokens(self.start, last) + 1
            run_to(last if beyond else border)
            if beyond and fragment is not None:
                pieces.append(_Piece(fragment if tail != "\n" else fragment.lstrip(" ")))
                fragment, tail = None, "."
            glue = "" if tail == "\n" else " "
            pieces.append(_Piece(glue + insert.text, len(glue)))
            tail = insert.text[-1]
        run_to(last)
        if fragment is not None:
            lead = "" if tail == "\n" else " "
            pieces.append(_Piece(lead + fragment.lstrip(" ")))
        _trim(pieces, hay)
        pieces.append(_Piece(self.around.after))
        return pieces

    # --- counting -----------------------------------------------------------------------------------------------

    def measure(self, pieces: list[_Piece | _Run]) -> _Measured:
        """(tokens of the whole prompt, the tokens of each insert)."""
        if self._bias is None:
            return self._whole(pieces)
        count, spans = self._spliced(pieces)
        return count + self._bias, spans

    def _whole(self, pieces: list[_Piece | _Run]) -> _Measured:
        """Count by encoding the whole prompt."""
        text, marks = "", []
        texts = []
        length = 0
        for piece in pieces:
            if isinstance(piece, _Piece) and piece.mark >= 0:
                marks.append((length + piece.mark, length + len(piece.text)))
            text = piece.text if isinstance(piece, _Piece) else self.haystack.text(*piece)
            texts.append(text)
            length += len(text)
        spans = self.tokenizer.encode("".join(texts)).spans
        return len(spans) + sum(self.specials), [_locate(spans, mark, self.specials[0]) for mark in marks]

    def _spliced(self, pieces: list[_Piece | _Run]) -> _Measured:
        """Count by the haystack's table and the seams between its runs."""
        total, found = self.specials[0], []
        lead, seam, marks = "", "", []
        for piece in [*pieces, None]:
            if isinstance(piece, _Piece):
                if piece.mark >= 0:
                    marks.append((len(lead + seam) + piece.mark, len(lead + seam) + len(piece.text)))
                seam += piece.text
            elif piece is not None and piece.last - piece.first < _SHORTEST_RUN:
                seam += self.haystack.text(*piece)
            else:
                follow = ""
                if piece is not None:
                    seam, follow = seam + self.haystack.unit(piece.first), self.haystack.unit(piece.first + 1)
                spans = self._encode(lead + seam + follow)
                first, last = self._border(spans, lead), self._border(spans, lead + seam)
                found += [_locate(spans, mark, total - first) for mark in marks]
                total += last - first
                if piece is not None:
                    total += self.haystack.tokens(piece.first + 1, piece.last - 1)
                    lead, seam, marks = self.haystack.unit(piece.last - 2), self.haystack.unit(piece.last - 1), []
        return total + self.specials[1], found

    def _border(self, spans: list[tuple[int, int]], before: str) -> int:
        """The first token that ends after the text `before`. Raises _NotLocalError if it reaches into its words."""
        first = bisect_right(spans, len(before), key=lambda span: span[1])
        if self.haystack.local and first < len(spans) and before[spans[first][0] :].strip():
            raise _NotLocalError
        return first

    def _encode(self, text: str) -> list[tuple[int, int]]:
        if text not in self._counts:
            self._counts[text] = self.tokenizer.encode(text).spans
        return self._counts[text]

    def _size(self, text: str) -> int:
        return len(self._encode(text))

    def finish(self, pieces: list[_Piece | _Run]) -> Fitted:
        """The prompt of `pieces`, audited now and then. Raises _NotLocalError when the audit fails."""
        hay = self.haystack
        count, spans = self._spliced(pieces) if hay.local else self._whole(pieces)
        if hay.local:
            hay.audits += 1
            if (hay.audits <= 3 or hay.audits & (hay.audits - 1) == 0) and self._whole(pieces) != (count, spans):
                raise _NotLocalError
        texts = [piece.text if isinstance(piece, _Piece) else hay.text(*piece) for piece in pieces]
        first = self.specials[0] + self._size(self.around.before)
        last = count - self.specials[1] - self._size(self.around.after)
        depths = [min(max((start - first) / max(last - first - (end - start), 1), 0.0), 1.0) for start, end in spans]
        return Fitted(
            prompt="".join(texts),
            prompt_tokens=count,
            order=tuple(self.order),
            spans=tuple(spans),
            depths=tuple(depths),
            chat=self.around.messages("".join(texts[1:-1])),
        )


def _exchange(row: list[Any], one: int, other: int) -> None:
    row[one], row[other] = row[other], row[one]


def _trim(pieces: list[_Piece | _Run], haystack: Haystack) -> None:
    """Drop the white space at the context's end; the frame brings its own."""
    last = pieces[-1]
    if isinstance(last, _Run):
        if last.last - last.first > 1:
            pieces[-1] = _Run(last.first, last.last - 1)
            pieces.append(_Piece(haystack.unit(last.last - 1).rstrip()))
        else:
            pieces[-1] = _Piece(haystack.unit(last.first).rstrip())
    elif len(pieces) > 1:
        pieces[-1] = _Piece(last.text.rstrip(), last.mark)


def _locate(spans: list[tuple[int, int]], mark: tuple[int, int], shift: int) -> tuple[int, int]:
    """The tokens (start, end) that touch the characters of `mark`, counted from `shift`."""
    start = bisect_right(spans, mark[0], key=lambda span: span[1])
    end = bisect_left(spans, mark[1], key=lambda span: span[0])
    return shift + start, shift + end


def _last_that_fits(cuts: list[int], spare: Callable[[int], int]) -> int:
    """The last of ascending `cuts` that leaves spare >= 0; 0 if none does."""
    return cuts[index - 1] if (index := bisect_left(cuts, True, key=lambda cut: spare(cut) < 0)) else 0

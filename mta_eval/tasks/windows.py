"""A long text -> windows that a model reads one by one, exact in its tokens, together predicting every character once.

A window is encoded alone by the model, and may then be cut into other tokens than within its text. So its end is
chosen from an encoding that begins where it begins, and the finished window is encoded once more: what counts is that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, product

from mta_eval.core import Tokenizer
from mta_eval.errors import LengthError

LOOKED_BACK = 16  # tokens that a window may be shorter than it could, to end where a word does
TRIES = 32  # starts before and after the wanted one, to find one after which the border is whole
MARGIN = 8  # tokens at the end of an encoding that may change with what follows
CHARACTERS = 6.0  # of a token, before any was seen; more than most have
Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class TextWindow:
    """Characters `start` to `end` of a text, `tokens` with BOS. The last `predicted` of them are new; they stand for
    the characters from `border` on."""

    start: int
    border: int
    end: int
    tokens: int
    predicted: int


def cut_windows(text: str, tokenizer: Tokenizer, length: int, stride: int) -> Iterator[TextWindow]:
    """Windows of `length` tokens at most, BOS included, in the order of the text; the last one has what is left.

    With `stride` 0 they do not overlap, but without a BOS each begins with the last token of the one before. With
    `stride` from 1 to length - 1, each but the first predicts `stride` tokens (or what cannot be parted and takes more)
    after as many as fit of those before them. Without a BOS nothing precedes the first token of the text: it is not
    predicted. Where a tokenizer joins tokens across every start that was tried, a window begins at its border; without
    a BOS that costs its first token.
    Raises LengthError if `length` is too small for a character of several tokens.
    """
    bos = tokenizer.specials[0]
    room = length - bos
    overlap = room - stride if stride else int(not bos)
    spans, border, characters_per_token = Spans(), 0, CHARACTERS
    while border < len(text):
        news = (stride, stride + MARGIN) if stride and spans else (room,)
        for new, start in product(news, _starts(spans, border, overlap)):
            filled = _fill(text, (start, border), tokenizer, (room, new), characters_per_token)
            if filled is not None:
                break
        else:
            raise LengthError(
                f"windows of {length} tokens are too small for this text: {text[border : border + 10]!r} does not fit"
            )
        spans, first, end = filled
        characters_per_token = (end - start) / len(spans)
        if first + bos == 0:  # nothing precedes the first token
            border, first = spans[0][1], 1
        if len(spans) > first:
            yield TextWindow(start, border, end, len(spans) + bos, len(spans) - first)
        border = end


def _starts(spans: Spans, border: int, overlap: int) -> Iterator[int]:
    """Where the next window may begin: `overlap` tokens before the border, near there, or at last at the border."""
    preferred = max(len(spans) - overlap, 0)
    if spans and overlap:
        later = range(preferred, min(preferred + TRIES, len(spans)))
        yield from (spans[place][0] for place in later)
        yield from (spans[place][0] for place in range(preferred - 1, max(preferred - TRIES, 0), -1))
    yield border


def _fill(
    text: str, at: tuple[int, int], tokenizer: Tokenizer, limits: tuple[int, int], characters_per_token: float
) -> tuple[Spans, int, int] | None:
    """(spans in the text, first new token, end) of the largest window, or None if a token reaches across its border.

    `at` is (start, border), `limits` how many tokens may be in it, and how many of these new.
    """
    start, border = at
    spans, end = _encode_ahead(text, start, tokenizer, limits[0], characters_per_token)
    first = _first_new(spans, border)
    if first is None:
        return None
    limit = min(limits[0], first + limits[1])
    if end == len(text) and len(spans) <= limit:
        return spans, first, end
    while True:
        count = _last_border(text, spans, first, min(limit, len(spans) - 1))
        if count is None:
            return None
        end = max(last for _, last in spans[:count])
        encoded = _shifted(tokenizer.encode(text[start:end]).spans, start)
        new = _first_new(encoded, border)
        if new is None or len(encoded) == new:
            return None
        excess = max(len(encoded) - limits[0], len(encoded) - new - limits[1])
        if excess <= 0:
            return encoded, new, end
        limit = count - excess


def _encode_ahead(
    text: str, start: int, tokenizer: Tokenizer, limit: int, characters_per_token: float
) -> tuple[Spans, int]:
    """The text from `start` on, as far as surely more than `limit` tokens reach, and where that ends."""
    characters = int((limit + MARGIN) * characters_per_token * 1.1) + 1
    while True:
        end = min(start + characters, len(text))
        spans = _shifted(tokenizer.encode(text[start:end]).spans, start)
        if end == len(text) or len(spans) >= limit + MARGIN:
            return spans, end
        characters += max(characters // 4, 1)


def _first_new(spans: Spans, border: int) -> int | None:
    """The first token behind the border, if no token reaches across it."""
    furthest = 0
    for place, (first, last) in enumerate(spans):
        if first >= border:
            return place if furthest <= border else None
        furthest = max(furthest, last)
    return None


def _last_border(text: str, spans: Spans, first: int, limit: int) -> int | None:
    """How many tokens to take, more than `first` and at most `limit`: up to the end of a word if one is near.

    Never a part of a character that several tokens spell. None if there is no such place.
    """
    furthest = list(accumulate((last for _, last in spans[: limit + 1]), max))
    clean = [count for count in range(limit, first, -1) if furthest[count - 1] <= spans[count][0]]
    # where white space follows a word, most tokenizers cut alike whether the text goes on or not
    ends = ((count, furthest[count - 1]) for count in clean[:LOOKED_BACK])
    words = (count for count, end in ends if text[end].isspace() and not text[end - 1].isspace())
    return next(words, next(iter(clean), None))


def _shifted(spans: Spans, start: int) -> Spans:
    return [(first + start, last + start) for first, last in spans]

"""Numbers as people and models write them -> their digits. No tokens, no files, no models.

    "3,486,456"  "3.486.456"  "3 486 456"  "3'486'456"  "3_486_456"  "3{,}486{,}456"  "٣٤٨٦٤٥٦"  -> "3486456"
    "3486456, 2024"  -> "3486456", "2024"          "20011th"  "-20011"  "20011.5"  "1-20011"  -> no whole number

Digits are grouped in threes, by one separator throughout. A comma before a space ends a number. Leading zeros are
digits like others, since a key is no quantity: "007" is not "7".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

GROUP = 3  # digits
SPACES = " \u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
TIGHT = ",.'_·"  # separators after which no space stands
DECIMAL = "٫"  # the Arabic decimal separator, which groups nothing
LOOK = 8  # characters on each side of a number that decide whether it stands alone
# what makes the number behind or before it a part of something: key_20011 (_20011_ is emphasis), 1–20011, .5, a sign
# (two hyphens are a dash)
_LEADS_ON = re.compile(r"[^\W_]_+$|\d–$|(?:^|\s)\.$|(?:^|[^-])[-−]$")
_GOES_ON = re.compile(r"_+[^\W_]|[-−–]\d")
_ALIKE = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "＇": "'", "，": ",", "٬": ",", "．": ".", "－": "-", "˙": "·"})
# LaTeX's {,} and {.}; its thin space \, and the like; and its "3,\!486"
_LATEX = ((r"(?<=\d)\{([,.])\}(?=\d)", r"\1"), (r"(?<=\d)\{?\\[,:; ]\}?(?=\d)", "\u2009"), (r"(?<=\d,)\\!(?=\d)", ""))


class _Run(NamedTuple):
    """Digits that stand together: `start` and `end` (exclusive) in the text."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def whole_numbers(text: str, size: int = 0) -> list[str]:
    """The digits 0-9 of every whole number in `text`, in order; not of negative ones, decimals, codes and ordinals.

    `size` is how many digits a number has that is looked for: "100,200,300" is three numbers to who looks for numbers
    of three digits, else it is one.
    """
    text = _plain(text)
    return [digits for _, _, digits in _numbers(text, size)]


def normalised_number(text: str) -> str | None:
    """The digits of a text that is one whole number and nothing else; None for any other."""
    plain = _plain(text.strip())
    numbers = list(_numbers(plain, 0))
    return numbers[0][2] if len(numbers) == 1 and numbers[0][:2] == (0, len(plain)) else None


def is_digit(text: str) -> bool:
    """Whether a text is one of the digits 0 to 9, which stands within most other numbers."""
    return len(text) == 1 and "0" <= text <= "9"


def is_glued(inner: str, outer: str) -> bool:
    """Whether two neighbouring characters belong to one word or number.

    Letters without case (Chinese, Arabic, Korean …) do not count: there, words and numbers have no space between them
    or carry endings.
    """
    return _is_wordlike(inner) and _is_wordlike(outer)


def _is_wordlike(character: str) -> bool:
    return character.lower() != character.upper() or character.isdecimal()


def _plain(text: str) -> str:
    """The text with digits 0-9 and separators of one kind each, without marks that nobody sees (Unicode's Cf)."""
    if not text.isascii():
        text = "".join(_plain_character(character) for character in text.translate(_ALIKE))
    for pattern, instead in _LATEX if "\\" in text or "{" in text else ():
        text = re.sub(pattern, instead, text)
    return text


def _plain_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "" if unicodedata.category(character) == "Cf" else character


def _numbers(text: str, size: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, digits) of every whole number in a plain text."""
    for runs in _grouped_by_spaces(_chains(text), text, size):
        start, end = runs[0].start, runs[-1].end
        if _stands_alone(text, start, end):
            yield start, end, "".join(text[run.start : run.end] for run in runs)


def _chains(text: str) -> Iterator[list[_Run]]:
    """The runs of digits that TIGHT separators join, from "3.486.456,5" four."""
    chain: list[_Run] = []
    for found in re.finditer(r"\d+", text):
        run = _Run(*found.span())
        if chain and not (run.start == chain[-1].end + 1 and text[run.start - 1] in TIGHT + DECIMAL):
            yield chain
            chain = []
        chain.append(run)
    if chain:
        yield chain


def _grouped_by_spaces(chains: Iterator[list[_Run]], text: str, size: int) -> Iterator[list[_Run]]:
    """The runs of each number: of chains what `_split` makes of them, of single runs those that a space groups."""
    number: list[_Run] = []
    for chain in chains:
        goes_on = bool(number) and _joined_by_space(number, chain[0], text, size)
        if len(chain) > 1:
            if not goes_on:  # else it is the decimals of "3 486 456,5"
                yield from filter(None, (number, *_split(chain, text, size)))
            number = []
        elif goes_on:
            number = [*number, *chain]
        else:
            yield from filter(None, (number,))
            number = chain
    yield from filter(None, (number,))


def _joined_by_space(number: list[_Run], run: _Run, text: str, size: int) -> bool:
    gap = text[number[-1].end : run.start]
    same = all(text[one.end : other.start] == gap for one, other in pairwise(number))
    listed = size == GROUP == number[0].size
    return len(gap) == 1 and gap in SPACES and same and not listed and number[0].size <= GROUP == run.size


def _split(chain: list[_Run], text: str, size: int) -> Iterator[list[_Run]]:
    """The numbers of a chain: one if it is grouped, each run if commas make it a list, none if it has decimals."""
    separators = {text[run.end] for run in chain[:-1]}
    threes = all(run.size == GROUP for run in chain[1:])
    grouped = len(separators) == 1 and separators.isdisjoint(DECIMAL) and threes and chain[0].size <= GROUP
    if grouped and not size == GROUP == chain[0].size:
        yield chain
    elif separators == {","}:
        yield from ([run] for run in chain)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether the number text[start:end] has no sign, and is no part of a word, a code or a range."""
    before, after = text[max(0, start - LOOK) : start], text[end : end + LOOK]
    if (before and is_glued(text[start], before[-1])) or (after and is_glued(text[end - 1], after[0])):
        return False
    return not (_LEADS_ON.search(before) or _GOES_ON.match(after))

"""Units: a text of any script cut where a needle may stand. Between sentences, or between lines where it has none.

* sentences: white space is made regular, paragraphs are kept. The stops of Unicode (property Sentence_Terminal) end a
  sentence, those of Latin before white space only. Thai and Lao have no stops: there the spaces between phrases are
  taken. A unit opens with the space before it, and closes with "\\n\\n" at the end of its paragraph.
* lines: code, tables, logs and poems keep their line breaks and indentation. A unit is one line with the empty lines
  before it, and closes with exactly one "\\n".

What is too long for a unit is cut at clauses and spaces, else between grapheme clusters (UAX 29).
"""

from __future__ import annotations

from itertools import pairwise
from string import ascii_lowercase

import regex

from mta_eval.errors import TextError

LONGEST_SENTENCE = 4000  # characters; what is longer is no sentence, and depths would be a fiction
LONGEST_UNSPACED = 400  # the same where words have no spaces between them, and characters are words
PART = 120  # characters of a part of what is too long
LOOKED_AT = 1_000_000  # characters that decide whether a text is of lines
FEWEST_ENDS = 5  # lines to a sentence end: with more it is a text of lines
MOST_SIGNS = 0.35  # of a text's lines end in a sign of code: with more it is a text of lines
CLOSERS = r"[\"'”’)\]」』）】》〉〗］｝»›]"
WIDE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\u3001-\u303f\uff01-\uff60\uff61-\uff9f]"  # no space around these
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]")
_WIDE = regex.compile(WIDE)
_WIDE_BREAK = regex.compile(rf"(?<={WIDE})[^\S\n]*+\n\s*+(?={WIDE})")
_LATIN_END = regex.compile(r"[.!?…]++[\"'”’)\]]*+(?=\s|$)")
_END = regex.compile(
    rf"""{_LATIN_END.pattern}
    |[.!?…‥]*+(?![.!?])\p{{STerm}}[\p{{STerm}}…‥]*+(?:{CLOSERS}++(?!と)|(?!{CLOSERS}))(?![\p{{Nd}}、，,])
    |[!?]++{CLOSERS}*+(?=[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}])
    |(?<=[\p{{Thai}}\p{{Lao}}])(?<![ๆฯ])(?=\s++[\p{{Thai}}\p{{Lao}}])""",
    regex.VERBOSE,
)
_PARTS = regex.compile(rf"\X{{1,{PART}}}$|\X{{{PART // 2},{PART - 1}}}(?:(?=\s)|[，、；：،؛,;:])|\X{{1,{PART}}}")
_CODE = regex.compile(r"[][(){};:=<>\\|&+]$")
_STOP = regex.compile(rf"(\p{{STerm}}){CLOSERS}*$")
_STOPS = frozenset(".。．｡।॥۔።။។։།᠃")
_STOP_OF_SCRIPT = tuple(
    (regex.compile(rf"[{scripts}]"), stop)
    for scripts, stop in (
        (r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}", "。"),
        (r"\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Oriya}", "।"),
        (r"\p{Thai}\p{Lao}", ""),
        (r"\p{Khmer}", "។"),
        (r"\p{Myanmar}", "။"),
        (r"\p{Tibetan}", "།"),
        (r"\p{Ethiopic}", "።"),
        (r"\p{Armenian}", "։"),
    )
)
_NO_END = {
    *("mr", "mrs", "ms", "dr", "st", "prof", "rev", "gen", "col", "jr", "sr", "vs", "cf", "no", "vol"),
    *ascii_lowercase,
}


def split_sentences(text: str, where: str) -> list[str]:
    """The units of a text, which join to it again. Raises TextError if there is no letter or digit in it."""
    units = _lines(text) if _is_of_lines(text) else _sentences(text)
    if not any(character.isalnum() for unit in units for character in unit):
        raise TextError(f"haystack {where!r} is empty; give it a text file or a folder of them")
    return units


def is_line(unit: str) -> bool:
    """Whether a unit is a line (or the end of one that is too long), so that needles beside it take lines too."""
    return unit.endswith("\n") and not unit.endswith("\n\n")


def space_between(before: str, after: str) -> str:
    """What parts two texts that follow each other in a line: a space, but for scripts that have none."""
    return "" if _WIDE.match(before[-1]) and _WIDE.match(after[0]) else " "


def full_stop(unit: str) -> str:
    """What closes a sentence that is cut short: the stop of this one or of its script; "" in lines, Thai and Lao."""
    if is_line(unit):
        return ""
    stop = _STOP.search(unit.rstrip())
    if stop and stop[1] in _STOPS:
        return str(stop[1])
    letter = next((character for character in unit if character.isalpha()), "")
    return next((stop for script, stop in _STOP_OF_SCRIPT if script.match(letter)), ".")


def grapheme_ends(text: str) -> frozenset[int]:
    """Where a text may be cut without parting what is read as one character."""
    if text.isascii():
        return frozenset(range(1, len(text) + 1))
    return frozenset(match.end() for match in regex.finditer(r"\X", text))


def word_ends(text: str) -> list[int]:
    """Where the words and numbers of a text end, vowel signs and joiners of their letters with them."""
    return [match.end() for match in regex.finditer(r"[\p{L}\p{N}_\p{M}\p{Join_Control}]+", text)]


def _paragraphs(text: str) -> list[str]:
    return [paragraph for paragraph in regex.split(r"\n[^\S\n]*\n", text.strip()) if paragraph.strip()]


def _is_of_lines(text: str) -> bool:
    """Whether sentence ends are too rare for the text's lines, or its lines end as code does."""
    paragraphs = _paragraphs(text[:LOOKED_AT])
    lines = [line.rstrip() for paragraph in paragraphs for line in paragraph.split("\n") if line.strip()]
    if len(lines) == len(paragraphs):
        return False
    ends = sum(len(_ends(paragraph)) for paragraph in paragraphs)
    signs = sum(1 for line in lines if _CODE.search(line))
    return ends * FEWEST_ENDS < len(lines) or signs > len(lines) * MOST_SIGNS


def _lines(text: str) -> list[str]:
    units: list[str] = []
    empty = ""
    for line in map(str.rstrip, text.split("\n")):
        if not line:
            empty += "\n" * bool(units)
            continue
        parts = _parts(line if len(line) <= LONGEST_SENTENCE else " ".join(line.split()))
        units += [empty * (index == 0) + part for index, part in enumerate(parts)]
        units[-1] += "\n"
        empty = ""
    return units


def _sentences(text: str) -> list[str]:
    units: list[str] = []
    for paragraph in _paragraphs(text):
        line = " ".join((paragraph if paragraph.isascii() else _WIDE_BREAK.sub("", paragraph)).split())
        borders = [0, *(end for end in _ends(line) if end < len(line)), len(line)]
        for first, last in pairwise(borders):
            units += _parts(line[first:last])
        units[-1] += "\n\n"
    return units


def _ends(line: str) -> list[int]:
    pattern = _LATIN_END if line.isascii() else _END  # the second is much slower
    return [match.end() for match in pattern.finditer(line) if _is_end(line, match)]


def _is_end(line: str, match: regex.Match[str]) -> bool:
    """Whether the signs of `match` end a sentence, and not a title, an initial or an abbreviation."""
    if line[match.end() : match.end() + 2].strip()[:1].islower():
        return False
    if match[0] != ".":
        return True
    word = regex.search(r"[\w.'’]*$", line[max(match.start() - 12, 0) : match.start()])
    return not (word and word[0].lower().rpartition(".")[2] in _NO_END)


def _parts(sentence: str) -> list[str]:
    """The sentence, or parts of it if it is too long; each with the space before it."""
    if len(sentence) <= LONGEST_UNSPACED:
        return [sentence]
    unspaced = len(_UNSPACED.findall(sentence)) * 2 > len(sentence)
    return [sentence] if len(sentence) <= LONGEST_SENTENCE and not unspaced else _PARTS.findall(sentence)

"""What a task says in one language, as one object; each language is a file beside this one that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mta_eval.tasks.languages.writing import SentenceWriter

NEEDLE_NOUNS = ("number", "word", "code", "phrase")  # what a needle's value may be called


class NeedleSentences(NamedTuple):
    """How needles say and ask for values of one noun. `{key}` and `{value}` are filled in.

    `needle` has the value behind all that asks for it, for completion prompts end before it.
    `stem_of_several` begins the answer that names several values; `hidden` stands before the text; `ask_one` and
    `ask_several` ask for the values.
    """

    needle: str
    stem_of_several: str
    hidden: str
    ask_one: str
    ask_several: str


@dataclass(frozen=True)
class Language:
    """A language pack.

    `sentences` has every noun of NEEDLE_NOUNS. `read` stands before the text where a needle is the user's own.
    `question` and `answer` mark the two, `comma` and `last_comma` join keys. `stops` end a completion; `gap` stands
    between a stem and its value. No name of `cities` or `words` is in another, and `writer` writes none. A needle has
    about `needle_tokens` at most, whatever the tokenizer.
    """

    code: str
    name: str
    sentences: Mapping[str, NeedleSentences]
    read: str
    question: str
    answer: str
    comma: str
    last_comma: str
    stops: tuple[str, ...]
    gap: str
    cities: tuple[str, ...]
    words: tuple[str, ...]
    writer: SentenceWriter
    needle_tokens: int = 80


def split_names(text: str) -> tuple[str, ...]:
    """ "Riga|New\\nYork" -> ("Riga", "New York")."""
    return tuple(" ".join(name.split()) for name in text.split("|"))

"""A writer of plain prose: patterns of sentences, with slots for phrases of a closed vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from random import Random

import regex

BLOCK = 64  # sentences made, and later tokenised, at a time
_WORD = regex.compile(r"[\w\p{M}\p{Join_Control}-]+")


class SentenceWriter:
    """Writes sentences of one language without end.

    `slots` has the phrases of each slot, parted by "|"; a pattern names slots as in "<who> <did> <what>.". No phrase
    stands twice in a sentence. `gap` parts sentences; "" is for scripts without spaces.
    """

    def __init__(self, slots: Mapping[str, str], patterns: Sequence[str], gap: str = " ") -> None:
        self._slots = {
            name: tuple(gap.join(phrase.split()) for phrase in text.split("|")) for name, text in slots.items()
        }
        self._patterns = tuple(tuple(regex.split(r"<(\w+)>", pattern)) for pattern in patterns)
        self._gap = gap

    def block(self, random: Random) -> list[str]:
        """The next BLOCK sentences as units that join to running text.

        A unit opens with the gap inside a paragraph and closes with an empty line at its end, so that units border on
        each other where tokenizers part words.
        """
        units, left = [], 0
        for index in range(BLOCK):
            opening = left == 0
            if opening:
                left = random.randint(4, 9)
            left -= 1
            ending = left == 0 or index == BLOCK - 1
            units.append(("" if opening else self._gap) + self.sentence(random) + ("\n\n" if ending else ""))
        return units

    def holds(self, text: str) -> bool:
        """Whether `text` might stand in the prose by chance: its words are all in the vocabulary.

        Where words have no spaces between them: its characters may all follow each other so.
        """
        text = text.lower()
        if self._gap:
            return all(word in self._vocabulary for word in _WORD.findall(text))
        if len(text) == 1:
            return any(text in pair for pair in self._neighbours)
        return all(pair in self._neighbours for pair in pairwise(text))

    def sentence(self, random: Random) -> str:
        """The next sentence."""
        phrases: list[str] = []
        for index, part in enumerate(random.choice(self._patterns)):
            phrase = random.choice(self._slots[part]) if index % 2 else part
            while index % 2 and phrase in phrases:
                phrase = random.choice(self._slots[part])
            phrases.append(phrase)
        sentence = "".join(phrases)
        return sentence[0].upper() + sentence[1:]

    @property
    def parts(self) -> frozenset[str]:
        """The words of the vocabulary, in lower case, those with a hyphen in their parts too."""
        return self._vocabulary | {part for word in self._vocabulary for part in word.split("-")}

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        phrases = [phrase for slot in self._slots.values() for phrase in slot]
        phrases += [part for pattern in self._patterns for part in pattern[::2]]
        return frozenset(_WORD.findall(" ".join(phrases).lower()))

    @cached_property
    def _neighbours(self) -> frozenset[tuple[str, str]]:
        """Every two characters that may follow each other in a sentence."""
        pairs: set[tuple[str, str]] = set()
        for pattern in self._patterns:
            choices = [self._slots[part] if index % 2 else (part,) for index, part in enumerate(pattern)]
            filled = [phrases for phrases in choices if phrases != ("",)]
            for phrases in filled:
                pairs.update(pair for phrase in phrases for pair in pairwise(phrase))
            for before, after in pairwise(filled):
                pairs.update((one[-1], other[0]) for one in before for other in after)
        return frozenset(pairs)

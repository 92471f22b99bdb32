"""What needles are drawn from. No word is inside another, and none stands in the generated prose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import perm
from random import Random
from string import ascii_lowercase

from mta_eval.errors import SpecError
from mta_eval.scoring.numbers import is_digit, whole_numbers
from mta_eval.tasks.languages.english import CITIES as CITIES
from mta_eval.tasks.languages.english import WORDS as WORDS
from mta_eval.tasks.prompts.sources import TextSource

DECOYS = 4  # choices offered at least
DIGITS = tuple("0123456789")


def draw(random: Random, make: Callable[[Random], str], used: Sequence[str], source: TextSource) -> str:
    """A fresh text: not in the haystack, and neither inside a used one nor around it.

    Raises SpecError if none is found.
    """
    for _ in range(1000):
        text = make(random)
        if can_hide(text, used, source):
            return text
    raise SpecError("this haystack holds nearly everything that could be hidden in it; take other needles")


def can_hide(text: str, used: Sequence[str], source: TextSource) -> bool:
    """Whether a text is not in the haystack, and neither inside a used one nor around it.

    A single digit stands within so many numbers that in words it counts only as a number of its own: "8" can be hidden
    beside "Route 18" and not beside "8 roads".
    """
    return not any(_clash(text.lower(), other.lower()) for other in used) and not source.holds(text)


def need_digits(count: int, used: Sequence[str], source: TextSource) -> None:
    """Raises SpecError unless so many digits can be hidden, each as a number of its own."""
    free = [digit for digit in DIGITS if can_hide(digit, used, source)]
    if len(free) < count:
        raise SpecError(
            f"needles and choices of one digit need {count} of the numbers 0 to 9 that neither the haystack nor the "
            f"needle's words say, and there are {len(free)}; take another haystack, fewer needles or more digits"
        )


def _clash(text: str, other: str) -> bool:
    if is_digit(text) and not other.isdecimal():
        return text in whole_numbers(other)
    return text in other or other in text


class OtherBlocks:
    """An endless list of blocks that lack at least one query letter; no block twice while there are enough."""

    def __init__(self, random: Random, size: int, query: str) -> None:
        # a stream of its own: how many blocks are drawn must not change what is drawn after
        self._random = Random(random.getrandbits(64))
        self._size, self._query = size, set(query)
        self._blocks: list[str] = []
        self._seen: set[str] = set()

    def take(self, count: int) -> list[str]:
        """The first `count` blocks."""
        while len(self._blocks) < count:
            block = "".join(self._random.sample(ascii_lowercase, self._size))
            if self._query <= set(block):
                continue
            if block in self._seen and len(self._seen) < perm(26, self._size) // 4:
                continue
            self._seen.add(block)
            self._blocks.append(block)
        return self._blocks[:count]

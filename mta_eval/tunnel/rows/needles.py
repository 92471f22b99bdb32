"""Needles in noise: facts with a name of two tokens and a number of two digits, hidden among other tokens.

    . . * a p 3 1 . . . * a q 7 7 . . * b p 0 4 . ; ? a q -> 7 7   ? b p -> 0 4

Rows have 2 to `needles` needles, so that counts of all sizes are trained. Neither token of a name alone says which
needle is meant, unless `names` is 1: then a name is one token, as a control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import ClassVar

from mta_eval.errors import SpecError
from mta_eval.tunnel.rows.drawing import check_options, numbered, row_generator, scattered, tail_answers

DIGITS = 2  # of a number
PARTS, DIGIT_KINDS, NOISE = 12, 10, 64  # different tokens for either half of a name, for digits, for noise


@dataclass(frozen=True)
class NeedleRows:
    """Facts hidden in noise, with names of two tokens: which number belongs to a name?"""

    name: ClassVar[str] = "needles"
    grows: ClassVar[str] = "length"

    length: int = field(default=128, metadata={"help": "tokens of noise and needles before the questions"})
    needles: int = field(default=8, metadata={"help": "most needles in a row; each row has 2 or more, if not 1"})
    names: int = field(default=2, metadata={"help": "tokens of a name, 2 or 1"})
    questions: int = field(default=4, metadata={"help": "needles that are asked, some of them twice"})

    def __post_init__(self) -> None:
        check_options(self, length=1, needles=1, names=1, questions=1)
        if self.names > 2 or self.needles > len(self._all_names):
            raise SpecError(f"{self.name}: names is 1 or 2, and needles={self.needles} must have names of their own")
        if self.needles * self._size > self.length:
            raise SpecError(f"{self.name}: needles={self.needles} of {self._size} tokens do not fit {self.length}")

    @property
    def vocabulary(self) -> int:
        """Marks of needles and questions, halves of names, digits, noise."""
        return 2 + 2 * PARTS + DIGIT_KINDS + NOISE

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: both digits of a number."""
        return tail_answers(self.questions, self._size, DIGITS)

    @property
    def chance(self) -> float:
        """Any needle of the row."""
        return mean(1 / count for count in self._counts)

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        (mark, question), _, digits, noise = numbered(2, 2 * PARTS, DIGIT_KINDS, NOISE)
        count = random.choice(self._counts)
        names = random.sample(self._all_names, count)
        facts = [(*name, *random.choices(digits, k=DIGITS)) for name in names]
        filler = random.choices(noise, k=self.length - count * self._size)
        row = scattered(random, [(mark, *fact) for fact in facts], filler)
        asked = random.choices(facts, k=self.questions)
        return [*row, *(token for fact in asked for token in (question, *fact))]

    @property
    def _counts(self) -> range:
        return range(min(2, self.needles), self.needles + 1)

    @property
    def _size(self) -> int:
        return 1 + self.names + DIGITS

    @property
    def _all_names(self) -> list[tuple[int, ...]]:
        _, firsts, seconds = numbered(2, PARTS, PARTS)
        if self.names == 1:
            return [(token,) for token in (*firsts, *seconds)]
        return [(first, second) for first in firsts for second in seconds]

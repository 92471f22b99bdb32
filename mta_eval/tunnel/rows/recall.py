"""Recall: keys and values, then keys again. What was the value?

Multi-query associative recall (Arora et al. 2023, arXiv 2312.04927), as single-token attention can learn it:

    a 7  k 2  c 9  f 1 ; k -> 2  a -> 7

Two-condition recall, which it finds hard: the key is a pair of tokens, and either alone leads to several values.

    a p 7  a q 2  b p 9  b q 1 ; b p -> 9  a q -> 2

With `distance` 3, two other tokens stand between the halves of every key: a x y p 7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from mta_eval.errors import SpecError
from mta_eval.tunnel.rows.drawing import check_options, numbered, row_generator, tail_answers


@dataclass(frozen=True)
class AssociativeRecallRows:
    """Keys and values, then some of the keys again: what was the value? (multi-query associative recall)"""

    name: ClassVar[str] = "associative_recall"
    grows: ClassVar[str] = "pairs"

    pairs: int = field(default=8, metadata={"help": "keys with their values in a row"})
    questions: int = field(default=4, metadata={"help": "keys that are asked"})
    kinds: int = field(default=64, metadata={"help": "different keys, and different values"})

    def __post_init__(self) -> None:
        check_options(self, pairs=1, questions=1, kinds=1)
        if not self.questions <= self.pairs <= self.kinds:
            raise SpecError(f"{self.name}: questions={self.questions}, pairs={self.pairs} and kinds={self.kinds} rise")

    @property
    def vocabulary(self) -> int:
        """A mark, keys and values."""
        return 1 + 2 * self.kinds

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: each value after its key."""
        return tail_answers(self.questions, 2, 1)

    @property
    def chance(self) -> float:
        """Any value of the row."""
        return 1 / self.pairs

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        (mark,), keys, values = numbered(1, self.kinds, self.kinds)
        pairs = list(zip(random.sample(keys, self.pairs), random.choices(values, k=self.pairs), strict=True))
        asked = random.sample(pairs, self.questions)
        return [*(token for pair in pairs for token in pair), mark, *(token for pair in asked for token in pair)]


@dataclass(frozen=True)
class TwoConditionRows:
    """The key is a pair of tokens at a distance, and either alone leads to several values. What was the value?"""

    name: ClassVar[str] = "two_condition_recall"
    grows: ClassVar[str] = "facts"

    facts: int = field(default=8, metadata={"help": "keys with their values in a row"})
    distance: int = field(default=1, metadata={"help": "from a key's first token to its second"})
    questions: int = field(default=4, metadata={"help": "keys that are asked"})
    kinds: int = field(default=12, metadata={"help": "different first tokens of keys, and different second ones"})
    values: int = field(default=32, metadata={"help": "different values, and different tokens within a key"})

    def __post_init__(self) -> None:
        check_options(self, facts=1, distance=1, questions=1, kinds=1, values=1)
        if not self.questions <= self.facts <= self.kinds**2:
            raise SpecError(
                f"{self.name}: questions={self.questions}, facts={self.facts}, kinds={self.kinds} squared rise"
            )

    @property
    def vocabulary(self) -> int:
        """A mark, first and second tokens, values, and what stands between a key's tokens."""
        return 1 + 2 * self.kinds + 2 * self.values

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: each value after its key."""
        return tail_answers(self.questions, self.distance + 2, 1)

    @property
    def chance(self) -> float:
        """Any value with the same first token: at most so many are right."""
        return self._side / self.facts

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        (mark,), firsts, seconds, values, between = numbered(1, self.kinds, self.kinds, self.values, self.values)
        side = self._side  # as few tokens as will do, so that keys share them
        some_firsts, some_seconds = random.sample(firsts, side), random.sample(seconds, side)
        facts = [
            (some_firsts[cell // side], some_seconds[cell % side], random.choice(values))
            for cell in random.sample(range(side * side), self.facts)
        ]
        asked = random.sample(facts, self.questions)
        told, questions = (
            [token for fact in part for token in self._spread(fact, random, between)] for part in (facts, asked)
        )
        return [*told, mark, *questions]

    @property
    def _side(self) -> int:
        return math.isqrt(self.facts - 1) + 1

    def _spread(self, fact: tuple[int, int, int], random: Random, between: range) -> list[int]:
        first, second, value = fact
        return [first, *random.choices(between, k=self.distance - 1), second, value]

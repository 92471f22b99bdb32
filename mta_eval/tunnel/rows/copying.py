"""Copying: what stood there is said again.

induction        d a k b c g ; a -> k              the token that followed (Olsson et al. 2022, arXiv 2209.11895)
copy             d a k b ; -> d a k b              all of it
selective copy   d . . a . k . . b ; -> d a k b    all that is no noise (Gu and Dao 2023, arXiv 2312.00752)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mta_eval.errors import SpecError
from mta_eval.tunnel.rows.drawing import check_options, numbered, row_generator, scattered, tail_answers


@dataclass(frozen=True)
class InductionRows:
    """Tokens without order, some of which stand there once; what followed them?"""

    name: ClassVar[str] = "induction"
    grows: ClassVar[str] = "length"

    length: int = field(default=64, metadata={"help": "tokens before the questions"})
    questions: int = field(default=4, metadata={"help": "tokens that are asked"})
    kinds: int = field(default=64, metadata={"help": "different tokens"})

    def __post_init__(self) -> None:
        check_options(self, length=2, questions=1, kinds=2)
        if not (2 * self.questions <= self.length and self.questions < self.kinds):
            raise SpecError(f"{self.name}: questions={self.questions} is too many for this length or these kinds")

    @property
    def vocabulary(self) -> int:
        """All tokens alike."""
        return self.kinds

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: what followed, after each token that is asked."""
        return tail_answers(self.questions, 2, 1)

    @property
    def chance(self) -> float:
        """Any token that is not asked."""
        return 1 / (self.kinds - self.questions)

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        kinds = random.sample(range(self.kinds), self.kinds)
        asked, others = kinds[: self.questions], kinds[self.questions :]
        row = random.choices(others, k=self.length)
        places = random.sample(range(0, self.length - 1, 2), self.questions)
        for token, place in zip(asked, places, strict=True):
            row[place] = token
        return [*row, *(token for place in places for token in row[place : place + 2])]


@dataclass(frozen=True)
class CopyRows:
    """Tokens, then all of them again in their order."""

    name: ClassVar[str] = "copy"
    grows: ClassVar[str] = "length"

    length: int = field(default=24, metadata={"help": "tokens to copy"})
    kinds: int = field(default=26, metadata={"help": "different tokens"})

    def __post_init__(self) -> None:
        check_options(self, length=1, kinds=2)

    @property
    def vocabulary(self) -> int:
        """A mark and the tokens."""
        return 1 + self.kinds

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: one answer, the whole copy."""
        return tail_answers(1, self.length, self.length)

    @property
    def chance(self) -> float:
        """All tokens guessed."""
        return float(self.kinds) ** -self.length

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        (mark,), kinds = numbered(1, self.kinds)
        tokens = row_generator(self, stream, seed, index).choices(kinds, k=self.length)
        return [*tokens, mark, *tokens]


@dataclass(frozen=True)
class SelectiveCopyRows:
    """Tokens scattered in noise, then the tokens alone in their order."""

    name: ClassVar[str] = "selective_copy"
    grows: ClassVar[str] = "length"

    length: int = field(default=64, metadata={"help": "tokens and noise"})
    items: int = field(default=8, metadata={"help": "tokens to copy"})
    kinds: int = field(default=16, metadata={"help": "different tokens, and different noise"})

    def __post_init__(self) -> None:
        check_options(self, length=1, items=1, kinds=2)
        if self.items > self.length:
            raise SpecError(f"{self.name}: items={self.items} do not fit length={self.length}")

    @property
    def vocabulary(self) -> int:
        """A mark, tokens and noise."""
        return 1 + 2 * self.kinds

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: one answer, the whole copy."""
        return tail_answers(1, self.items, self.items)

    @property
    def chance(self) -> float:
        """All tokens guessed."""
        return float(self.kinds) ** -self.items

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        (mark,), kinds, noise = numbered(1, self.kinds, self.kinds)
        items = random.choices(kinds, k=self.items)
        filler = random.choices(noise, k=self.length - self.items)
        return [*scattered(random, [[item] for item in items], filler), mark, *items]

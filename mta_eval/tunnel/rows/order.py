"""Order: of two tokens, which one stood there first?

d a k b c g ; b d -> d  c g -> c
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mta_eval.errors import SpecError
from mta_eval.tunnel.rows.drawing import check_options, numbered, row_generator, tail_answers


@dataclass(frozen=True)
class OrderRows:
    """Of two tokens of a row, which one came first?"""

    name: ClassVar[str] = "order"
    grows: ClassVar[str] = "items"

    items: int = field(default=16, metadata={"help": "tokens in a row, all different"})
    questions: int = field(default=4, metadata={"help": "pairs that are asked"})
    kinds: int = field(default=128, metadata={"help": "different tokens"})

    def __post_init__(self) -> None:
        check_options(self, items=2, questions=1, kinds=2)
        if self.items > self.kinds:
            raise SpecError(f"{self.name}: items={self.items} are more than kinds={self.kinds}")

    @property
    def vocabulary(self) -> int:
        """A mark and the tokens."""
        return 1 + self.kinds

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: the first one, after both."""
        return tail_answers(self.questions, 3, 1)

    @property
    def chance(self) -> float:
        """Either of both."""
        return 0.5

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        (mark,), kinds = numbered(1, self.kinds)
        row = random.sample(kinds, self.items)
        questions: list[int] = []
        for _ in range(self.questions):
            pair = random.sample(range(self.items), 2)
            questions += [row[pair[0]], row[pair[1]], row[min(pair)]]
        return [*row, mark, *questions]

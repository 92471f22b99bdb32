"""Letter blocks (MTA paper, arXiv 2504.00927, section 4.1): which block of letters holds all the query letters?

    <bos> hjnvt.qfoyj.lmzte.xnuaw # zl -> lmzte <eos>

The rows of `mta-eval train letter_blocks`, a letter a token. Single-token attention matches each query letter with many
blocks; only both letters together say which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from mta_eval.tasks.letter_blocks import LetterBlocks
from mta_eval.training.letter_tokenizer import row_ids

VOCABULARY = 32  # as the letter-block models have it


@dataclass(frozen=True)
class LetterBlockRows:
    """Which block of letters holds all the query letters? (MTA paper, section 4.1)"""

    name: ClassVar[str] = "letter_blocks"
    grows: ClassVar[str] = "blocks"

    blocks: int = field(default=8, metadata={"help": "blocks in a row"})
    block: int = field(default=5, metadata={"help": "letters in a block"})
    target: Literal["all", "first", "last"] = field(
        default="all", metadata={"help": "answer the whole block, its first or its last letter"}
    )

    def __post_init__(self) -> None:
        self._task.row("validation", 0, 0)  # raises SpecError for sizes that no row has

    @property
    def vocabulary(self) -> int:
        """That of the letter-block models."""
        return VOCABULARY

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: the letters and the end of the row."""
        return [list(range(-(self.block if self.target == "all" else 1) - 1, 0))]

    @property
    def chance(self) -> float:
        """Any block."""
        return 1 / self.blocks

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        return row_ids(*self._task.row(stream, seed, index))

    @cached_property
    def _task(self) -> LetterBlocks:
        return LetterBlocks(block=self.block, target=self.target, blocks=self.blocks)

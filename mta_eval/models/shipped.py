"""The letter-block models of the package, as `make reproduce-letter-blocks` trained them; each folder has its card."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from mta_eval.models.devices import DEVICE_HELP
from mta_eval.models.hf import HuggingFace
from mta_eval.models.wrapped import Wrapped

HERE = Path(__file__).parent / "letter_blocks"


@dataclass(frozen=True)
class LetterBlocksModel(Wrapped):
    """What the shipped models share."""

    name: ClassVar[str]
    attention: ClassVar[str]

    seed: Literal[42, 43, 44] = field(default=42, metadata={"help": "of its training"})
    dtype: Literal["float32", "bfloat16", "float16"] = field(
        default="float32", metadata={"help": "float32 is what its card's figures were measured in"}
    )
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint: one token a character, one window for one row."""
        return HuggingFace(str(HERE / f"{self.attention}-{self.seed}"), self.dtype, self.device)


@dataclass(frozen=True)
class LetterBlocksMTA(LetterBlocksModel):
    """Multi-Token Attention trained on letter blocks, 8 of 5 letters, with `mta-eval train`'s cpu preset."""

    name: ClassVar[str] = "letter-blocks-mta"
    attention: ClassVar[str] = "mta"


@dataclass(frozen=True)
class LetterBlocksTransformer(LetterBlocksModel):
    """The plain Transformer trained on letter blocks, 8 of 5 letters, with `mta-eval train`'s cpu preset."""

    name: ClassVar[str] = "letter-blocks-transformer"
    attention: ClassVar[str] = "transformer"

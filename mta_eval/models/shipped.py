"""The small trained models of the package; each folder has its card.

Letter blocks: as `make reproduce-letter-blocks` trained them. Needles: of those that `make reproduce-figures` trains,
one of each kind, its weights in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from mta_eval.models.devices import DEVICE_HELP
from mta_eval.models.hf import HuggingFace
from mta_eval.models.wrapped import Wrapped

HERE = Path(__file__).parent


@dataclass(frozen=True)
class LetterBlocksModel(Wrapped):
    """What the models of letter blocks share."""

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
        return HuggingFace(str(HERE / "letter_blocks" / f"{self.attention}-{self.seed}"), self.dtype, self.device)


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


@dataclass(frozen=True)
class NeedlesModel(Wrapped):
    """What the models that find needles share: three layers, a window of 4K, trained on rows of up to 1K."""

    name: ClassVar[str]
    attention: ClassVar[str]

    dtype: Literal["float32", "bfloat16", "float16"] = field(
        default="float32", metadata={"help": "of its computation; its weights are stored in float16"}
    )
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint."""
        return HuggingFace(str(HERE / "needles" / self.attention), self.dtype, self.device)


@dataclass(frozen=True)
class NeedlesMTA(NeedlesModel):
    """Multi-Token Attention of 0.75M parameters trained to find needles, with `mta-eval train needles`."""

    name: ClassVar[str] = "needles-mta"
    attention: ClassVar[str] = "mta"


@dataclass(frozen=True)
class NeedlesTransformer(NeedlesModel):
    """A plain Transformer of 0.75M parameters trained to find needles, with `mta-eval train needles`."""

    name: ClassVar[str] = "needles-transformer"
    attention: ClassVar[str] = "transformer"


@dataclass(frozen=True)
class NeedlesDIFF(NeedlesModel):
    """A DIFF Transformer of 0.75M parameters trained to find needles, with `mta-eval train needles`."""

    name: ClassVar[str] = "needles-diff"
    attention: ClassVar[str] = "diff"


@dataclass(frozen=True)
class NeedlesTalkingHeads(NeedlesModel):
    """Talking-heads attention of 0.75M parameters trained to find needles, with `mta-eval train needles`."""

    name: ClassVar[str] = "needles-talking-heads"
    attention: ClassVar[str] = "talking_heads"

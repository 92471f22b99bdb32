"""The attention family by name: `mta:DIR`, `transformer:DIR` and so on, one for each attention variant.

The same folders open as `hf:DIR`; opened by a name of the family a checkpoint must have that attention.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import ClassVar, Literal

from mta_eval import registry
from mta_eval.errors import ModelError
from mta_eval.models.devices import DEVICE_HELP, DTYPE_HELP, Dtype
from mta_eval.models.hf import HuggingFace
from mta_eval.models.wrapped import Wrapped


@dataclass(frozen=True)
class FamilyCheckpoint(Wrapped):
    """What the names share."""

    name: ClassVar[str]

    path: str = field(metadata={"help": "folder or hub id, as import-checkpoint, retrofit or save_pretrained wrote it"})
    dtype: Dtype = field(default="auto", metadata={"help": DTYPE_HELP})
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})
    attention: Literal["auto", "sdpa", "eager"] = field(
        default="auto", metadata={"help": "auto, sdpa: fused kernels on CUDA, else row tiles; eager: the whole matrix"}
    )
    max_length_override: int = field(default=0, metadata={"help": "take longer prompts than the model's config says"})

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint. Raises ModelError if its attention is another."""
        model = HuggingFace(self.path, self.dtype, self.device, self.attention, self.max_length_override)
        found = getattr(model.config, "attention", None)
        if found is None:
            raise ModelError(f"{self.path!r} is no checkpoint of the attention family; open it as hf:{self.path}")
        if found != self.name:
            raise ModelError(f"{self.path!r} has {found} attention, not {self.name}; open it as {found}:{self.path}")
        return model


@cache
def checkpoint_class(kind: str) -> type[FamilyCheckpoint]:
    """The adapter of checkpoints with an attention variant, by the variant's name in the registry."""
    card = f"A checkpoint with {kind} attention; `mta-eval list {kind}` says what that is."
    return dataclass(frozen=True)(
        type(f"{kind.title().replace('_', '')}Checkpoint", (FamilyCheckpoint,), {"name": kind, "__doc__": card})
    )


def __getattr__(name: str) -> type[FamilyCheckpoint]:
    """`family.mta` is `checkpoint_class("mta")`: the registry names classes as attributes of modules."""
    if name not in registry.names("attention"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return checkpoint_class(name)

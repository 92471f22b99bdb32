"""Models beyond their pre-trained window, without training: `longheads:SOURCE`, `stretched:SOURCE` (other methods).

SOURCE is a folder, a hub id, or a spec such as smollm2. Every setting is recorded in run.json.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mta_eval.errors import ModelError
from mta_eval.models.devices import DEVICE_HELP, DTYPE_HELP, Dtype, choose_device
from mta_eval.models.hf import HuggingFace
from mta_eval.models.inference.causal_lm import CausalLM
from mta_eval.models.locations import checkpoint_path
from mta_eval.models.wrapped import Wrapped

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from mta_eval.models.context_extension.chunks import Choose, Chunking

SOURCE = "folder, hub id, or a model spec such as smollm2"
MEMORY_SHARE = 0.5  # of the device's memory, for one sequence


@dataclass(frozen=True)
class _ExtendedCheckpoint(HuggingFace):
    """A checkpoint whose positions are scaled by `rope`, or whose attention is limited to chunks by `chunking`."""

    rope: dict[str, object] = field(default_factory=dict)
    chunking: Chunking | None = None
    offload: bool = False

    @property
    def max_length(self) -> int:
        """What memory allows: there is no other bound."""
        return self.max_length_override or _tokens_in_memory(self.config, choose_device(self.device), self.offload)

    def _attention_path(self, device: str, dtype: str) -> str:
        return "" if self.chunking else super()._attention_path(device, dtype)

    def _load_options(self) -> dict[str, PretrainedConfig]:
        if not self.rope:
            return {}
        config = copy.deepcopy(self.config)
        if _rope_of(config, self.path).get("rope_type", "default") != "default":
            raise ModelError(f"{self.path!r} scales its positions already; method=none takes it as it is")
        config.rope_parameters = {**config.rope_parameters, **self.rope}
        return {"config": config}

    def _adapt(self, model: PreTrainedModel) -> CausalLM:
        if self.chunking is None:
            return super()._adapt(model)
        from mta_eval.models.context_extension.longheads import apply_longheads

        return apply_longheads(model, self.chunking, self.offload)


@dataclass(frozen=True)
class LongHeads(Wrapped):
    """LongHeads (Lu et al. 2024): each head of each token chooses the chunks it attends to; any Llama-type model."""

    name: ClassVar[str] = "longheads"

    source: str = field(metadata={"help": SOURCE})
    window: int = field(default=256, metadata={"help": "tokens in a chunk"})
    attention_length: int = field(default=2048, metadata={"help": "tokens that a token sees, in whole chunks"})
    begin_selective: int = field(
        default=0, metadata={"help": "chunks are chosen from this token on; 0: attention_length"}
    )
    chunk_batch: int = field(default=4096, metadata={"help": "queries computed at once: memory, not results"})
    offload: bool = field(
        default=False, metadata={"help": "keys and values stay on the CPU; chosen chunks are copied to the device"}
    )
    compat: Literal["exact", "released"] = field(
        default="exact",
        metadata={"help": "released: a token of the prompt does not see itself, as in the authors' code"},
    )
    dtype: Dtype = field(default="auto", metadata={"help": DTYPE_HELP})
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})
    max_length_override: int = field(default=0, metadata={"help": "longest window; 0: what memory allows"})

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint. Raises ModelError where settings do not suit it."""
        from mta_eval.models.context_extension.chunks import Chunking
        from mta_eval.models.context_extension.longheads import check_chunking

        begin = self.begin_selective or self.attention_length
        released = self.compat == "released"
        chunking = Chunking(self.window, self.attention_length, begin, "best", released, self.chunk_batch)
        model = _extend(self, chunking=chunking, offload=self.offload)
        check_chunking(chunking, model.config.max_position_embeddings)
        return model

    def describe(self) -> dict[str, str]:
        """dtype, device and every setting, defaults too."""
        settings = {name: getattr(self, name) for name in ("window", "attention_length", "compat", "offload")}
        settings["begin_selective"] = self.begin_selective or self.attention_length
        return self.model.describe() | {name: str(value) for name, value in settings.items()}


@dataclass(frozen=True)
class ContextExtension(Wrapped):
    """Other methods without training: plain, scaled positions (linear, NTK, dynamic NTK, YaRN), window, sinks."""

    name: ClassVar[str] = "stretched"

    source: str = field(metadata={"help": SOURCE})
    method: Literal["none", "linear", "ntk", "dynamic", "yarn", "window", "sinks"] = field(
        default="none", metadata={"help": "none: full attention beyond the window; sinks: first chunk and last ones"}
    )
    factor: float = field(default=4.0, metadata={"help": "of linear, ntk, dynamic and yarn: the new window / the old"})
    window: int = field(default=256, metadata={"help": "of window and sinks: tokens in a chunk"})
    attention_length: int = field(default=2048, metadata={"help": "of window and sinks: tokens that a token sees"})
    dtype: Dtype = field(default="auto", metadata={"help": DTYPE_HELP})
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})
    max_length_override: int = field(default=0, metadata={"help": "longest window; 0: what memory allows"})

    def __post_init__(self) -> None:
        if not self.factor >= 1:
            raise ModelError(f"stretched: factor is at least 1, not {self.factor}")

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint. Raises ModelError where settings do not suit it."""
        if self.method in ("window", "sinks"):
            from mta_eval.models.context_extension.chunks import Chunking
            from mta_eval.models.context_extension.longheads import check_chunking

            choose: Choose = "recent" if self.method == "window" else "first_and_recent"
            chunking = Chunking(self.window, self.attention_length, self.attention_length, choose)
            model = _extend(self, chunking=chunking)
            check_chunking(chunking, model.config.max_position_embeddings)
            return model
        plain = _extend(self)
        return _extend(self, rope=self._rope(plain.config)) if self.method != "none" else plain

    def describe(self) -> dict[str, str]:
        """dtype, device and the settings of the method."""
        chosen = self.model.describe() | {"method": self.method}
        if self.method in ("window", "sinks"):
            return chosen | {"window": str(self.window), "attention_length": str(self.attention_length)}
        return chosen if self.method == "none" else chosen | {"factor": str(self.factor)}

    def _rope(self, config: PretrainedConfig) -> dict[str, object]:
        """transformers' rope_parameters; ntk changes the base alone: theta * factor^(D / (D - 2))."""
        rope = _rope_of(config, self.source)
        if self.method == "ntk":
            size = _head_size(config)
            return {"rope_theta": rope["rope_theta"] * self.factor ** (size / (size - 2))}
        trained = {"original_max_position_embeddings": config.max_position_embeddings}
        scaling: dict[str, object] = {"rope_type": self.method, "factor": self.factor}
        return scaling | (trained if self.method == "yarn" else {})


def _rope_of(config: PretrainedConfig, path: str) -> dict[str, Any]:
    """The rotary positions of a model, if all its layers have the same. Raises ModelError."""
    rope = getattr(config, "rope_parameters", None) or {}
    if "rope_theta" not in rope:
        raise ModelError(
            f"{path!r} has no rotary positions that are the same in all layers, so none can be scaled; use method=none"
        )
    return dict(rope)


def _extend(
    model: LongHeads | ContextExtension,
    chunking: Chunking | None = None,
    rope: dict[str, object] | None = None,
    offload: bool = False,
) -> _ExtendedCheckpoint:
    """The checkpoint that `source` names, by its path or through its spec, with these settings."""
    return _ExtendedCheckpoint(
        checkpoint_path(model.source),
        model.dtype,
        model.device,
        max_length_override=model.max_length_override,
        rope=rope or {},
        chunking=chunking,
        offload=offload,
    )


def _tokens_in_memory(config: PretrainedConfig, device: str, offload: bool) -> int:
    """How many tokens of one sequence fit: their keys and values, and the widest layer's activations, in float32."""
    if device.startswith("cuda") and not offload:
        import torch

        memory = torch.cuda.mem_get_info(device)[1]
    else:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    size = _head_size(config)
    groups = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    hidden = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    stored = 2 * config.num_hidden_layers * groups * size
    activations = 4 * config.hidden_size + 3 * hidden + 6 * config.num_attention_heads * size
    tokens = int(memory * MEMORY_SHARE / (4 * (stored + activations)))
    return max(tokens - tokens % 1024, 1024)


def _head_size(config: PretrainedConfig) -> int:
    return getattr(config, "head_dim", None) or int(config.hidden_size // config.num_attention_heads)

"""What the decoding code needs of a model: a causal language model in transformers' form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig
    from transformers.cache_utils import Cache


class CausalOutput(Protocol):
    """What a forward pass returns."""

    logits: torch.Tensor  # (B, kept, vocabulary)
    past_key_values: Cache | None


class CausalLM(Protocol):
    """A causal language model: `transformers.PreTrainedModel` with a language-model head, or what looks like it."""

    config: PretrainedConfig

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """All weights."""

    def __call__(
        self, *, input_ids: torch.Tensor, use_cache: bool, logits_to_keep: int | torch.Tensor, **inputs: object
    ) -> CausalOutput:
        """The logits (B, kept, vocabulary) of the last tokens of `input_ids` (B, T), and the cache."""

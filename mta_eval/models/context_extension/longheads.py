"""LongHeads (Lu et al., arXiv 2402.10685): a window extended without training, by chunks that each head chooses.

`apply_longheads` gives a Llama-type model another attention, in place (Llama, SmolLM2, Mistral, Qwen2, Qwen3: whatever
projects q, k, v and rotates them); its weights and files stay as they are. `chunks.py` has the attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache

from mta_eval.attention.row_caches import by_row
from mta_eval.errors import ModelError
from mta_eval.models.context_extension.chunk_cache import ChunkLayer, chunk_layer, refuse_padding
from mta_eval.models.context_extension.chunks import Chunking, Rotation, longheads_attention
from mta_eval.models.inference.causal_lm import CausalLM

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "longheads"  # in transformers' tables
PARTS = ("q_proj", "k_proj", "v_proj", "o_proj", "head_dim", "layer_idx")


class LlamaAttention(Protocol):
    """An attention layer of a Llama-type model of transformers."""

    q_proj: nn.Linear
    k_proj: nn.Linear
    v_proj: nn.Linear
    o_proj: nn.Linear
    head_dim: int
    layer_idx: int


class RotaryEmbedding(Protocol):
    """RoPE of a Llama-type model of transformers."""

    inv_freq: torch.Tensor
    attention_scaling: float


class LongHeadsAttention(nn.Module):
    """One layer: the projections of `original`, and LongHeads between them."""

    def __init__(self, original: LlamaAttention, chunking: Chunking, rotation: Rotation, offload: bool) -> None:
        super().__init__()
        self.original, self.chunking, self.rotation = original, chunking, rotation
        self.layer_idx = original.layer_idx
        self.store_on = torch.device("cpu") if offload else None

    def forward(
        self,
        hidden_states: torch.Tensor,
        past_key_values: Cache | None = None,
        **_kwargs: object,
    ) -> tuple[torch.Tensor, None]:
        """(B, T, width) -> (B, T, width); positions and mask follow from the rule."""
        out = by_row(self._store_and_attend, past_key_values, *self._project(hidden_states))
        return self.original.o_proj(out.transpose(1, 2).flatten(2)), None

    def _store_and_attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, cache: Cache | None) -> torch.Tensor:
        """Heads' outputs (B, H, T, D) of new tokens, which are stored in the cache."""
        layer = ChunkLayer(self.chunking.window, self.rotation, self.store_on, self.chunking.begin)
        if cache is not None:
            layer = chunk_layer(cache, self.layer_idx, layer)
        decoding = layer.get_seq_length() > 0 and q.shape[2] == 1
        layer.store(q, k, v)
        assert layer.vectors is not None
        return longheads_attention(
            q, layer.keys, layer.values, layer.vectors, self.rotation, self.chunking, decoding, layer.resident
        )

    def _project(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        shape, layer = (*hidden_states.shape[:-1], -1, self.original.head_dim), self.original
        q, k, v = (part(hidden_states).view(shape) for part in (layer.q_proj, layer.k_proj, layer.v_proj))
        if hasattr(layer, "q_norm") and hasattr(layer, "k_norm"):
            q, k = layer.q_norm(q), layer.k_norm(k)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def apply_longheads(model: PreTrainedModel, chunking: Chunking, offload: bool = False) -> CausalLM:
    """Give a causal language model of transformers LongHeads' attention in every layer, in place, and return it.

    Raises ModelError if its layers are not of Llama's kind, or its window is less than the attention length.
    """
    check_chunking(chunking, model.config.max_position_embeddings)
    layers = getattr(getattr(model, "model", None), "layers", [])
    originals: list[LlamaAttention] = [layer.self_attn for layer in layers if hasattr(layer, "self_attn")]
    if (
        not originals
        or len(originals) < len(layers)
        or not all(hasattr(original, part) for original in originals for part in PARTS)
    ):
        raise ModelError(f"LongHeads needs layers of Llama's kind; a {model.config.model_type} model has others")
    rotation = _rotation(model.model.rotary_emb, chunking.begin, next(model.parameters()).dtype)
    for layer, original in zip(layers, originals, strict=True):
        layer.self_attn = LongHeadsAttention(original, chunking, rotation, offload)
    AttentionInterface.register(NAME, _never)
    AttentionMaskInterface.register(NAME, refuse_padding)
    model.config._attn_implementation = NAME
    model.takes_row_caches = True
    adapted: CausalLM = model
    return adapted


def check_chunking(chunking: Chunking, trained: int) -> None:
    """Raises ModelError, naming the option, if a setting makes no sense for a model trained on `trained` tokens."""
    window, length = chunking.window, chunking.attention_length
    if window < 1 or length % window or chunking.begin % window:
        raise ModelError(f"attention_length {length} and begin_selective {chunking.begin} are multiples of the window")
    if length < 3 * window:
        raise ModelError(f"attention_length {length} is under 3 windows of {window}: first, last and own chunk")
    if chunking.begin < length:
        raise ModelError(f"begin_selective {chunking.begin} is less than attention_length {length}: nothing to choose")
    if max(length, chunking.begin) > trained:
        raise ModelError(f"the model was trained on {trained} tokens; attention_length and begin_selective are no more")


def _rotation(rotary: RotaryEmbedding, positions: int, dtype: torch.dtype) -> Rotation:
    """The model's RoPE at 0, 1, …, its angles in float64: rotations must add up, whatever is rotated by them."""
    angles = torch.arange(positions, device=rotary.inv_freq.device).double()[:, None] * rotary.inv_freq.double()
    angles = torch.cat((angles, angles), -1)
    kind = torch.promote_types(dtype, torch.float32)
    return Rotation(*((table * rotary.attention_scaling).to(kind) for table in (angles.cos(), angles.sin())))


def _never(*_args: object, **_kwargs: object) -> None:
    raise AssertionError("every layer has its own attention")

"""One layer of the decoder: projections and RoPE around the family's attention, then its norm and gate."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import Cache
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaMLP,
    LlamaRMSNorm,
    apply_rotary_pos_emb,
)

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.documents import Tokens
from mta_eval.attention.kernels import Kernels, initialise_convolution, initialise_mixing
from mta_eval.attention.paths import Path, attend, differential
from mta_eval.attention.query_cache import check_layer, query_layer
from mta_eval.attention.row_caches import by_row

PATHS: dict[str, Path] = {"sdpa": "tiles", "flex_attention": "flex", "eager": "definition"}
NORM_EPS = 1e-5


class MTAAttention(nn.Module):
    """One layer's attention: projections, RoPE, the family's attention, norm, gate, output projection."""

    convolve_before: nn.Parameter | None
    mix_before: nn.Parameter | None
    convolve_after: nn.Parameter | None
    mix_after: nn.Parameter | None

    def __init__(self, config: MTAConfig, layer_idx: int) -> None:
        super().__init__()
        self.config, self.layer_idx = config, layer_idx
        self._looked_at: dict[str, tuple[Any, bool]] = {}
        self.head_dim = config.head_dim
        heads, groups, width = config.num_attention_heads, config.num_key_value_heads, config.hidden_size
        self.q_proj = nn.Linear(width, heads * self.head_dim, bias=config.attention_bias)
        self.k_proj = nn.Linear(width, groups * self.head_dim, bias=config.attention_bias)
        self.v_proj = nn.Linear(width, groups * self.head_dim, bias=config.attention_bias)
        self.o_proj = nn.Linear(heads * self.head_dim, width, bias=bool(config.output_bias))
        for when in ("before", "after"):
            sizes = (getattr(config, f"query_kernel_{when}"), getattr(config, f"key_kernel_{when}"))
            convolves = sizes[0] and config.has_convolution(layer_idx)
            self.register_parameter(f"convolve_{when}", _empty(heads, *sizes) if convolves else None)
            size = getattr(config, f"head_kernel_{when}")
            self.register_parameter(f"mix_{when}", _empty(heads // size, size, size) if size else None)
        self.initial_scale = 0.8 - 0.6 * math.exp(-0.3 * layer_idx)
        value_size = self.head_dim
        if config.attention == "diff":
            value_size = 2 * self.head_dim
            self.lambda_vectors = _empty(4, self.head_dim)  # q1, k1, q2, k2
        self.norm = nn.RMSNorm(value_size, eps=NORM_EPS) if config.norm != "none" else None
        gates = {"none": 0, "scalar": 1, "vector": value_size}[str(config.gate)]
        self.gate = nn.Linear(value_size, gates) if gates else None

    @property
    def kernels(self) -> Kernels:
        """The layer's kernels, for `attention.attend`."""
        return Kernels(
            self.convolve_before, self.mix_before, self.convolve_after, self.mix_after, self.config.key_padding
        )

    def _working(self, kernels: Kernels) -> Kernels:
        """The kernels without those that are exactly the identity: they change nothing, but for gradients.

        So a retrofit that was not trained yet answers as its original does, in every dtype.
        """
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return kernels
        return kernels.replaced(
            [
                None if kernel is not None and self._is_identity(name, kernel) else kernel
                for name, kernel in zip(kernels._fields, kernels[:4], strict=False)
            ]
        )

    def _is_identity(self, name: str, kernel: torch.Tensor) -> bool:
        """Looked at once for each state of the kernel: on a GPU it would make every step wait."""
        state = (kernel.data_ptr(), kernel.dtype, 0 if kernel.is_inference() else kernel._version)
        if self._looked_at.get(name, (None, False))[0] != state:
            identity = torch.zeros_like(kernel)
            if name.startswith("mix"):
                initialise_mixing(identity, "identity")
            else:
                initialise_convolution(identity, "identity", self.config.key_padding)
            self._looked_at[name] = (state, torch.equal(kernel, identity))
        return self._looked_at[name][1]

    @property
    def scale(self) -> torch.Tensor:
        """DIFF's lambda, a scalar."""
        q1, k1, q2, k2 = self.lambda_vectors.float()
        return torch.exp(q1 @ k1) - torch.exp(q2 @ k2) + self.initial_scale

    def project(
        self, hidden_states: torch.Tensor, position_embeddings: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """q (B, H, T, D), k and v (B, G, T, D), rotated, in one dtype (under autocast RoPE would widen q and k)."""
        batch, current, _ = hidden_states.shape
        q, k, v = (
            projection(hidden_states).view(batch, current, -1, self.head_dim).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = apply_rotary_pos_emb(q, k, *position_embeddings)
        return q.to(v.dtype), k.to(v.dtype), v

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: Tokens,
        past_key_values: Cache | None = None,
        **_kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """(B, T, width) -> (B, T, width). `attention_mask` carries the documents, read once for all layers."""
        q, k, v = self.project(hidden_states, position_embeddings)
        out = by_row(partial(self._remember_and_attend, attention_mask), past_key_values, q, k, v)
        return self.o_proj(out.flatten(2)), None

    def _remember_and_attend(
        self, tokens: Tokens, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, cache: Cache | None
    ) -> torch.Tensor:
        """Heads' outputs (B, T, H, D) of new tokens, which the cache takes in."""
        kernels, kept = self.kernels, None
        if cache is not None:
            check_layer(cache, self.layer_idx)
            keep = {}
            if kernels.halo:
                kept = query_layer(cache, self.layer_idx).queries
                keep = {"queries": q, "halo": kernels.halo, "kept": tokens.kept}
            k, v = cache.update(k, v, self.layer_idx, **keep)
        return self._attend(q, k, v, self._working(kernels), tokens, kept)

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, tokens: Tokens, kept: Any
    ) -> torch.Tensor:
        """Heads' outputs (B, T, H, D), normed and gated."""
        dropout = float(self.config.attention_dropout or 0) if self.training else 0.0
        if self.config.attention == "diff":
            batch, groups, total, size = v.shape
            pairs = v.view(batch, groups // 2, 2, total, size).transpose(2, 3).flatten(3)
            out = differential(q, k, pairs, self.scale.to(q.dtype), tokens, dropout)
        else:
            out = attend(q, k, v, kernels, tokens, kept, dropout, PATHS[self.config._attn_implementation])
        out = out.transpose(1, 2)
        if self.norm is not None:
            out = self.norm(out.to(self.norm.weight.dtype)).to(out.dtype)
            if self.config.norm == "depth_scaled":
                out = out * (1 - self.initial_scale)
        if self.gate is not None:
            out = out * torch.sigmoid(self.gate(out))
        return out


class MTADecoderLayer(LlamaDecoderLayer):
    """A Llama layer with the family's attention."""

    def __init__(self, config: MTAConfig, layer_idx: int) -> None:
        super(LlamaDecoderLayer, self).__init__()
        self.hidden_size = config.hidden_size
        self.self_attn = MTAAttention(config, layer_idx)
        self.mlp = LlamaMLP(config)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)


def _empty(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*sizes))

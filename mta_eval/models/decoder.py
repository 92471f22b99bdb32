"""The decoder of the attention family in Hugging Face form: MTAForCausalLM, whose attention is an option.

Everything but the attention is transformers' Llama. `attn_implementation` chooses the path: "sdpa" (row tiles, the
default), "flex_attention" (fused, for GPUs) or "eager" (the definition, on the full matrix).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaMLP,
    LlamaModel,
    LlamaPreTrainedModel,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from mta_eval.models.attention import Path, attend, differential
from mta_eval.models.configuration import MTAConfig
from mta_eval.models.documents import Tokens, positions, read_mask
from mta_eval.models.kernels import Kernels, initialise_convolution, initialise_mixing
from mta_eval.models.query_cache import query_layer

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

    @property
    def scale(self) -> torch.Tensor:
        """DIFF's lambda, a scalar."""
        q1, k1, q2, k2 = self.lambda_vectors.float()
        return torch.exp(q1 @ k1) - torch.exp(q2 @ k2) + self.initial_scale

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: Tokens,
        past_key_values: Cache | None = None,
        **_kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """(B, T, width) -> (B, T, width). `attention_mask` carries the documents, read once for all layers."""
        batch, current, _ = hidden_states.shape
        q, k, v = (
            projection(hidden_states).view(batch, current, -1, self.head_dim).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = apply_rotary_pos_emb(q, k, *position_embeddings)
        kernels, kept = self.kernels, None
        if past_key_values is not None:
            keep = {}
            if kernels.halo:
                kept = query_layer(past_key_values, self.layer_idx).queries
                keep = {"queries": q, "halo": kernels.halo, "kept": attention_mask.kept}
            k, v = past_key_values.update(k, v, self.layer_idx, **keep)
        return self.o_proj(self._attend(q, k, v, kernels, attention_mask, kept).flatten(2)), None

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
            out = self.norm(out.float()).to(out.dtype) if out.dtype != self.norm.weight.dtype else self.norm(out)
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


class MTAPreTrainedModel(LlamaPreTrainedModel):
    """What both models share: the configuration, and how weights begin."""

    config_class = MTAConfig
    config: MTAConfig
    _no_split_modules = ("MTADecoderLayer",)
    _supports_flash_attn = False
    _supports_attention_backend = False
    _can_compile_fullgraph = False
    _can_record_outputs = {"hidden_states": MTADecoderLayer}  # noqa: RUF012  transformers wants a plain dict

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Truncated normals of std fan_in^-0.5 (or `initializer_range`), cut at 3 std; kernels by `kernel_init`."""
        if isinstance(module, (nn.Linear, nn.Embedding)):
            std = self.config.initializer_range or module.weight.shape[1] ** -0.5
            nn.init.trunc_normal_(module.weight, std=std, a=-3 * std, b=3 * std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, MTAAttention):
            for kernel in (module.convolve_before, module.convolve_after):
                if kernel is not None:
                    initialise_convolution(kernel, self.config.kernel_init, self.config.key_padding)
            for kernel in (module.mix_before, module.mix_after):
                if kernel is not None:
                    initialise_mixing(kernel, self.config.kernel_init)
            if self.config.attention == "diff":
                nn.init.normal_(module.lambda_vectors, std=0.1)
        else:
            super()._init_weights(module)


class MTAModel(MTAPreTrainedModel, LlamaModel):
    """The decoder without its head."""

    def __init__(self, config: MTAConfig) -> None:
        super(LlamaModel, self).__init__(config)
        self.padding_idx, self.vocab_size = config.pad_token_id, config.vocab_size
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, self.padding_idx)
        self.layers = nn.ModuleList(MTADecoderLayer(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config=config)
        self.gradient_checkpointing = False
        self.post_init()

    @property
    def halo(self) -> int:
        """How many earlier queries the layers look back at, at most."""
        return max((layer.kernels.halo for layer in self.modules() if isinstance(layer, MTAAttention)), default=0)

    @merge_with_config_defaults  # type: ignore[untyped-decorator]
    @capture_outputs  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """input_ids (B, T); attention_mask (B, S) holds 0 for padding, else the document's number (1 if only one).

        Positions count within each document unless given. Raises ValueError for other masks.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        hidden = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        current = hidden.shape[1]
        tokens = read_mask(attention_mask, current, past + current, self.halo)
        if position_ids is None:
            position_ids = torch.arange(past, past + current, device=hidden.device)[None]
            if tokens.documents is not None and attention_mask is not None:
                position_ids = positions(attention_mask)[:, past:]
        rotation = self.rotary_emb(hidden, position_ids=position_ids)
        for layer in self.layers:
            hidden = layer(
                hidden,
                attention_mask=tokens,
                position_embeddings=rotation,
                position_ids=position_ids,
                past_key_values=past_key_values,
                use_cache=use_cache,
                **kwargs,
            )
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden), past_key_values=past_key_values)


class MTAForCausalLM(MTAPreTrainedModel, LlamaForCausalLM):
    """A causal language model of the attention family: `generate`, `save_pretrained`, `from_pretrained` as usual."""

    def __init__(self, config: MTAConfig) -> None:
        super(LlamaForCausalLM, self).__init__(config)
        self.model = MTAModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


def _empty(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*sizes))

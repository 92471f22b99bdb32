"""The decoder of the attention family in Hugging Face form: MTAForCausalLM, whose attention variant is an option.

Everything but the attention is transformers' Llama. `attn_implementation` chooses the path: "sdpa" (the
default: fused kernels on a GPU, else row tiles) or "eager" (the definition, on the full matrix).
"""

from __future__ import annotations

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
)
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from mta_eval import registry
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.documents import Tokens, packed, read_mask, token_positions
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.query_cache import check_cache
from mta_eval.attention.registration import register_classes
from mta_eval.attention.static_steps import mask_of_starts, step_on_device, step_positions

NO_FLEX = (
    "the attention family has no flex_attention; leave attn_implementation out (fused kernels on a CUDA device, "
    "else row tiles), or take eager"
)


class MTADecoderLayer(LlamaDecoderLayer):
    """A Llama layer with the attention that the configuration names."""

    def __init__(self, config: MTAConfig, layer_idx: int) -> None:
        super(LlamaDecoderLayer, self).__init__()
        self.hidden_size = config.hidden_size
        self.self_attn = registry.find("attention", config.attention)(config, layer_idx)
        self.mlp = LlamaMLP(config)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)


class MTAPreTrainedModel(LlamaPreTrainedModel):
    """What both models share: the configuration, and how weights begin."""

    config_class = MTAConfig
    config: MTAConfig
    _no_split_modules = ("MTADecoderLayer",)
    _supports_flash_attn = False
    _supports_flex_attn = False
    _supports_attention_backend = False
    _can_compile_fullgraph = False
    takes_row_caches = True
    _can_record_outputs = {"hidden_states": MTADecoderLayer}  # noqa: RUF012  transformers wants a plain dict

    def _flex_attn_can_dispatch(self, is_init_check: bool = False) -> bool:  # noqa: ARG002  (transformers' signature)
        """Raises ValueError: what needed FlexAttention runs on fused kernels."""
        raise ValueError(NO_FLEX)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Truncated normals of std fan_in^-0.5 (or `initializer_range`), cut at 3 std; kernels by `kernel_init`."""
        if isinstance(module, (nn.Linear, nn.Embedding)):
            std = self.config.initializer_range or module.weight.shape[1] ** -0.5
            nn.init.trunc_normal_(module.weight, std=std, a=-3 * std, b=3 * std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, AttentionLayer):
            for name, parameter in module.named_parameters(recurse=False):
                if not getattr(parameter, "_is_hf_initialized", False):  # it did not come with the checkpoint
                    module.initialise(name, parameter)
        else:
            super()._init_weights(module)


class MTAModel(MTAPreTrainedModel, LlamaModel):
    """The decoder without its head."""

    def __init__(self, config: MTAConfig) -> None:
        super(LlamaModel, self).__init__(config)
        self.padding_idx, self.vocab_size = config.pad_token_id, config.vocab_size
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, self.padding_idx)
        layers = [MTADecoderLayer(config, layer) for layer in range(config.num_hidden_layers)]
        self.layers = nn.ModuleList(layers)
        self.halo = max(layer.self_attn.halo for layer in layers)  # earlier queries that are looked back at
        self.has_steps = all(layer.self_attn.has_step for layer in layers)
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config=config)
        self.gradient_checkpointing = False
        self.post_init()

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
        row_starts: torch.Tensor | None = None,
        **kwargs: object,
    ) -> BaseModelOutputWithPast:
        """input_ids (B, T); attention_mask (B, S) holds 0 for padding, else the document's number (1 if only one).

        Positions count within each document unless given; without a mask, positions that start again are a packed
        batch. `row_starts` (B,) in the place of a mask says how much padding each row begins with.

        One more token a row after a static cache, without a mask, waits for nothing on a CUDA device, so that it can be
        captured in a CUDA graph or compiled; whether the cache has room is not looked at there.

        Raises ValueError for other masks, and for `output_attentions`: no whole matrix is ever made.
        """
        if kwargs.get("output_attentions"):
            raise ValueError("attention is never made as a whole; mta_eval.attention.inspection shows its last rows")
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        hidden = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        tokens = None
        if attention_mask is None and self.has_steps:
            tokens = step_on_device(past_key_values, hidden.shape[1], row_starts, hidden.device)
        if tokens is None:
            tokens, positions = self._read(hidden, attention_mask, position_ids, past_key_values, row_starts)
        else:
            positions = step_positions(tokens)
        position_ids = positions if position_ids is None else position_ids
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

    def _read(
        self,
        hidden: torch.Tensor,
        mask: torch.Tensor | None,
        position_ids: torch.Tensor | None,
        cache: Cache | None,
        starts: torch.Tensor | None,
    ) -> tuple[Tokens, torch.Tensor]:
        """How the current tokens stand, and their positions (B or 1, T), read on the host."""
        past, current = 0, hidden.shape[1]
        if cache is not None:
            past = int(cache.get_seq_length())  # a static cache counts in a tensor
            check_cache(cache, past + current, hidden.device)
        if mask is None and starts is not None:
            mask = mask_of_starts(starts, past + current)
        if mask is None and position_ids is not None and not past:
            mask = packed(position_ids.expand(hidden.shape[0], -1))
        tokens = read_mask(mask, current, past + current, self.halo)
        if tokens.documents is not None and mask is not None:
            return tokens, token_positions(mask)[:, past:]
        return tokens, torch.arange(past, past + current, device=hidden.device)[None]


class MTAForCausalLM(MTAPreTrainedModel, LlamaForCausalLM):
    """A causal language model of the attention family: `generate`, `save_pretrained`, `from_pretrained` as usual."""

    def __init__(self, config: MTAConfig) -> None:
        super(LlamaForCausalLM, self).__init__(config)
        self.model = MTAModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def prepare_inputs_for_generation(
        self, *args: object, attention_mask: torch.Tensor | None = None, **kwargs: object
    ) -> dict[str, object]:
        """Raises ValueError for packed documents: what is generated continues one document, whose number is 1."""
        if attention_mask is not None and bool((attention_mask > 1).any()):
            raise ValueError("generate continues one document a row: its attention mask is of 0 and 1")
        inputs: dict[str, object] = super().prepare_inputs_for_generation(
            *args, attention_mask=attention_mask, **kwargs
        )
        return inputs

    @staticmethod
    def create_masks_for_generate(attention_mask: torch.Tensor | None = None, **_inputs: object) -> torch.Tensor | None:
        """The mask (B, S) as it is: transformers would make a (B, 1, T, room) one for a static cache."""
        return attention_mask

    def _valid_auto_compile_criteria(self, *_args: object) -> bool:
        """Never: masks and lengths are read on the host, so a compiled step would be compiled for every length."""
        return False


register_classes(MTAConfig, MTAModel, MTAForCausalLM)

"""Tiny models of random weights, one for every kind of cache and of positions, in float64."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.models.context_extension.chunks import Chunking
from mta_eval.models.context_extension.longheads import apply_longheads

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 400,
    "initializer_range": 0.4,
}
KERNELS = {"query_kernel_before": 3, "key_kernel_before": 5, "query_kernel_after": 2, "key_kernel_after": 3}


def family(attention: str, **options: Any) -> Any:
    return MTAForCausalLM(MTAConfig(**SIZES, attention=attention, kernel_init="uniform", **options))


def llama(**options: Any) -> Any:
    return LlamaForCausalLM(LlamaConfig(**SIZES, **options))


def scaled(kind: str) -> Any:
    rope = {"rope_type": kind, "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
    model = llama(rope_parameters=rope)
    model.config.max_position_embeddings = 32
    return model


MAKERS: dict[str, Callable[[], Any]] = {
    "llama": llama,
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=400)),
    "sliding": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=24)),
    "wide sliding": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=4096)),
    "mta": lambda: family("mta", **KERNELS),
    "mta in one layer": lambda: family("mta", convolution_layers=[1], **KERNELS),
    "diff": lambda: family("diff"),
    "talking heads": lambda: family("talking_heads"),
    "longheads": lambda: apply_longheads(llama().double(), Chunking(8, 32, 32)),
    "longheads, released": lambda: apply_longheads(llama().double(), Chunking(8, 32, 32, released=True)),
    "sinks": lambda: apply_longheads(llama().double(), Chunking(8, 32, 32, "first_and_recent")),
    "yarn": lambda: scaled("yarn"),
    "dynamic": lambda: scaled("dynamic"),
    "mamba": lambda: MambaForCausalLM(MambaConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, state_size=4)),
}


@cache
def build(kind: str) -> Any:
    """Every weight random, in float64; the same whether the first test that asks is in inference mode or not."""
    with torch.random.fork_rng(), torch.inference_mode(False):
        torch.manual_seed(5)
        return MAKERS[kind]().eval().double()


def prompt(seed: int, length: int) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(1, 40) for _ in range(length)]

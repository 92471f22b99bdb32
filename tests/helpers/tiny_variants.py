"""A tiny model of every attention variant in the registry, and of one that a plugin adds."""

from __future__ import annotations

from functools import cache

import torch

from mta_eval import registry
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM

VARIANTS = (*registry.names("attention"), "alibi")
ALIBI = ("mta_eval.attention", "alibi", "plugin_package.alibi:ALiBiAttention")  # for the fixture `plugin`


@cache
def build(variant: str) -> MTAForCausalLM:
    """A tiny model of it, every weight random, in float64."""
    config = MTAConfig(
        attention=variant,
        vocab_size=40,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        kernel_init="uniform",
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = MTAForCausalLM(config).double().eval()
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def ids(batch: int, tokens: int, seed: int = 0) -> torch.Tensor:
    """Random token ids (B, T), none of them padding."""
    return torch.randint(1, 40, (batch, tokens), generator=torch.Generator().manual_seed(seed))

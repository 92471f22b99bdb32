"""Logits of MTA, DIFF and LongHeads are those of the authors' equations, worked out in plain Python and kept."""

from __future__ import annotations

import json
from typing import Any

import attention_equations as equations
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.models.context_extension.chunks import Chunking
from mta_eval.models.context_extension.longheads import apply_longheads

EXPECTED = json.loads(equations.FILE.read_text())
KINDS = ("mta", "diff", "longheads")
SIZES: dict[str, Any] = {
    "vocab_size": equations.WORDS,
    "hidden_size": equations.WIDTH,
    "intermediate_size": equations.HIDDEN,
    "num_hidden_layers": equations.LAYERS,
    "num_attention_heads": equations.HEADS,
    "num_key_value_heads": equations.HEADS,
    "head_dim": equations.SIZE,
    "max_position_embeddings": 64,
    "rms_norm_eps": equations.EPS,
    "rope_parameters": {"rope_type": "default", "rope_theta": equations.THETA},
    "tie_word_embeddings": False,
}
KERNELS = {
    **{f"query_kernel_{when}": equations.QUERIES for when in ("before", "after")},
    **{f"key_kernel_{when}": equations.KEYS for when in ("before", "after")},
    "head_kernel_before": equations.HEADS,
    "head_kernel_after": 2,
}


def model(kind: str) -> Any:
    if kind == "longheads":
        made: Any = LlamaForCausalLM(LlamaConfig(**SIZES))
    else:
        made = MTAForCausalLM(MTAConfig(**SIZES, attention=kind, **(KERNELS if kind == "mta" else {})))
    made = made.double().eval()
    weights = {
        name: torch.tensor(equations.flat(name, shape), dtype=torch.float64).reshape(shape)
        for name, shape in equations.shapes(kind).items()
    }
    made.load_state_dict(weights)
    if kind == "longheads":
        return apply_longheads(made, Chunking(equations.WINDOW, equations.ATTENTION_LENGTH, equations.ATTENTION_LENGTH))
    return made


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_logits_are_those_of_the_equations(kind: str) -> None:
    found = model(kind)(torch.tensor([equations.TOKENS])).logits[0]
    # transformers has its angles and norms in float32
    torch.testing.assert_close(found, torch.tensor(EXPECTED[kind], dtype=torch.float64), rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_of_the_file_are_made_again(kind: str) -> None:
    for row, expected in zip(equations.logits(kind), EXPECTED[kind], strict=True):
        assert row == pytest.approx(expected, abs=1e-8)


def test_the_attentions_differ_by_far_more_than_the_tolerance() -> None:
    numbers = [torch.tensor(EXPECTED[kind]) for kind in KINDS]
    assert min((a - b).abs().max() for a in numbers for b in numbers if a is not b) > 0.1

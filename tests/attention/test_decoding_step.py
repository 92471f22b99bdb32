"""The fused step of one token without a GPU: interpreted against the oracle, compiled, and what it refuses."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import torch
from test_fused import CARDS, SPILLED, run

from mta_eval.attention.fused import decode_attention, decoding_unsupported
from mta_eval.attention.kernels import Kernels

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")

CASES: dict[str, dict[str, Any]] = {
    "a room of which some holds tokens, padding": {"room": 90, "starts": [0, 33]},
    "three heads share keys, kernel left": {"heads": 6, "groups": 2, "padding": "left", "tokens": 50},
    "fewer tokens than the kernel, kernel right": {"tokens": 2, "kernel": [4, 4], "padding": "right"},
    "pairs mixed, values of their own": {"mix": 2, "tokens": 40, "value": 24},
}
MORE: dict[str, dict[str, Any]] = {
    "no kernel, a row of one token": {"kernel": None, "starts": [5, 39], "tokens": 40},
    "a row that is nothing but padding": {"starts": [30, 2], "tokens": 30},
    "float16": {"dtype": "float16", "tokens": 40},
    "one token": {"tokens": 1},
    "as many splits as a card would have": {"tokens": 300, "splits": None},
    "four heads share keys": {"heads": 4, "groups": 1, "padding": "right", "kernel": [4, 4]},
    "six heads share keys, in two programs": {"heads": 6, "groups": 1, "tokens": 33},
    "mixed within the heads that share keys": {"heads": 4, "groups": 1, "mix": 2},
    "mixed over two groups of keys": {"heads": 8, "groups": 4, "mix": 4, "tokens": 50},
    "largest head and kernel": {"kernel": [8, 15], "size": 256, "value": 256, "heads": 1, "groups": 1},
    "the paper's kernel, head 96": {"kernel": [6, 11], "size": 96, "value": 96, "tokens": 150},
    "keys alone": {"kernel": [1, 15], "padding": "right"},
    "queries alone, a room": {"kernel": [8, 1], "room": 71, "starts": [66, 0]},
}
LARGEST = {"queries_in_kernel": 8, "keys_in_kernel": 15, "left": 7}
SHAPES: list[dict[str, Any]] = [
    {},
    {"size": 64, "value": 64, "groups": 4},
    {"size": 128, "value": 128, "groups": 2},
    {"size": 256, "value": 256, "groups": 4, **LARGEST},
    {"mixed": 2},
    {"mixed": 4},
    {"mixed": 2, "size": 256, "value": 256},
    {"item": 4},
    {"item": 4, "size": 256, "value": 256, "groups": 4, **LARGEST},
    {"item": 4, "mixed": 2, "size": 128, "value": 128},
    {"queries_in_kernel": 1, "keys_in_kernel": 1, "left": 0},
]


def check(cases: dict[str, dict[str, Any]]) -> None:
    found = run("decoding_cases.py", list(cases.values()), TRITON_INTERPRET="1")
    errors = {name: one["out"] for name, one in zip(cases, found, strict=True)}
    bounds = {name: 4e-3 if "dtype" in case else 1e-5 for name, case in cases.items()}
    assert {name: error for name, error in errors.items() if not error <= bounds[name]} == {}


@needs_triton
def test_a_step_is_the_oracles_and_reads_no_place_without_a_token() -> None:
    check(CASES)


@needs_triton
@pytest.mark.slow
def test_steps_of_more_shapes_are_the_oracles() -> None:
    check(MORE)


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("capability", CARDS)
def test_every_configuration_of_a_step_fits_its_card(capability: int) -> None:
    tasks = [{"decoding": True, "capability": capability, "memory": 0, **shape} for shape in SHAPES]
    found = run("compiled_kernels.py", tasks, TRITON_INTERPRET="0")
    assert len(found) == 2 * len(SHAPES)
    shapes = [shape for shape in SHAPES for _ in range(2)]
    wrong = [(shape, one) for shape, one in zip(shapes, found, strict=True) if one["shared"] > CARDS[capability]]
    assert wrong == []
    # heads of 256 in float32 spill 168 bytes: one head's kernel takes half of the registers
    spilled = [
        (shape, one)
        for shape, one in zip(shapes, found, strict=True)
        if one["stack"] > (256 if shape.get("item") == 4 and shape.get("size") == 256 else SPILLED)
    ]
    assert spilled == []


def test_a_step_says_why_it_has_no_form() -> None:
    q, k, v = torch.randn(1, 6, 3, 8), torch.randn(1, 2, 9, 8), torch.randn(1, 2, 9, 8)
    kernel = torch.randn(6, 3, 3)
    assert decoding_unsupported(q, k, v, Kernels(kernel)) is None
    assert decoding_unsupported(q, k, v, Kernels(kernel, mix_after=torch.randn(1, 6, 6))) is None
    assert "2 heads are mixed where 3 share" in (
        decoding_unsupported(q, k, v, Kernels(mix_after=torch.randn(3, 2, 2))) or ""
    )
    wide = [torch.randn(1, 6, 9, 128) for _ in range(3)]
    assert "768 elements" in (decoding_unsupported(*wide, Kernels(mix_after=torch.randn(1, 6, 6))) or "")
    assert "mixed before softmax" in (decoding_unsupported(q, k, v, Kernels(mix_before=torch.randn(1, 6, 6))) or "")
    with pytest.raises(ValueError, match="2 queries; a step takes 3"):
        decode_attention(q[:, :, 1:], k, v, kernel)
    with pytest.raises(ValueError, match="do not fit"):
        decode_attention(q, k, v[:, :1], kernel)
    with pytest.raises(ValueError, match="take float32"):
        decode_attention(q.double(), k.double(), v.double(), kernel)

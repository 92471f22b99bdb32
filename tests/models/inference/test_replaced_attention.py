"""Attention of our own in place of a model's: the same numbers, and it never stays."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tiny_models import build, prompt
from torch.nn import functional as F

from mta_eval.models.inference import replaced_attention
from mta_eval.models.inference.prefill import Prefill
from mta_eval.models.inference.replaced_attention import PIECE, UnsupportedAttentionError, attend_piece, use_attention


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 0.02)]
)
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_a_piece_is_attended_as_with_a_mask(dtype: torch.dtype, tolerance: float, groups: int) -> None:
    draw = torch.Generator().manual_seed(0)
    for current, total in ((2, 3), (7, 90), (64, 65), (100, 300)):
        q = torch.randn(2, current, 6, 16, generator=draw).to(dtype).transpose(1, 2)
        k, v = torch.randn(2, 2, groups, total, 16, generator=draw).to(dtype)
        mask = torch.ones(current, total, dtype=torch.bool).tril(total - current)
        wanted = F.scaled_dot_product_attention(
            q.double(), k.double(), v.double(), mask, scale=0.3, enable_gqa=True
        ).transpose(1, 2)
        found = attend_piece(q, k, v, 0.3)
        torch.testing.assert_close(found.double(), wanted, atol=tolerance, rtol=tolerance)


def test_the_models_own_attention_comes_back_whatever_happens() -> None:
    model = build("llama")

    def fail() -> None:
        with use_attention(model, PIECE):
            assert model.config._attn_implementation == PIECE
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        fail()
    assert model.config._attn_implementation == "sdpa"


def test_a_model_that_goes_its_own_way_is_found_out() -> None:
    with (
        pytest.raises(UnsupportedAttentionError, match="0 of 2 layers called the attention"),
        use_attention(build("llama"), PIECE),
    ):
        pass


def test_pieces_are_read_by_it_where_that_can_be_and_by_the_model_where_not(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []

    def watched(query: torch.Tensor, *others: Any) -> torch.Tensor:
        used.append(query.shape[2])
        return attend_piece(query, *others)

    replaced_attention.register_attention(PIECE, watched)
    try:
        for known, wanted in ((replaced_attention.IGNORED_OPTIONS, [2, 2, 60, 60]), ((), [])):
            monkeypatch.setattr(replaced_attention, "IGNORED_OPTIONS", known)
            used.clear()
            reader = Prefill(build("llama"))
            with torch.inference_mode():
                reader.read(prompt(1, 100))
                logits, _ = reader.read(prompt(1, 50) + prompt(2, 60))
                whole = build("llama")(torch.tensor([prompt(1, 50) + prompt(2, 60)])).logits[0, -1]
            torch.testing.assert_close(logits[-1], whole, atol=1e-9, rtol=0)
            assert used == wanted
    finally:
        replaced_attention.register_attention(PIECE, attend_piece)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_to_some_keys_is_its_definition(dtype: torch.dtype, masked: bool) -> None:
    """What a GPU computes, and what a CPU does in its place."""
    random = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, 3, length, 8, generator=random).to(dtype) for length in (5, 40, 40))
    mask = torch.zeros(2, 1, 5, 40, dtype=dtype)
    mask[0, :, :2, 7:], mask[1, :, 3, 1:30] = -math.inf, -math.inf
    given = (query, key, value, 0.4, mask if masked else None)
    (fast, fast_sum), (plain, plain_sum) = (
        replaced_attention.attend_part(*given),
        replaced_attention.attend_by_definition(*given),
    )
    assert plain.dtype == torch.promote_types(dtype, torch.float32)
    near = {"atol": 0.03, "rtol": 0.02} if dtype == torch.bfloat16 else {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(fast.to(plain.dtype), plain, **near)
    torch.testing.assert_close(fast_sum.to(plain.dtype), plain_sum, **near)
    scores = query.double() @ key.double().transpose(-1, -2) * 0.4 + (mask if masked else 0)
    torch.testing.assert_close(plain.double(), torch.softmax(scores, -1) @ value.double(), **near)

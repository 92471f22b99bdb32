"""Padding, packed documents and chunks, on every path, against the oracle."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mta_eval.attention import naive, tiles
from mta_eval.attention import paths as attention
from mta_eval.attention.documents import read_mask
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.paths import Path, attend, softmax_attention
from mta_eval.attention.query_cache import QueryLayer

DOUBLE = torch.float64
PATHS: tuple[Path, ...] = get_args(Path)
MASKS = {
    "left padding": [[0, 0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1, 1]],
    "right padding": [[1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0]],
    "padding in the middle": [[1, 1, 1, 0, 0, 1, 1, 1], [1, 1, 0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0, 1, 1]],
    "no padding, one row of which is packed": [[1] * 8, [2, 2, 2, 1, 1, 1, 1, 1], [4] * 8],
    "two documents": [[1, 1, 1, 1, 1, 2, 2, 2]] * 3,
    "three documents and padding": [[1, 1, 2, 2, 2, 3, 3, 3], [3, 0, 7, 7, 7, 5, 0, 0], [0, 0, 0, 0, 0, 1, 2, 3]],
    "one row empty": [[0] * 8, [1] * 8, [1] * 8],
}


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def qkv(batch: int, tokens: int, heads: int = 4, groups: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return random(1, batch, heads, tokens, 3), random(2, batch, groups, tokens, 3), random(3, batch, groups, tokens, 3)


KERNELS = {
    "none": Kernels(),
    "convolution before": Kernels(random(4, 4, 3, 5)),
    "before, and mixed after": Kernels(random(4, 4, 3, 4), mix_after=random(5, 2, 2, 2)),
    "mixed before and after": Kernels(mix_before=random(5, 1, 4, 4), mix_after=random(6, 1, 4, 4)),
    "all": Kernels(random(4, 4, 3, 5), random(5, 2, 2, 2), random(6, 4, 2, 3), random(7, 1, 4, 4), "left"),
}


def far_off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max())


def whole_pass(inputs: Any, kernels: Kernels, mask: torch.Tensor, path: Path = "tiles") -> torch.Tensor:
    tokens = inputs[0].shape[2]
    return attend(*inputs, kernels, read_mask(mask, tokens, tokens, kernels.halo), path=path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kernels", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("lines", MASKS.values(), ids=MASKS)
def test_documents_and_padding(lines: list[list[int]], kernels: Kernels, path: Path) -> None:
    mask, inputs = torch.tensor(lines), qkv(3, 8)
    wanted = naive.attention(*inputs, kernels, mask)
    assert far_off(whole_pass(inputs, kernels, mask, path), wanted) < 1e-10


@settings(max_examples=50, deadline=None)
@given(lines=st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=3))
def test_documents_may_lie_in_any_order(lines: list[list[int]]) -> None:
    mask, inputs = torch.tensor(lines), qkv(len(lines), 7)
    wanted = naive.attention(*inputs, KERNELS["all"], mask)
    torch.testing.assert_close(whole_pass(inputs, KERNELS["all"], mask), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kernels", KERNELS.values(), ids=KERNELS)
def test_nothing_crosses_from_document_to_document(kernels: Kernels, path: Path) -> None:
    mask = torch.tensor([[1] * 40 + [2] * 45 + [3] * 5, [1] * 3 + [0] * 3 + [2] * 80 + [5] * 4])
    inputs = qkv(2, 90)
    before = whole_pass(inputs, kernels, mask, path)
    changed = [torch.where((mask == 2)[:, None, :, None], tensor + 3, tensor) for tensor in inputs]
    after = whole_pass(changed, kernels, mask, path)
    same = (before == after).all(-1).all(1)
    assert torch.equal(same, mask != 2)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kernels", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("rubbish", [torch.nan, torch.inf, 1e30])
def test_what_stands_in_padding_does_not_matter(rubbish: float, kernels: Kernels, path: Path) -> None:
    mask, inputs = torch.tensor([[0] * 4 + [1] * 40, [1] * 30 + [0] * 14, [1] * 10 + [0] * 4 + [2] * 30]), qkv(3, 44)
    wanted = whole_pass(inputs, kernels, mask, path)
    padded = (mask == 0)[:, None, :, None]
    found = whole_pass([tensor.masked_fill(padded, rubbish) for tensor in inputs], kernels, mask, path)
    assert torch.equal(found, wanted)
    assert not found.masked_select(padded).any()


def in_chunks(inputs: Any, kernels: Kernels, mask: torch.Tensor | None, chunks: list[int], path: Path) -> torch.Tensor:
    """As a decoder does it: keys, values and the last queries are kept in a cache's layer."""
    layer, parts, first = QueryLayer(), [], 0
    for chunk in chunks:
        last = first + chunk
        q, k, v = (tensor[:, :, first:last] for tensor in inputs)
        tokens = read_mask(None if mask is None else mask[:, :last], chunk, last, kernels.halo)
        kept = layer.queries
        k, v = layer.update(k, v, queries=q, halo=kernels.halo, kept=tokens.kept)
        parts.append(attend(q, k, v, kernels, tokens, kept, path=path))
        first = last
    return torch.cat(parts, 2)


@st.composite
def chunked(draw: st.DrawFn) -> tuple[torch.Tensor, list[int]]:
    """A mask of documents one after another with padding anywhere, and how it is cut."""
    length, rows = draw(st.integers(1, 30)), []
    for _ in range(draw(st.integers(1, 3))):
        line = sorted(draw(st.lists(st.integers(1, 3), min_size=length, max_size=length)))
        padded = draw(st.lists(st.integers(0, length), max_size=length))
        rows.append([0 if place in padded else number for place, number in enumerate(line)])
    cuts = sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=6))})
    return torch.tensor(rows), [after - before for before, after in pairwise(cuts)]


@settings(max_examples=120, deadline=None)
@given(case=chunked(), name=st.sampled_from(sorted(KERNELS)), path=st.sampled_from(("tiles", "definition")))
def test_chunks_with_kept_queries_are_one_pass(case: tuple[torch.Tensor, list[int]], name: str, path: Path) -> None:
    mask, chunks = case
    inputs, kernels = qkv(*mask.shape), KERNELS[name]
    wanted = naive.attention(*inputs, kernels, mask)
    torch.testing.assert_close(in_chunks(inputs, kernels, mask, chunks, path), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kernels", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("prompt", [[1] * 12, [1] * 7 + [0] * 5, [1] + [0] * 11, [0] * 4 + [1] * 8, [1] * 4 + [2] * 8])
def test_decoding_after_prompts_of_different_lengths(prompt: list[int], kernels: Kernels, path: Path) -> None:
    mask = torch.tensor([prompt + [max(prompt)] * 9, [1] * 21])
    inputs = qkv(2, 21)
    wanted = naive.attention(*inputs, kernels, mask)
    assert far_off(in_chunks(inputs, kernels, mask, [5, 7, 1, 1, 1, 4, 1, 1], path), wanted) < 1e-10
    alone = in_chunks([tensor[1:] for tensor in inputs], kernels, None, [1, 1, 10] + [1] * 9, path)
    assert far_off(alone, wanted[1:]) < 1e-10


@pytest.mark.parametrize("current", [1, 2, 3, 16, 17])
@pytest.mark.parametrize("elements", [1, 40, attention.MASK_ELEMENTS])
def test_softmax_attention_of_the_last_tokens(current: int, elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "MASK_ELEMENTS", elements)
    q, k, v = qkv(2, 17)
    found = softmax_attention(q[:, :, 17 - current :], k, v)
    assert far_off(found, naive.attention(q, k, v)[:, :, 17 - current :]) < 1e-10


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kernels", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("padded", [False, True])
def test_half_precision_is_close_to_float32(dtype: torch.dtype, path: Path, kernels: Kernels, padded: bool) -> None:
    half = [tensor.to(dtype) for tensor in qkv(2, 50)]
    mask = torch.tensor([[0] * (5 if padded else 0) + [1] * (45 if padded else 50), [1] * 50])
    wanted = whole_pass([tensor.float() for tensor in half], kernels.to(dtype).to(torch.float32), mask)
    found = whole_pass(half, kernels.to(dtype), mask, path)
    assert found.dtype == dtype
    if kernels != KERNELS["none"]:  # rounded once, at the end
        torch.testing.assert_close(found, wanted.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-5)
    assert far_off(found.float(), wanted) < 0.03


def mixed(inputs: Any, kernels: Kernels, mask: torch.Tensor, enabled: bool) -> list[torch.Tensor]:
    """Output and gradients as a model's layer makes them: rotation leaves q and k in float32, v is what autocast is."""
    leaves = [tensor.float().requires_grad_() for tensor in (*inputs, *kernels[:4]) if tensor is not None]
    rest = iter(leaves[3:])
    learned = kernels.replaced([None if kernel is None else next(rest) for kernel in kernels[:4]])
    q, k, v = leaves[:3]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
        out = whole_pass((q, k, v.bfloat16() if enabled else v), learned, mask)
    return [out.detach(), *torch.autograd.grad(out.float().square().sum(), leaves)]


@pytest.mark.parametrize("recompute_from", [0, tiles.RECOMPUTE_FROM])
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("kernels", KERNELS.values(), ids=KERNELS)
def test_mixed_precision_is_close_to_float32(
    kernels: Kernels, padding: int, recompute_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "RECOMPUTE_FROM", recompute_from)
    mask = torch.tensor([[0] * padding + [1] * (50 - padding), [1] * 50])
    found, wanted = (mixed(qkv(2, 50), kernels, mask, enabled) for enabled in (True, False))
    for tensor, other in zip(found, wanted, strict=True):
        assert far_off(tensor.float(), other) < 0.1

"""The fused form against the oracle, in float64, with FlexAttention as torch runs it unfused on a CPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mta_eval.attention import flex as fused
from mta_eval.attention import naive
from mta_eval.attention.flex import attend_by_flex, can_fuse
from mta_eval.attention.kernels import Kernels

DOUBLE = torch.float64
# fused on a CPU it would be compiled by a C++ compiler for every shape; the unfused form computes the same, and warns
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def far_off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-3))


def inputs(heads: int, groups: int, tokens: int, batch: int = 1) -> list[torch.Tensor]:
    return [random(seed, batch, h, tokens, d) for seed, h, d in ((1, heads, 3), (2, groups, 3), (3, groups, 2))]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[torch.Tensor], Kernels]:
    """Inputs of one document, and kernels that have a fused form."""
    groups, each, batch = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    heads, tokens, seed = groups * each, draw(st.integers(2, 40)), draw(st.integers(0, 99))
    size = draw(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 7)))
    group = draw(st.sampled_from([None, *(size for size in range(1, heads + 1) if heads % size == 0)]))
    width, padding = draw(st.integers(1, 4)), draw(st.sampled_from(("both", "left", "right")))
    kernels = Kernels(
        convolve_before=None if size is None else random(seed, heads, *size),
        mix_after=None if group is None else random(seed + 1, heads // group, group, group),
        key_padding=padding,
    )
    shapes = ((batch, heads, tokens, width), (batch, groups, tokens, width), (batch, groups, tokens, width))
    return [random(seed + 50 + i, *shape) for i, shape in enumerate(shapes)], kernels


def test_softmax_that_is_taken_twice_has_no_fused_form() -> None:
    assert can_fuse(Kernels(), 2)
    assert not can_fuse(Kernels(softmax_again=True), 2)


@settings(max_examples=40, deadline=None)
@given(case=cases(), cut=st.integers(0, 40))
def test_the_fused_form_is_the_definition(case: Any, cut: int) -> None:
    (q, k, v), kernels = case
    past = min(cut, q.shape[2] - 2)
    history = min(kernels.halo, past)
    assert can_fuse(kernels, q.shape[2] - past)
    found = attend_by_flex(q[:, :, past - history :], k, v, kernels, history)
    assert far_off(found, naive.attention(q, k, v, kernels)[:, :, past:]) < 1e-10


@pytest.mark.parametrize("tokens", [1, 2, 9, 10, 11, 12, 80])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_papers_kernel_around_the_length_of_its_band(tokens: int, groups: int) -> None:
    q, k, v = inputs(4, groups, tokens, batch=2)
    kernels = Kernels(convolve_before=random(4, 4, 6, 11), mix_after=random(5, 2, 2, 2))
    assert far_off(attend_by_flex(q, k, v, kernels), naive.attention(q, k, v, kernels)) < 1e-10


@pytest.mark.parametrize("padding", ["both", "left", "right"])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 1), (2, 2), (1, 2)])
def test_kernels_of_one_row_or_one_key(size: tuple[int, int], padding: Any) -> None:
    q, k, v = inputs(2, 1, 7)
    kernels = Kernels(convolve_before=random(4, 2, *size), key_padding=padding)
    assert far_off(attend_by_flex(q, k, v, kernels), naive.attention(q, k, v, kernels)) < 1e-10


def differentiable(q: Any, k: Any, v: Any, *, score_mod: Any, scale: float, **_: Any) -> Any:
    """Stands in for FlexAttention, which has no backward pass on a CPU."""
    k, v = (tensor.repeat_interleave(q.shape[1] // tensor.shape[1], 1) for tensor in (k, v))
    rows, columns = torch.arange(q.shape[2])[:, None], torch.arange(k.shape[2])
    scores = score_mod(q @ k.mT * scale, None, None, rows, columns)
    return torch.softmax(scores, -1) @ v, SimpleNamespace(lse=torch.logsumexp(scores, -1))


@pytest.mark.parametrize(("tokens", "past"), [(6, 0), (30, 0), (30, 3), (30, 20)])
@pytest.mark.parametrize("mixes", [False, True])
def test_gradients_are_the_definitions(tokens: int, past: int, mixes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "_kernel", lambda _: differentiable)
    kernel, mix = random(4, 4, 3, 4).requires_grad_(), random(5, 2, 2, 2).requires_grad_()
    leaves = [tensor.requires_grad_() for tensor in inputs(4, 2, tokens)]
    kernels = Kernels(kernel, mix_after=mix if mixes else None)
    learned = [*leaves, kernel, *([mix] if mixes else [])]
    history = min(2, past)
    q, k, v = leaves
    whole = naive.attention(q, k, v, kernels)[:, :, past:]
    found = attend_by_flex(q[:, :, past - history :], k, v, kernels, history)
    into = random(9, *whole.shape)
    pairs = zip(torch.autograd.grad(found, learned, into), torch.autograd.grad(whole, learned, into), strict=True)
    assert max(far_off(*pair) for pair in pairs) < 1e-9


def test_a_later_token_changes_nothing_before_it() -> None:
    tensors, kernels = inputs(4, 2, 40), Kernels(random(4, 4, 3, 5), mix_after=random(5, 2, 2, 2))
    whole = attend_by_flex(*tensors, kernels)
    for token in (1, 3, 8, 20, 39):
        changed = [tensor.clone() for tensor in tensors]
        for tensor in changed:
            tensor[:, :, token] += 3
        found = attend_by_flex(*changed, kernels)
        assert torch.equal(found[:, :, :token], whole[:, :, :token]), token
        assert not torch.equal(found[:, :, token], whole[:, :, token]), token


def test_what_has_a_fused_form() -> None:
    before, mix = random(1, 2, 3, 3), random(2, 1, 2, 2)
    assert can_fuse(Kernels(), 2)
    assert can_fuse(Kernels(convolve_before=before), 2)
    assert can_fuse(Kernels(convolve_before=before, mix_after=mix), 2)
    assert not can_fuse(Kernels(convolve_before=before), 1)
    assert not can_fuse(Kernels(convolve_after=before), 2)
    assert not can_fuse(Kernels(mix_before=mix), 2)

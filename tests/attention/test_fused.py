"""The fused Triton kernels, interpreted on a CPU, against the oracle's equations in float64."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mta_eval.attention import fused, naive, paths
from mta_eval.attention.kernels import Kernels, KeyPadding

pytest.importorskip("triton", reason="Triton is there on Linux alone")
# of Triton's interpreter, with today's numpy
pytestmark = [
    pytest.mark.filterwarnings("ignore:Conversion of an array with ndim > 0:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:divide by zero encountered in log2:RuntimeWarning"),
]
Tensors = list[torch.Tensor]
TOLERANCE = 1e-5  # relative, float32


@pytest.fixture(autouse=True)
def poisoned() -> Iterator[None]:
    """What `torch.empty` gives is NaN, so that an element that is never written shows."""
    fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = fill


def inputs(
    tokens: int, heads: int, groups: int, size: int, kernel: tuple[int, int], value: int = 0, mix: int = 0
) -> Tensors:
    """q, k, v, the kernel and perhaps a head kernel, in float64."""
    draw = torch.Generator().manual_seed(tokens + size)
    shapes = [(1, heads, tokens, size), (1, groups, tokens, size), (1, groups, tokens, value or size)]
    tensors = [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]
    tensors.append(0.3 * torch.randn(heads, *kernel, generator=draw, dtype=torch.float64))
    if mix:
        tensors.append(torch.randn(heads // mix, mix, mix, generator=draw, dtype=torch.float64))
    return tensors


def far_off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    # one token's softmax has no gradient: then the error is an absolute one
    return float((found.detach().double() - wanted.detach()).norm() / max(float(wanted.detach().norm()), 1e-2))


def check(tensors: Tensors, padding: KeyPadding = "both", documents: torch.Tensor | None = None, past: int = 0) -> None:
    """Outputs and the gradients of everything, of the tokens from `past` on."""
    exact = [tensor.clone().requires_grad_() for tensor in tensors]
    given = [tensor.float().requires_grad_() for tensor in tensors]
    kernels = Kernels(exact[3], mix_after=exact[4] if len(exact) > 4 else None, key_padding=padding)
    wanted = naive.attention(*exact[:3], kernels, documents)[:, :, past:]
    history = min(kernels.halo, past)
    found = fused.fused_attention(
        given[0][:, :, past - history :],
        given[1],
        given[2],
        given[3],
        history=history,
        key_padding=padding,
        documents=documents,
        mix_after=given[4] if len(given) > 4 else None,
    )
    assert isinstance(found, torch.Tensor)
    assert far_off(found, wanted) < TOLERANCE
    into = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = torch.autograd.grad(found, given, into.float())
    for gradient, right in zip(gradients, torch.autograd.grad(wanted, exact, into), strict=True):
        assert far_off(gradient, right) < TOLERANCE


@pytest.mark.parametrize("padding", ["both", "left", "right"])
@pytest.mark.parametrize("kernel", [(6, 11), (1, 4), (4, 1)])
def test_every_padding_of_kernels_forward_and_backward(padding: KeyPadding, kernel: tuple[int, int]) -> None:
    check(inputs(45, 2, 2, 16, kernel), padding)


@pytest.mark.parametrize("tokens", [1, 2, 33, 70, 131])
def test_lengths_that_fill_no_block(tokens: int) -> None:
    check(inputs(tokens, 2, 1, 16, (3, 5)))


@pytest.mark.parametrize(("size", "value"), [(48, 0), (96, 0), (64, 32)])
def test_head_sizes_that_are_no_power_of_two_and_values_of_another(size: int, value: int) -> None:
    check(inputs(37, 2, 2, size, (2, 3), value))


@pytest.mark.slow
def test_the_largest_head_and_kernel() -> None:
    check(inputs(40, 1, 1, 256, (8, 15)))


def test_grouped_queries() -> None:
    check(inputs(50, 4, 2, 16, (3, 5)))


@pytest.mark.parametrize("past", [1, 3, 30])
def test_a_piece_after_a_cache(past: int) -> None:
    check(inputs(50, 2, 1, 16, (4, 5)), past=past)


@pytest.mark.parametrize(
    "documents", [[1] * 20 + [2] * 25, [0] * 7 + [1] * 38, [1] * 10 + [2] + [3] * 30 + [0] * 4], ids=str
)
def test_packed_documents_and_padding(documents: list[int]) -> None:
    check(inputs(45, 2, 2, 16, (3, 5)), documents=torch.tensor([documents]))


def test_heads_mixed_after_softmax() -> None:
    check(inputs(40, 4, 2, 16, (3, 5), mix=2))


def test_the_log_sum_exp_is_that_of_the_logits_and_has_a_gradient() -> None:
    q, k, v, kernel = inputs(30, 2, 2, 16, (3, 5))
    exact = [tensor.clone().requires_grad_() for tensor in (q, k, kernel)]
    scores = (exact[0][0] @ exact[1][0].transpose(1, 2) / 4).masked_fill(torch.ones(30, 30).triu(1).bool(), 0)
    logits = naive.convolve(scores, exact[2]).masked_fill(torch.ones(30, 30).triu(1).bool(), -torch.inf)
    given = [tensor.float().requires_grad_() for tensor in (q, k, kernel)]
    _, sums = fused.fused_attention(given[0], given[1], v.float(), given[2], return_lse=True)
    assert far_off(sums[0], logits.logsumexp(-1)) < TOLERANCE
    right = torch.autograd.grad(logits.logsumexp(-1).sin().sum(), exact)
    for gradient, wanted in zip(torch.autograd.grad(sums.sin().sum(), given), right, strict=True):
        assert far_off(gradient, wanted) < 10 * TOLERANCE


@pytest.mark.parametrize(
    ("kernels", "reason"),
    [
        (Kernels(torch.ones(2, 9, 3)), "a kernel of 9 x 3; fused kernels go to 8 x 15"),
        (Kernels(mix_before=torch.ones(1, 2, 2)), "heads mixed before softmax"),
        (Kernels(convolve_after=torch.ones(2, 2, 3)), "convolved after softmax"),
    ],
)
def test_what_has_no_fused_form_says_why(kernels: Kernels, reason: str) -> None:
    q = torch.ones(1, 2, 4, 16)
    assert reason in (fused.unsupported(q, q, kernels) or "")
    assert fused.unsupported(q, q, Kernels(torch.ones(2, 3, 3))) is None


def test_a_wrong_history_is_refused() -> None:
    q, k, v, kernel = (tensor.float() for tensor in inputs(20, 2, 2, 16, (3, 5)))
    with pytest.raises(ValueError, match="the kernel reaches 2 back"):
        fused.fused_attention(q[:, :, 9:], k, v, kernel, history=1)


class FakeCard:
    """What `chosen_path` looks at of a tensor on a CUDA device."""

    is_cuda, dtype, shape = True, torch.bfloat16, (1, 2, 40, 64)


def test_auto_is_fused_on_a_card_where_there_is_a_form_and_tiles_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(q: Any, kernels: Kernels, queries: int = 40, dropout: float = 0.0) -> str:
        return paths.chosen_path(q, q, kernels, queries, dropout)

    card: Any = FakeCard()
    plain, mixed = Kernels(torch.ones(2, 3, 3)), Kernels(torch.ones(2, 3, 3), torch.ones(1, 2, 2))
    assert chosen(card, plain) == "fused"
    assert chosen(card, plain, dropout=0.1) == "fused"
    assert chosen(card, mixed) == "tiles"
    assert chosen(card, plain, queries=1) == "tiles"
    assert chosen(torch.ones(1, 2, 40, 64), plain) == "tiles"
    monkeypatch.setattr(fused, "available", lambda _: False)
    assert chosen(card, plain) == "tiles"


def compiled(capability: int, memory: int, **sizes: Any) -> list[dict[str, Any]]:
    """Shared memory, registers and stack of every kernel, compiled for a card that is not here."""
    task = {"capability": capability, "memory": memory, **sizes}
    script = Path(__file__).parent / "compiled_kernels.py"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(task)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


CARDS = {"sm_80": (80, 166_912), "sm_90": (90, 232_448), "sm_100": (100, 232_448)}
SHAPES: dict[str, dict[str, Any]] = {
    "the paper's": {},
    "heads of 64": {"size": 64, "value": 64},
    "heads of 128": {"size": 128, "value": 128},
    "heads of 256": {"size": 256, "value": 256},
    "float32": {"item": 4},
}
SPILLED = (
    64  # bytes of the forward kernel's stack at heads of 96 and 128: four stages of loads were quicker all the same
)


@pytest.mark.slow
@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_configuration_fits_its_card(card: str, shape: str) -> None:
    capability, memory = CARDS[card]
    kernels = compiled(capability, memory, **SHAPES[shape])
    assert len(kernels) == 8
    for kernel in kernels:
        assert kernel["shared"] <= memory, kernel
        assert kernel["stack"] <= (SPILLED if kernel["kernel"] == "attend_kernel" else 0), kernel

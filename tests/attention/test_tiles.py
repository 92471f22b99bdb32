"""Row tiles against the oracle, in float64: outputs, gradients, history, causality, memory and dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mta_eval.attention import naive, tile, tiles
from mta_eval.attention.convolution import convolve_by_products
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.tiles import full_matrix_attention, last_weights, multi_token_attention

DOUBLE = torch.float64
KEPT, RECOMPUTED = 2**62, 0
PADDINGS = ("both", "left", "right")


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def qkv(heads: int, groups: int, tokens: int, batch: int = 1) -> list[torch.Tensor]:
    return [random(seed, batch, h, tokens, d) for seed, h, d in ((1, heads, 3), (2, groups, 3), (3, groups, 2))]


def everything(heads: int = 4, padding: Any = "both", size: int = 2) -> Kernels:
    mixes = (random(6, heads // size, size, size), random(7, heads // size, size, size)) if size else (None, None)
    return Kernels(random(4, heads, 3, 5), mixes[0], random(5, heads, 2, 4), mixes[1], padding)


def far_off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-3))


@contextmanager
def settings_of_tiles(memory: int | None = None, **values: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "gpu_memory", lambda _: memory)
        for name, value in values.items():
            patch.setattr(tiles, name, value)
        yield


@st.composite
def cases(draw: st.DrawFn, longest: int = 60) -> tuple[list[torch.Tensor], Kernels]:
    """Inputs of one document, and any kernels."""
    groups, each, batch = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    heads, tokens, seed = groups * each, draw(st.integers(1, longest)), draw(st.integers(0, 99))
    sizes = draw(st.lists(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 7)), min_size=2, max_size=2))
    convolves = [None if size is None else random(seed + i, heads, *size) for i, size in enumerate(sizes)]
    fitting = [None, *(size for size in range(1, heads + 1) if heads % size == 0)]
    mixes = [draw(st.sampled_from(fitting)) for _ in range(2)]
    mix = [None if size is None else random(seed - i, heads // size, size, size) for i, size in enumerate(mixes)]
    width = draw(st.integers(1, 4))
    shapes = ((batch, heads, tokens, width), (batch, groups, tokens, width), (batch, groups, tokens, 3))
    inputs = [random(seed + 50 + i, *shape) for i, shape in enumerate(shapes)]
    return inputs, Kernels(
        convolves[0], mix[0], convolves[1], mix[1], draw(st.sampled_from(PADDINGS)), draw(st.booleans())
    )


WAYS = {
    "rows": st.none() | st.integers(1, 40),
    "recompute": st.sampled_from((KEPT, RECOMPUTED)),
    "widen": st.sampled_from((1, tiles.WIDEN_FROM)),
    "elements": st.sampled_from((1, tiles.TILE_ELEMENTS)),
    "memory": st.sampled_from((None, None, 1, 2**36)),  # of a GPU, in bytes
}


@settings(max_examples=200, deadline=None)
@given(case=cases(), cut=st.integers(0, 60), **WAYS)
def test_tiles_are_the_definition(
    case: Any, cut: int, rows: int | None, recompute: int, widen: int, elements: int, memory: int | None
) -> None:
    (q, k, v), kernels = case
    wanted, past = naive.attention(q, k, v, kernels), min(cut, q.shape[2] - 1)
    history = min(kernels.halo, past)
    with settings_of_tiles(
        RECOMPUTE_FROM=recompute, WIDEN_FROM=widen, TILE_ELEMENTS=elements, gpu_memory=lambda _: memory
    ):
        assert far_off(multi_token_attention(q, k, v, kernels, rows=rows), wanted) < 1e-10
        found = multi_token_attention(q[:, :, past - history :], k, v, kernels, history, rows=rows)
    assert far_off(found, wanted[:, :, past:]) < 1e-10
    found = full_matrix_attention(q[:, :, past - history :], k, v, kernels, history)
    assert far_off(found, wanted[:, :, past:]) < 1e-10


@settings(max_examples=30, deadline=None)
@given(case=cases(20), cut=st.integers(0, 20))
def test_the_last_weights_are_the_definitions(case: Any, cut: int) -> None:
    (q, k, _), kernels = case
    wanted, past = (
        torch.stack([naive.weights(*row, kernels) for row in zip(q, k, strict=True)]),
        min(cut, q.shape[2] - 1),
    )
    history = min(kernels.halo, past)
    assert far_off(last_weights(q[:, :, past - history :], k, kernels, history), wanted[:, :, past:]) < 1e-10


def test_tiles_are_as_large_as_a_gpus_memory_takes_with_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    here = torch.device("cpu")
    assert tiles.tile_sizes(here) == (tiles.TILE_ELEMENTS, tiles.TILE_ROWS, False)
    for memory, elements in ((2**30, 2**21), (80 * 2**30, tiles.GPU_TILE_ELEMENTS)):
        monkeypatch.setattr(tiles, "gpu_memory", lambda _, memory=memory: memory)
        assert tiles.tile_sizes(here) == (elements, tiles.GPU_TILE_ROWS, True)


def test_a_gpu_convolves_by_products_in_few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []

    def noted(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        rows.append(scores.shape[2] - kernel.shape[1] + 1)
        return convolve_by_products(scores, kernel)

    def refused(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tile, "convolve_by_products", noted)
    monkeypatch.setattr(tile, "convolve_plain", refused)
    inputs, kernels = qkv(4, 2, 300), everything()
    with settings_of_tiles(2**36), torch.no_grad():
        found = multi_token_attention(*inputs, kernels)
    assert rows == [300, 300]  # before and after softmax, in one tile
    assert far_off(found, naive.attention(*inputs, kernels)) < 1e-10


@pytest.mark.parametrize(("tokens", "rows"), [(127, None), (129, 128), (200, None), (163, 7)])
@pytest.mark.parametrize(("padding", "size"), [("both", 0), ("left", 0), ("right", 0), ("both", 2)])
def test_long_documents_with_every_kernel(tokens: int, rows: int | None, padding: str, size: int) -> None:
    inputs, kernels = qkv(4, 2, tokens), everything(padding=padding, size=size)
    wanted = naive.attention(*inputs, kernels)
    assert far_off(multi_token_attention(*inputs, kernels, rows=rows), wanted) < 1e-10
    with torch.no_grad():
        assert far_off(multi_token_attention(*inputs, kernels, rows=rows), wanted) < 1e-10


@pytest.mark.parametrize("chunks", [[5, 1, 40, 1, 1, 60, 12], [1] * 20, [100, 1, 1, 33]])
def test_chunks_after_one_another_are_one_pass(chunks: list[int]) -> None:
    (q, k, v), kernels = qkv(4, 2, sum(chunks), batch=2), everything()
    whole, first = multi_token_attention(q, k, v, kernels), 0
    for chunk in chunks:
        last, history = first + chunk, min(kernels.halo, first)
        part = q[:, :, first - history : last]
        found = multi_token_attention(part, k[:, :, :last], v[:, :, :last], kernels, history)
        assert far_off(found, whole[:, :, first:last]) < 1e-10
        first = last


@pytest.mark.parametrize("history", [0, 1, 2, 4])
def test_another_history_than_the_kernels_need_is_refused(history: int) -> None:
    q, k, v = qkv(4, 2, 10)
    assert multi_token_attention(q[:, :, 3:], k, v, everything(), 3).shape[2] == 4
    with pytest.raises(ValueError, match="earlier queries"):
        multi_token_attention(q[:, :, 6 - history :], k, v, everything(), history)
    with pytest.raises(ValueError, match="earlier"):
        multi_token_attention(q, k[:, :, 1:], v[:, :, 1:], everything())


@pytest.mark.parametrize(("size", "recompute"), [*product([0, 2], [KEPT, RECOMPUTED])])
def test_a_later_token_changes_not_one_bit_before_it(size: int, recompute: int) -> None:
    inputs, kernels = qkv(4, 2, 90), everything(size=size)
    with settings_of_tiles(RECOMPUTE_FROM=recompute):
        whole = multi_token_attention(*inputs, kernels, rows=16)
        for token in (1, 2, 7, 31, 40, 63, 64, 65, 88, 89):
            changed = [tensor.clone() for tensor in inputs]
            for tensor in changed:
                tensor[:, :, token] += 3
            found = multi_token_attention(*changed, kernels, rows=16)
            assert torch.equal(found[:, :, :token], whole[:, :, :token]), token
            assert not torch.equal(found[:, :, token], whole[:, :, token]), token


@pytest.mark.parametrize("size", [0, 2])
def test_every_output_is_written(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, inputs, kernels = torch.empty, qkv(4, 2, 75), everything(size=size)
    wanted = naive.attention(*inputs, kernels)
    monkeypatch.setattr(torch, "empty", lambda *shape, **options: empty(*shape, **options).fill_(torch.nan))
    with settings_of_tiles(RECOMPUTE_FROM=RECOMPUTED):
        assert far_off(multi_token_attention(*inputs, kernels, rows=11), wanted) < 1e-10


def gradients(run: Any, inputs: list[torch.Tensor], kernels: Kernels) -> list[torch.Tensor]:
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (*inputs, *kernels[:4]) if tensor is not None]
    given = iter(leaves[3:])
    learned = Kernels(*(None if kernel is None else next(given) for kernel in kernels[:4]), kernels.key_padding)
    out = run(*leaves[:3], learned)
    return list(torch.autograd.grad(out, leaves, random(9, *out.shape)))


@settings(max_examples=80, deadline=None)
@given(case=cases(40), **WAYS)
def test_gradients_are_the_definitions(
    case: Any, rows: int | None, recompute: int, widen: int, elements: int, memory: int | None
) -> None:
    wanted = gradients(naive.attention, *case)
    with settings_of_tiles(
        RECOMPUTE_FROM=recompute, WIDEN_FROM=widen, TILE_ELEMENTS=elements, gpu_memory=lambda _: memory
    ):
        found = gradients(lambda *args: multi_token_attention(*args, rows=rows), *case)
    assert max(far_off(*pair) for pair in zip(found, wanted, strict=True)) < 1e-9


@pytest.mark.parametrize(("size", "rows", "recompute"), [*product([0, 2], [5, None], [KEPT, RECOMPUTED])])
def test_gradients_of_long_documents_with_history(size: int, rows: int | None, recompute: int) -> None:
    inputs, kernels = qkv(4, 2, 150), everything(size=size)
    wanted = gradients(lambda *args: naive.attention(*args)[:, :, 20:], inputs, kernels)
    with settings_of_tiles(RECOMPUTE_FROM=recompute):
        found = gradients(
            lambda q, k, v, learned: multi_token_attention(q[:, :, 17:], k, v, learned, 3, rows=rows), inputs, kernels
        )
    assert max(far_off(*pair) for pair in zip(found, wanted, strict=True)) < 1e-9


@pytest.mark.parametrize("recompute", [KEPT, RECOMPUTED])
def test_gradcheck(recompute: int) -> None:
    kernels = Kernels(random(4, 2, 2, 3), random(6, 1, 2, 2), random(5, 2, 2, 2), None)
    leaves = [tensor.requires_grad_() for tensor in (*qkv(2, 1, 4), *kernels[:3]) if tensor is not None]
    with settings_of_tiles(RECOMPUTE_FROM=recompute, WIDEN_FROM=1):
        torch.autograd.gradcheck(lambda q, k, v, *k3: multi_token_attention(q, k, v, Kernels(*k3), rows=2), leaves)


def saved_bytes(tokens: int, recompute: int, batch: int = 1) -> int:
    """What is kept for the backward pass."""
    found: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    inputs, kernels = [tensor.requires_grad_() for tensor in qkv(2, 2, tokens, batch)], everything(2, size=0)
    kernels = kernels.replaced([None if kernel is None else kernel.requires_grad_() for kernel in kernels[:4]])
    with settings_of_tiles(RECOMPUTE_FROM=recompute), torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        out = multi_token_attention(*inputs, kernels)
    del out
    return sum(found.values())


def test_training_memory_grows_with_the_context_and_not_with_its_square() -> None:
    assert 1.8 < saved_bytes(1200, RECOMPUTED) / saved_bytes(600, RECOMPUTED) < 2.2
    assert saved_bytes(1200, KEPT) / saved_bytes(600, KEPT) > 2.5  # what the line above would see


@pytest.mark.parametrize("size", [0, 2])
def test_recomputed_tiles_drop_what_they_dropped(size: int) -> None:
    found = []
    for recompute in (KEPT, RECOMPUTED):
        torch.manual_seed(7)
        with settings_of_tiles(RECOMPUTE_FROM=recompute):
            run = lambda *args: multi_token_attention(*args, dropout=0.4, rows=16)  # noqa: E731
            found.append(gradients(run, qkv(4, 2, 50), everything(size=size)))
    assert max(far_off(*pair) for pair in zip(*found, strict=True)) < 1e-12
    plain = gradients(multi_token_attention, qkv(4, 2, 50), everything(size=size))
    assert far_off(found[0][2], plain[2]) > 0.01


def test_dropout_drops_single_weights_anew_every_time_and_keeps_their_mean() -> None:
    (q, k, _), kernels = qkv(4, 2, 40), everything()
    values = torch.eye(40, dtype=DOUBLE).expand(1, 2, 40, 40)
    weights = naive.attention(q, k, values, kernels)
    torch.manual_seed(1)
    for run in (lambda *args: multi_token_attention(*args, rows=1), full_matrix_attention):
        first, second = (run(q, k, values, kernels, 0, 0.25) for _ in range(2))
        assert not torch.equal(first, second)
        seen = weights != 0
        kept = first != 0
        torch.testing.assert_close(first[kept], weights[kept] / 0.75)
        assert abs(float(kept[seen].double().mean()) - 0.75) < 0.03  # of 3280 weights: four standard errors
        assert not torch.equal(kept[0, 0, 38, :38], kept[0, 0, 39, :38])  # another tile, another draw


def test_a_batch_saves_no_more_for_each_row_than_one_row_does() -> None:
    assert saved_bytes(600, RECOMPUTED, batch=2) <= 2.1 * saved_bytes(600, RECOMPUTED)

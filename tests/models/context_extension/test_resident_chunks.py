"""Offloaded keys: where they lie, and how much of them is moved, counted where all that is moved passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from mta_eval.models.context_extension import chunk_cache, chunks, resident_chunks
from mta_eval.models.context_extension.chunk_cache import ChunkLayer
from mta_eval.models.context_extension.chunks import Chunking, Rotation, longheads_attention
from mta_eval.models.context_extension.longheads import apply_longheads
from mta_eval.models.context_extension.resident_chunks import ResidentChunks, copied_store, new_store

WINDOW, SIZE, HEADS, GROUPS = 8, 6, 4, 2
CPU = torch.device("cpu")
Moves = list[torch.Size]


class OnACard(torch.Tensor):
    """A tensor that says it lies on a CUDA device."""

    is_cuda = True


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """The shapes of all that left a store for the queries' device."""
    seen: Moves = []

    def count(x: torch.Tensor, device: torch.device) -> torch.Tensor:
        assert device == CPU
        seen.append(x.shape)
        return x.clone()

    monkeypatch.setattr(resident_chunks, "to_device", count)
    monkeypatch.setattr(chunks, "to_device", count)
    return seen


def rotation() -> Rotation:
    angles = torch.arange(400).double()[:, None] / 50 ** (torch.arange(0, SIZE, 2).double() / SIZE)
    angles = torch.cat((angles, angles), -1)
    return Rotation(angles.cos(), angles.sin())


def qkv(total: int, batch: int = 1) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(7)
    shapes = [(batch, heads, total, SIZE) for heads in (HEADS, GROUPS, GROUPS)]
    return [torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes]


def answers(layer: ChunkLayer, chunking: Chunking, inputs: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    """Outputs of the next tokens, read in steps of so many."""
    parts, first = [], 0
    for size in sizes:
        q, k, v = (x[:, :, first : first + size] for x in inputs)
        decoding = layer.get_seq_length() > 0 and size == 1
        layer.store(q, k, v)
        assert layer.vectors is not None
        stored = layer.keys, layer.values, layer.vectors
        parts.append(longheads_attention(q, *stored, layer.rotation, chunking, decoding, layer.resident))
        first += size
    return torch.cat(parts, 2)


def layers(chunking: Chunking) -> tuple[ChunkLayer, ChunkLayer]:
    """One whose keys stay with the queries, one whose keys are offloaded."""
    plain, offloaded = (ChunkLayer(WINDOW, rotation(), on, chunking.begin) for on in (None, CPU))
    return plain, offloaded


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("choose", ["best", "first_and_recent", "recent"])
@pytest.mark.parametrize("sizes", [[70, *[1] * 50], [20, 3, 1, 1, 15, 40, 9, 1, 30], [1] * 120, [33, 87]], ids=len)
def test_offloaded_keys_give_the_same_outputs(sizes: list[int], choose: Any, released: bool, batch: int) -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 4 * WINDOW, choose, released)
    plain, offloaded = (answers(layer, chunking, qkv(120, batch), sizes) for layer in layers(chunking))
    assert torch.equal(plain, offloaded)


def test_a_step_moves_chunks_that_were_not_chosen_before_and_each_once(moves: Moves) -> None:
    chunking = Chunking(WINDOW, 5 * WINDOW, 5 * WINDOW)
    _, layer = layers(chunking)
    inputs = qkv(200)
    answers(layer, chunking, inputs, [160])
    held: set[tuple[int, int]] = set()  # (group, chunk)
    total = 0
    for token in range(160, 200):
        moves.clear()
        q, k, v = (x[:, :, token : token + 1] for x in inputs)
        answers(layer, chunking, [q, k, v], [1])
        assert layer.vectors is not None
        own = torch.tensor([token // WINDOW])
        chosen = chunks.choose_chunks(q, layer.vectors, own, chunking)[0, :, 0, :-1]
        wanted = {(head * GROUPS // HEADS, int(chunk)) for head in range(HEADS) for chunk in chosen[head]}
        new = len(wanted - held)
        assert moves == [torch.Size((new, WINDOW, SIZE))] * (2 if new else 0), token
        held, total = wanted, total + new
    assert 0 < total < 40 * HEADS * 4 / 2  # copying all that is chosen for every head and token would be 640


def test_before_chunks_are_chosen_nothing_is_moved(moves: Moves) -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 8 * WINDOW)
    _, layer = layers(chunking)
    answers(layer, chunking, qkv(8 * WINDOW), [30, *[1] * 20, 3, 11])
    assert moves == []


def test_a_prompt_moves_each_chunk_once_for_the_heads_that_share_it(moves: Moves) -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 4 * WINDOW, "recent")
    _, layer = layers(chunking)
    answers(layer, chunking, qkv(20 * WINDOW), [20 * WINDOW])
    assert moves[:2] == [torch.Size((1, GROUPS, 4 * WINDOW, SIZE))] * 2  # the beginning, where every token sees all
    assert moves[2:] == [torch.Size((WINDOW, SIZE))] * (2 * GROUPS * 19)  # the first chunk is not recent for the others


def test_after_a_crop_other_tokens_are_not_taken_for_those_that_were_held() -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 4 * WINDOW)
    inputs, others = qkv(120), [x.flip(2) for x in qkv(120)]
    found = []
    for layer in layers(chunking):
        answers(layer, chunking, inputs, [100, *[1] * 12])
        layer.crop(10 * WINDOW - 112)
        found.append(answers(layer, chunking, others, [1] * 40))
        layer.reset()
        found.append(answers(layer, chunking, others, [60, *[1] * 12]))
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])


def test_the_last_tokens_are_held_after_a_crop(moves: Moves) -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 8 * WINDOW)
    _, layer = layers(chunking)
    answers(layer, chunking, qkv(50), [50])
    layer.crop(5 * WINDOW - 50)
    answers(layer, chunking, qkv(10), [1] * 10)
    assert moves == []


def test_a_copy_goes_its_own_way() -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 4 * WINDOW)
    inputs, others = qkv(120), [x.flip(2) for x in qkv(120)]
    found = []
    for layer in layers(chunking):
        answers(layer, chunking, inputs, [90, 1, 1])
        copied = layer.independent_copy()
        found += [
            answers(copied, chunking, others, [1] * 30),
            answers(layer, chunking, [x[:, :, 92:] for x in inputs], [1] * 28),
        ]
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])


def test_what_is_held_does_not_grow_with_the_context() -> None:
    chunking = Chunking(WINDOW, 4 * WINDOW, 4 * WINDOW)
    sizes = []
    for total in (100, 300):
        _, layer = layers(chunking)
        answers(layer, chunking, qkv(total + 5), [total, *[1] * 5])
        assert layer.resident is not None
        held = (*layer.resident._chunks, *layer.resident._recent)
        assert all(part.untyped_storage().nbytes() <= 8 * SIZE * WINDOW * 3 * HEADS for part in held)
        sizes.append(layer.keys.shape[2])
    assert sizes == [105, 305]


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each new tensor was to be pinned; none is, where there is no GPU."""
    asked: list[bool] = []
    empty: Callable[..., torch.Tensor] = torch.empty

    def record(*shape: Any, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        asked.append(pin_memory)
        return empty(*shape, **options)

    monkeypatch.setattr(torch, "empty", record)
    return asked


def test_keys_of_a_card_lie_in_pinned_memory(pinned: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    here, card = torch.ones(2, 3), torch.ones(2, 3).as_subclass(OnACard)
    assert new_store((4, 5), card, CPU).shape == (4, 5)
    new_store((4, 5), here, CPU)
    new_store((4, 5), here, None)
    assert pinned == [True, False, False]
    monkeypatch.setattr(torch.Tensor, "is_pinned", lambda _: True)
    assert torch.equal(copied_store(here), here)
    assert pinned[-1]


def test_the_room_of_an_offloaded_layer_is_pinned_and_that_of_another_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places: list[Any] = []

    def record(shape: tuple[int, ...], like: torch.Tensor, device: torch.device | None) -> torch.Tensor:
        places.append(device)
        return new_store(shape, like, device)

    monkeypatch.setattr(chunk_cache, "new_store", record)
    for layer in layers(Chunking(WINDOW, 4 * WINDOW, 4 * WINDOW)):
        layer.store(*qkv(30))
        room = layer._room[0].shape[2]
        layer.store(*qkv(room))  # it grows
    assert places == [None] * 4 + [CPU] * 4


def test_a_whole_model_moves_less_than_it_chooses(llama_folder: Path, moves: Moves) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float64).eval()
    apply_longheads(model, Chunking(8, 32, 32), offload=True)
    ids = torch.randint(64, (1, 130), generator=torch.Generator().manual_seed(3))
    cache = DynamicCache()
    with torch.inference_mode():
        model(ids[:, :100], past_key_values=cache, use_cache=True)
        moves.clear()
        for token in range(100, 130):
            model(ids[:, token : token + 1], past_key_values=cache, use_cache=True)
    layer = cache.layers[0]
    assert isinstance(layer, ChunkLayer)
    assert layer.store_on == layer.keys.device == CPU
    assert isinstance(layer.resident, ResidentChunks)
    moved = sum(shape[0] for shape in moves)
    chosen = 30 * len(cache.layers) * model.config.num_attention_heads * 3 * 2  # chunks, of keys and of values
    assert 0 < moved < chosen / 2

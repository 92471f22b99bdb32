"""Prompts read by way of the prompt before them are as prompts read alone, whatever a model's cache is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import MAKERS, build, prompt

from mta_eval.attention.query_cache import CROP_STEP
from mta_eval.models.inference.caches import can_remove, is_append_only
from mta_eval.models.inference.prefill import Prefill, piece_bounds
from mta_eval.models.token_ids import shared_prefix_length

READ_WHOLE = ("dynamic", "mamba")  # always from the start, at once
FROM_THE_START = ("sliding", *READ_WHOLE)


@torch.inference_mode()
def alone(kind: str, ids: list[int]) -> torch.Tensor:
    """Logits (tokens, vocabulary) of a prompt read at once."""
    found: torch.Tensor = build(kind)(input_ids=torch.tensor([ids])).logits[0]
    return found


def decode(reader: Prefill, logits: torch.Tensor, state: dict[str, Any], past: int, steps: int) -> list[int]:
    tokens: list[int] = []
    for step in range(steps):
        tokens.append(int(logits[-1].argmax()))
        logits, state = reader.step(tokens[-1:], state, past + step)
    return tokens


every_kind = pytest.mark.parametrize("kind", MAKERS)


@every_kind
@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    shapes=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 130), st.integers(0, 3)), min_size=2, max_size=4),
    piece=st.sampled_from([70, 4096]),
)
def test_prompts_with_a_common_start_are_as_alone(kind: str, shapes: list[tuple[int, int, int]], piece: int) -> None:
    reader = Prefill(build(kind))
    reader._piece = piece  # 70: pieces of 70 after one of 70
    before: list[int] = []
    for number, (shared, own, steps) in enumerate(shapes):
        ids = before[:shared] + prompt(number + 1, own)
        with torch.inference_mode():
            logits, state = reader.read(ids)
            decode(reader, logits, state, len(ids), steps)  # what is decoded is no part of the next prompt
        torch.testing.assert_close(logits[-1], alone(kind, ids)[-1], atol=1e-8, rtol=0)
        before = ids


@every_kind
def test_the_tokens_decoded_are_those_without_reuse(kind: str) -> None:
    prompts = [prompt(1, 200), prompt(1, 150) + prompt(2, 40), prompt(1, 150) + prompt(3, 60)]
    with torch.inference_mode():
        for reuse in (True, False):
            reader = Prefill(build(kind), reuse)
            found = [decode(reader, *reader.read(ids), len(ids), steps=8) for ids in prompts]
            if reuse:
                wanted = found
    assert found == wanted
    assert reader.prefilled_tokens == sum(map(len, prompts))


@every_kind
def test_only_what_is_new_is_computed_where_the_cache_can_be_cropped(kind: str) -> None:
    first, second = prompt(1, 200), prompt(1, 150) + prompt(2, 40)
    reader = Prefill(build(kind))
    with torch.inference_mode():
        reader.read(first)
        reader.read(second)
    step = CROP_STEP if kind.startswith("mta") else 8 if kind.startswith(("longheads", "sinks")) else 1
    kept = 0 if kind in FROM_THE_START else 150 // step * step
    assert reader.prefilled_tokens == 200 + 190 - kept


def test_after_a_few_tokens_the_next_prompt_shares_all_that_is_the_same() -> None:
    reader = Prefill(build("mta"))
    with torch.inference_mode():
        for number in range(5):
            logits, _ = reader.read(ids := [*prompt(1, 150), 30 + number, *prompt(number, number)])
            torch.testing.assert_close(logits[-1], alone("mta", ids)[-1], atol=1e-8, rtol=0)
    assert reader.prefilled_tokens == 151 + (22 + 2) + 3 + 4 + 5


@every_kind
def test_the_same_prompt_again_computes_its_end_again(kind: str) -> None:
    ids, reader = prompt(1, 193), Prefill(build(kind))  # a chunk, and one token more
    with torch.inference_mode():
        one, two = reader.read(ids)[0], reader.read(ids)[0]
    torch.testing.assert_close(one, two, atol=1e-8, rtol=0)
    assert reader.prefilled_tokens >= 195


@every_kind
@pytest.mark.parametrize("rows", [7, 64, 1000])
def test_logits_of_every_token_in_pieces(kind: str, rows: int) -> None:
    ids, reader = prompt(4, 150), Prefill(build(kind))
    with torch.inference_mode():
        parts = list(reader.in_pieces(ids, rows))
    torch.testing.assert_close(torch.cat(parts), alone(kind, ids), atol=1e-8, rtol=0)
    assert (max(map(len, parts)) <= rows) or kind in READ_WHOLE or rows == 1000


@every_kind
@pytest.mark.parametrize("count", [1, 5, 64])
def test_what_a_cache_says_it_takes_back_it_takes_back(kind: str, count: int) -> None:
    ids, reader = prompt(1, 15), Prefill(build(kind))
    with torch.inference_mode():
        _, state = reader.read(ids)
        cache = state.get("past_key_values")
        able = is_append_only(build(kind), cache) and can_remove(cache, count)
        whole = kind in READ_WHOLE or kind.startswith(("longheads", "sinks"))
        assert able == (not whole and (kind != "sliding" or count < 9))  # it rolls over at 24
        if able:
            reader.step(prompt(2, count), state, 15)
            cache.crop(-count)
            logits, _ = reader.step([7, 8], state, 15)
            torch.testing.assert_close(logits[-1], alone(kind, [*ids, 7, 8])[-1], atol=1e-8, rtol=0)


def test_logits_of_the_last_tokens_are_given_though_they_were_read_before() -> None:
    ids, reader = prompt(1, 90), Prefill(build("llama"))
    with torch.inference_mode():
        reader.read(ids)
        found, _ = reader.read(ids, count=30)
    torch.testing.assert_close(found, alone("llama", ids)[-30:], atol=1e-8, rtol=0)
    assert reader.prefilled_tokens == 120


def test_a_prompt_after_an_interrupted_one_is_read_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, model = prompt(1, 90), build("llama")
    reader = Prefill(model)
    with torch.inference_mode():
        reader.read(ids)
        with monkeypatch.context() as patch:
            patch.setattr(model.model.layers[1], "forward", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                reader.read(ids[:80] + prompt(2, 9))
        found, _ = reader.read(ids)
    torch.testing.assert_close(found[-1], alone("llama", ids)[-1], atol=1e-8, rtol=0)


def test_where_memory_runs_out_prompts_are_read_in_smaller_pieces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, sizes = build("llama"), []
    forward = model.model.layers[1].forward

    def short_of_memory(hidden: torch.Tensor, **options: Any) -> Any:
        sizes.append(hidden.shape[1])
        if hidden.shape[1] > 80:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(hidden, **options)

    monkeypatch.setattr(model.model.layers[1], "forward", short_of_memory)
    reader, ids = Prefill(model), prompt(1, 300)
    with torch.inference_mode():
        found, _ = reader.read(ids)
        assert [size for size in sizes if size > 2] == [300, 150, 75, 75, 75, 75]
        again, _ = reader.read(prompt(2, 300))
    assert max(sizes[-4:]) == 75
    monkeypatch.undo()
    torch.testing.assert_close(found[-1], alone("llama", ids)[-1], atol=1e-8, rtol=0)
    torch.testing.assert_close(again[-1], alone("llama", prompt(2, 300))[-1], atol=1e-8, rtol=0)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"mta-eval: out of memory; prompts are read {size} tokens at a time from here on" for size in (150, 75)
    ]


def test_memory_that_is_never_enough_is_an_error_and_so_is_any_other_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    model, reader = build("llama"), Prefill(build("llama"))
    calls: list[str] = []

    def failing(message: str) -> Callable[..., Any]:
        def forward(hidden: torch.Tensor, **_: Any) -> Any:
            calls.append(message)
            if hidden.shape[1] > 1:
                raise RuntimeError(message)
            return hidden

        return forward

    for message, count in (("DefaultCPUAllocator: can't allocate memory", 3), ("shapes differ", 1)):
        monkeypatch.setattr(model.model.layers[0], "forward", failing(message))
        with torch.inference_mode(), pytest.raises(RuntimeError, match=message):
            reader.read(prompt(1, 300))
        assert calls.count(message) - 1 in (count, count - 1)


def test_a_model_without_a_cache_reads_whole_prompts() -> None:
    seen = []

    def model(input_ids: torch.Tensor, **options: Any) -> Any:
        seen.append((input_ids.tolist()[0], set(options)))
        return SimpleNamespace(logits=torch.zeros(1, options["logits_to_keep"], 40))

    model.device = torch.device("cpu")  # type: ignore[attr-defined]
    reader = Prefill(model)
    for ids in ([1, 2, 3], [1, 2, 4]):
        assert reader.read(ids)[1] == {}
    assert seen == [([1, 2, 3], {"use_cache", "logits_to_keep"}), ([1, 2, 4], {"use_cache", "logits_to_keep"})]


def test_nothing_is_left_of_a_cache_that_was_forgotten() -> None:
    ids, reader = prompt(1, 90), Prefill(build("llama"))
    with torch.inference_mode():
        reader.read(ids)
        reader.clear()
        reader.read(ids)
    assert reader.prefilled_tokens == 180


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 90), st.integers(1, 60))
def test_pieces_follow_one_another_and_the_last_is_large_enough(first: int, count: int, size: int, least: int) -> None:
    found = list(piece_bounds(first, first + count, size, least))
    assert [end for _, end in found[:-1]] == [begin for begin, _ in found[1:]]
    assert not count or (found[0][0], found[-1][1]) == (first, first + count)
    lengths = [end - begin for begin, end in found]
    assert all(length == size for length in lengths[:-1])
    assert not count or min(least, count) <= lengths[-1] < size + least


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_shared_tokens_are_counted_from_the_start(one: list[int], other: list[int]) -> None:
    count = shared_prefix_length(one, other)
    assert one[:count] == other[:count]
    assert one[count : count + 1] != other[count : count + 1] or count == min(len(one), len(other))


@pytest.mark.parametrize("reuse", [True, False])
def test_answers_never_depend_on_what_was_asked_before(reuse: bool) -> None:
    """RoPE that scales with the longest text seen is set back: a longer prompt changes no later one."""
    long, middle = [3] * 9 + list(range(120)), list(range(7, 67))
    rest = [token % 40 for token in long], [token % 40 for token in middle]
    alone = Prefill(build("dynamic"), reuse).read(rest[1])[0]
    together = Prefill(build("dynamic"), reuse)
    together.read(rest[0])
    assert torch.equal(together.read(rest[1])[0], alone)
    again = Prefill(build("dynamic"), reuse)
    again.read(rest[1])
    assert not torch.allclose(again.read(rest[0])[0], alone)


class Recorder:
    """A model that is asked through it, and the positions it was told."""

    def __init__(self, kind: str) -> None:
        self.model, self.told = build(kind), list[list[int]]()
        self.config, self.device = self.model.config, self.model.device

    def __call__(self, position_ids: torch.Tensor, **inputs: Any) -> Any:
        self.told += position_ids.tolist()
        return self.model(position_ids=position_ids, **inputs)


def test_a_model_that_takes_positions_is_told_those_of_all_tokens() -> None:
    model: Any = Recorder("llama")
    reader = Prefill(model)
    with torch.inference_mode():
        assert reader.is_append_only
        model.told.clear()
        logits, state = reader.read(prompt(1, 30))
        decode(reader, logits, state, 30, 2)
        reader.read(prompt(1, 20) + prompt(2, 4))
        list(reader.in_pieces(prompt(1, 30), 20))
        reader.read_padded([prompt(1, 5), prompt(1, 3)])
    bounds = [(0, 30), (30, 31), (31, 32), (20, 24), (0, 20), (20, 30), (0, 5)]
    assert model.told == [list(range(first, last)) for first, last in bounds]

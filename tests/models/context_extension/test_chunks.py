"""LongHeads' fast form against the oracle, in float64."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mta_eval.attention import naive
from mta_eval.models.context_extension import chunks
from mta_eval.models.context_extension.chunks import (
    Chunking,
    Rotation,
    choose_chunks,
    chunk_vectors,
    longheads_attention,
)

SIZE = 6


def rotation(positions: int = 400, size: int = SIZE) -> Rotation:
    frequencies = 1 / 100 ** (torch.arange(0, size, 2).double() / size)
    angles = torch.arange(positions).double()[:, None] * frequencies
    angles = torch.cat((angles, angles), -1)
    return Rotation(angles.cos(), angles.sin())


ROTATION = rotation()


def tensors(heads: int, groups: int, total: int, seed: int = 0, batch: int = 1) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(batch, count, total, SIZE, generator=random, dtype=torch.float64)
        for count in (heads, groups, groups)
    )


def vectors_of(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
    whole = q.shape[2] // window * window
    return chunk_vectors(q[:, :, :whole], k[:, :, :whole], v[:, :, :whole], ROTATION, window)


def fast(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, chunking: Chunking, prompt: int) -> torch.Tensor:
    """The first `prompt` tokens at once, the others one by one."""
    first = [x[:, :, :prompt] for x in (q, k, v)]
    parts = [longheads_attention(*first, vectors_of(*first, chunking.window), ROTATION, chunking)]  # type: ignore[arg-type]
    for token in range(prompt, q.shape[2]):
        seen = [x[:, :, : token + 1] for x in (q, k, v)]
        vectors = vectors_of(*seen, chunking.window)
        parts.append(longheads_attention(seen[0][:, :, token:], *seen[1:], vectors, ROTATION, chunking, decoding=True))  # type: ignore[arg-type]
    return torch.cat(parts, 2)


def oracle(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, chunking: Chunking, prompt: int) -> torch.Tensor:
    rows = [
        naive.long_heads(
            q[row], k[row], v[row], ROTATION, chunking.window, chunking.attention_length, chunking.begin,
            chunking.released, prompt,
        )
        for row in range(q.shape[0])
    ]  # fmt: skip
    return torch.stack(rows)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_fast_form_is_the_oracle(data: st.DataObject) -> None:
    groups, share = data.draw(st.sampled_from([(1, 1), (1, 3), (2, 1), (2, 2)]))
    window, count = data.draw(st.integers(1, 6)), data.draw(st.integers(3, 6))
    begin = (count + data.draw(st.integers(0, 2))) * window
    total = data.draw(st.integers(1, begin + 6 * window))
    prompt = data.draw(st.integers(1, total))
    chunking = Chunking(
        window, count * window, begin, released=data.draw(st.booleans()), rows=data.draw(st.sampled_from([4096, 5, 40]))
    )
    q, k, v = tensors(groups * share, groups, total, data.draw(st.integers(0, 99)), data.draw(st.integers(1, 2)))
    few = data.draw(st.sampled_from([0, 16, 1000]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "FEW_ROWS", few)
        found = fast(q, k, v, chunking, prompt)
    torch.testing.assert_close(found, oracle(q, k, v, chunking, prompt), atol=1e-12, rtol=0)


def test_with_all_chunks_chosen_it_is_full_attention() -> None:
    q, k, v = tensors(4, 2, 64)
    chunking = Chunking(8, 64, 24)  # from token 24 on chunks are chosen, but there are no more than 8
    places = torch.arange(64)
    full = naive.attention(ROTATION(q, places), ROTATION(k, places), v)
    vectors = vectors_of(q, k, v, 8)
    torch.testing.assert_close(longheads_attention(q, k, v, vectors, ROTATION, Chunking(8, 64, 64)), full)
    torch.testing.assert_close(oracle(q, k, v, chunking, 64), full)


def test_a_prompt_in_one_go_is_a_prompt_in_pieces() -> None:
    q, k, v = tensors(4, 2, 90)
    chunking = Chunking(4, 16, 16)
    whole = longheads_attention(q, k, v, vectors_of(q, k, v, 4), ROTATION, chunking)
    parts, edges = [], [0, 3, 21, 22, 60, 90]
    for first, last in itertools.pairwise(edges):
        seen = [x[:, :, :last] for x in (q, k, v)]
        parts.append(longheads_attention(seen[0][:, :, first:], *seen[1:], vectors_of(*seen, 4), ROTATION, chunking))  # type: ignore
    torch.testing.assert_close(torch.cat(parts, 2), whole, atol=1e-12, rtol=0)


def test_a_token_sees_first_last_own_and_the_chunks_that_answer_its_query() -> None:
    vectors = torch.eye(6).double()[None, None].expand(1, 1, 6, 6)  # chunk c answers direction c
    q = torch.zeros(1, 1, 2, 6).double()
    q[0, 0, 0, 2], q[0, 0, 1, 3], q[0, 0, 1, 5] = 1, 2, 9  # the last asks for its own chunk most: that is forced anyway
    own = torch.tensor([5, 5])
    assert choose_chunks(q, vectors, own, Chunking(4, 16, 16)).tolist() == [[[[0, 2, 4, 5], [0, 3, 4, 5]]]]


def test_a_window_sees_the_last_chunks_and_sinks_the_first_one_too() -> None:
    q, vectors, own = torch.zeros(1, 1, 1, 6), torch.zeros(1, 1, 9, 6), torch.tensor([8])
    assert choose_chunks(q, vectors, own, Chunking(4, 16, 16, "recent")).tolist() == [[[[5, 6, 7, 8]]]]
    assert choose_chunks(q, vectors, own, Chunking(4, 16, 16, "first_and_recent")).tolist() == [[[[0, 6, 7, 8]]]]


@pytest.mark.parametrize("choose", ["recent", "first_and_recent"])
def test_windows_and_sinks_are_attention_over_what_they_see(choose: chunks.Choose) -> None:
    q, k, v = tensors(2, 1, 50)
    found = longheads_attention(q, k, v, vectors_of(q, k, v, 4), ROTATION, Chunking(4, 12, 12, choose))
    for token in range(12, 50):
        own = token // 4
        seen = [0, own - 1, own] if choose == "first_and_recent" else [own - 2, own - 1, own]
        tokens = [at for chunk in seen for at in range(4 * chunk, 4 * chunk + 4) if at <= token]
        places = torch.arange(len(tokens))
        keys, query = ROTATION(k[0, 0, tokens], places), ROTATION(q[0, :, [token]], places[-1:])
        expected = torch.softmax(query @ keys.T / math.sqrt(SIZE), -1) @ v[0, 0, tokens]
        torch.testing.assert_close(found[0, :, token], expected[:, 0])


def test_a_chunk_is_represented_as_the_oracle_says() -> None:
    q, k, v = tensors(4, 2, 24, batch=2)
    found = vectors_of(q, k, v, 8)
    for row in range(2):
        for head in range(4):
            for chunk in range(3):
                part = slice(8 * chunk, 8 * chunk + 8)
                group = head // 2
                expected = naive.chunk_vector(q[row, head, part], k[row, group, part], v[row, group, part], ROTATION)
                torch.testing.assert_close(found[row, head, chunk], expected)


def test_the_released_rule_is_another_one() -> None:
    q, k, v = tensors(2, 2, 60)
    vectors = vectors_of(q, k, v, 4)
    ours, theirs = (
        longheads_attention(q, k, v, vectors, ROTATION, Chunking(4, 16, 16, released=released))
        for released in (False, True)
    )
    assert torch.equal(ours[:, :, :16], theirs[:, :, :16])
    assert (ours[:, :, 16:] - theirs[:, :, 16:]).abs().amax((0, 1, 3)).min() > 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_lower_precision_is_near(dtype: torch.dtype) -> None:
    q, k, v = tensors(4, 2, 80)
    chunking = Chunking(4, 16, 16)
    exact = longheads_attention(q, k, v, vectors_of(q, k, v, 4), ROTATION, chunking)
    # the same vectors, so that the same chunks are chosen but where two are as good as equal
    low = [x.to(dtype) for x in (q, k, v, vectors_of(q, k, v, 4))]
    found = longheads_attention(*low, ROTATION, chunking)  # type: ignore[arg-type]
    assert found.dtype == dtype
    error = (found.double() - exact).abs().amax((0, 3)).flatten()
    assert error.quantile(0.9) < {torch.float32: 1e-5}.get(dtype, 0.05)


def test_no_tensor_is_as_large_as_the_whole_matrix() -> None:
    q, k, v = tensors(2, 1, 1500)
    chunking = Chunking(10, 40, 40, rows=256)
    vectors = vectors_of(q, k, v, 10)
    with torch.profiler.profile(profile_memory=True) as profile:
        longheads_attention(q, k, v, vectors, ROTATION, chunking)
    largest = max(event.self_cpu_memory_usage for event in profile.events())  # type: ignore[union-attr]
    assert 0 < largest < 8 * 1500 * 1500 / 8

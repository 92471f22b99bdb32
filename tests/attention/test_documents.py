"""Masks: which tokens belong together, which queries they need from before, and which to keep for later."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mta_eval.attention.documents import DocumentTokens, Tokens, packed, read_mask, token_positions


def lists(document: DocumentTokens) -> tuple[list[int], list[int], list[int], list[int]]:
    rows, queries, keys, history = (
        tensor.tolist() for tensor in (document.rows, document.queries, document.keys, document.history)
    )
    return rows, queries, keys, history


def read(lines: list[list[int]], current: int, halo: int = 2) -> Tokens:
    return read_mask(torch.tensor(lines), current, len(lines[0]), halo)


@pytest.mark.parametrize("mask", [None, [[1] * 6] * 2, [[7] * 6] * 2, [[True] * 6] * 2])
@pytest.mark.parametrize("current", [1, 4, 6])
def test_one_document_without_padding_needs_no_parts(mask: Any, current: int) -> None:
    assert read_mask(None if mask is None else torch.tensor(mask), current, 6, 3) == Tokens(current, 6, None, None)


def test_rows_that_look_alike_go_together() -> None:
    tokens = read([[0, 1, 1, 1], [1, 1, 1, 1], [0, 4, 4, 4], [1, 1, 1, 0]], 4)
    assert tokens.documents is not None
    found = {tuple(document.rows.tolist()): lists(document)[1:] for document in tokens.documents}
    assert found == {
        (0, 2): ([1, 2, 3], [1, 2, 3], []),
        (1,): ([0, 1, 2, 3], [0, 1, 2, 3], []),
        (3,): ([0, 1, 2], [0, 1, 2], []),
    }
    assert [document.past for document in tokens.documents] == [0, 0, 0]


def test_a_step_of_rows_padded_on_the_left_knows_where_they_start() -> None:
    starts = read([[0, 0, 1, 1], [7, 7, 7, 7], [0, 0, 0, 2]], 1).starts
    assert starts is not None
    assert starts.tolist() == [2, 0, 3]
    assert read([[0, 0, 1, 1], [1, 1, 1, 1]], 2).starts is None
    for other in ([1, 0, 1, 1], [2, 2, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]):
        assert read([[0, 0, 1, 1], other], 1).starts is None


def test_the_documents_of_one_row() -> None:
    tokens = read([[5, 5, 0, 2, 2, 2, 0, 9]], 8)
    assert tokens.documents is not None
    found = [lists(document)[1] for document in tokens.documents]
    assert sorted(found) == [[0, 1], [3, 4, 5], [7]]


def test_a_document_that_goes_on_finds_its_kept_queries() -> None:
    tokens = read([[0, 1, 1, 1, 1, 1]], 2, halo=3)  # kept before: tokens 1, 2, 3
    assert tokens.documents is not None
    (document,) = tokens.documents
    assert lists(document) == ([0], [0, 1], [1, 2, 3, 4, 5], [0, 1, 2])
    assert document.past == 3
    tokens = read([[0, 0, 1, 1, 1, 1]], 3, halo=3)  # kept before: token 2 alone, on the right
    assert tokens.documents is not None
    assert lists(tokens.documents[0]) == ([0], [0, 1, 2], [2, 3, 4, 5], [2])


def test_padding_between_prompt_and_answer_is_passed_over() -> None:
    tokens = read([[1, 1, 1, 0, 0, 1], [1, 1, 1, 1, 1, 1]], 1, halo=2)
    assert tokens.documents is not None
    assert [lists(document) for document in tokens.documents] == [
        ([0], [0], [0, 1, 2, 5], [0, 1]),
        ([1], [0], [0, 1, 2, 3, 4, 5], [0, 1]),
    ]
    assert tokens.kept is not None
    assert tokens.kept.tolist() == [[1, 2], [1, 2]]  # the newest kept one, and the current one


def test_which_queries_are_kept() -> None:
    tokens = read([[1, 1, 1, 1, 1, 0], [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]], 3, halo=4)
    # slots 0-3 are those kept before, 4-6 the current tokens 3-5
    assert tokens.kept is not None
    assert tokens.kept.tolist() == [[2, 3, 4, 5], [-1, -1, 3, 4], [-1, -1, -1, 6], [-1, -1, -1, -1]]


def test_without_a_halo_nothing_is_kept_or_needed() -> None:
    tokens = read([[0, 1, 1, 2]], 2, halo=0)
    assert tokens.kept is not None
    assert tokens.kept.shape == (1, 0)
    assert tokens.documents is not None
    assert sorted(lists(document) for document in tokens.documents) == [([0], [0], [1, 2], []), ([0], [1], [3], [])]


@given(st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=4))
def test_every_token_that_is_no_padding_is_in_one_document(lines: list[list[int]]) -> None:
    tokens, mask = read(lines, 9), torch.tensor(lines)
    seen = torch.zeros_like(mask)
    whole = DocumentTokens(torch.arange(len(lines)), torch.arange(9), torch.arange(9), torch.arange(0))
    for document in (whole,) if tokens.documents is None else tokens.documents:
        assert torch.equal(document.queries, document.keys)
        assert document.past == 0
        for row in document.rows:
            assert len(mask[row, document.keys].unique()) == 1
            seen[row, document.keys] += 1
    assert torch.equal(seen, (mask > 0).long())


@pytest.mark.parametrize("shape", [(6,), (2, 5), (2, 7), (2, 1, 6), (2, 1, 6, 6)])
@pytest.mark.parametrize("dtype", [torch.long, torch.float32, torch.bool])
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=r"attention mask is \(.*must be \(batch, 6\)"):
        read_mask(torch.ones(shape, dtype=dtype), 3, 6, 2)


@pytest.mark.parametrize("hidden", [-torch.inf, torch.finfo(torch.float32).min, -1.0])
def test_an_additive_mask_is_refused(hidden: float) -> None:
    mask = torch.zeros(2, 6)
    mask[0, :2] = hidden
    with pytest.raises(ValueError, match="attention mask"):
        read_mask(mask, 6, 6, 2)


def test_a_document_whose_queries_are_gone_is_refused() -> None:
    assert read([[1, 1, 1, 2, 2, 1]], 3).documents is not None  # its tokens 1 and 2 are kept
    with pytest.raises(ValueError, match="document 1 of row 1 goes on after another"):
        read([[1, 1, 1, 1, 1, 1], [1, 1, 1, 2, 2, 1]], 1)
    assert read([[1, 1, 1, 2, 2, 1]], 1, halo=0).documents is not None


def test_positions_count_within_each_document() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [3, 3, 3, 0, 1, 1, 0], [1, 2, 1, 2, 0, 2, 5], [0] * 7])
    assert token_positions(mask).tolist() == [
        [0, 0, 0, 1, 2, 3, 4],
        [0, 1, 2, 0, 0, 1, 0],
        [0, 0, 1, 1, 0, 2, 0],
        [0] * 7,
    ]
    assert token_positions(mask > 0)[1].tolist() == [0, 1, 2, 0, 3, 4, 0]
    assert token_positions(mask).dtype == torch.long


def test_positions_that_start_again_are_packed_documents() -> None:
    packed_positions = torch.tensor([[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 4, 5]])
    found = packed(packed_positions)
    assert found is not None
    assert found.tolist() == [[1, 1, 1, 2, 2, 3], [1, 1, 1, 1, 1, 1]]
    assert packed(torch.arange(5, 11)[None]) is None


def test_numbers_below_0_are_refused() -> None:
    with pytest.raises(ValueError, match="below 0"):
        read_mask(torch.tensor([[1, -1, 1]]), 3, 3, 0)

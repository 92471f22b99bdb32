"""What is guessed of an answer stands in the prompt, after the longest end that stood before."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta_eval.models.inference.prompt_lookup import MAX_MATCH, MIN_MATCH, PromptLookup

tokens = st.lists(st.integers(0, 2), max_size=60)


def by_definition(ids: list[int], most: int) -> list[int]:
    """All earlier places tried, the longest common end first, then the last place."""

    def common(end: int) -> int:
        count = 0
        while count < min(end, MAX_MATCH) and ids[end - 1 - count] == ids[len(ids) - 1 - count]:
            count += 1
        return count

    best = max(((common(end), end) for end in range(1, len(ids))), default=(0, 0))
    return ids[best[1] : best[1] + most] if best[0] >= MIN_MATCH else []


@given(tokens, tokens, st.integers(0, 9))
def test_guesses_are_those_of_the_definition(prompt: list[int], said: list[int], most: int) -> None:
    assert PromptLookup(prompt, len(said)).continuation(said, most) == by_definition(prompt + said, most)


def test_each_guess_starts_from_what_was_said_then() -> None:
    lookup = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4], 3)
    assert lookup.continuation([5], 3) == [6, 7, 8]
    assert lookup.continuation([5, 6, 7], 9) == [8, 9, 2, 3, 4, 5, 6, 7]
    assert lookup.continuation([6], 3) == []


@pytest.mark.parametrize("ids", [[], [1], [1, 1], [1, 2, 3, 1, 2, 3][:5]])
def test_where_little_stood_before_nothing_is_guessed(ids: Sequence[int]) -> None:
    assert PromptLookup(ids, 0).continuation([], 5) == []

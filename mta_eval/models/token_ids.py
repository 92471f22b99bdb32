"""Sequences of token ids: what they share, and how several become one rectangle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def shared_prefix_length(first: Sequence[int], second: Sequence[int]) -> int:
    """The number of tokens at the start that two sequences have in common."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))


def pad_with_last(rows: Iterable[Sequence[int]]) -> list[list[int]]:
    """Rows of tokens, all as long as the longest: the last token of a shorter one is repeated."""
    lists = [list(row) for row in rows]
    longest = max(map(len, lists))
    return [row + row[-1:] * (longest - len(row)) for row in lists]

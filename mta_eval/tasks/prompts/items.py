"""Prompts whose context is a list of items (words, lines, documents): the most items that leave room for the answer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate

PROBE = 8  # items, to see how many tokens one has


def most_items(tokens: Callable[[int], int], budget: int, least: int = 1, most: int | None = None) -> int:
    """The most items whose finished prompt has at most `budget` tokens, from `least` (which must fit) to `most`.

    `tokens(count)` encodes the prompt of so many items; it grows by a token an item at least. A guess by the tokens of
    the first items, and then of all that were counted last, needs few prompts to be encoded. Where tokens grow
    unevenly, the answer still fits, and the next count does not.
    """
    smallest = tokens(least)
    low, high = least, least + max(budget - smallest, 0) + 1  # low fits, high does not
    if most is not None:
        high = min(high, most + 1)
    probed = least + PROBE if most is None else min(least + PROBE, most)
    rate = (tokens(probed) - smallest) / max(probed - least, 1) if high - low > 1 else 1.0
    guess = least + int((budget - smallest) / max(rate, 1.0))
    while high - low > 1:
        count = min(max(guess, low + 1), high - 1)
        used = tokens(count)
        low, high = (count, high) if used <= budget else (low, count)
        rate = (used - smallest) / (count - least)
        guess = count + int((budget - used) // max(rate, 1.0)) + (used > budget)
    return low


def place_at(depth: float, sizes: Sequence[int]) -> int:
    """Before which of the items of these sizes another one begins nearest to `depth` of them all, from 0 to 1."""
    edges = list(accumulate(sizes, initial=0))
    goal = depth * edges[-1]
    place = bisect_left(edges, goal)
    return place - 1 if place and goal - edges[place - 1] < edges[min(place, len(sizes))] - goal else place

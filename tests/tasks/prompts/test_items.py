from __future__ import annotations

from random import Random

import pytest

from mta_eval.tasks.prompts.items import most_items, place_at


def test_the_most_items_are_those_of_a_count_one_by_one() -> None:
    for seed in range(200):
        random = Random(seed)
        sizes = [random.randint(1, 9) for _ in range(300)]
        least, budget = random.randint(0, 3), random.randint(60, 900)

        def tokens(count: int, sizes: list[int] = sizes) -> int:
            return 20 + sum(sizes[:count])

        plain = max(count for count in range(301) if tokens(count) <= budget)
        assert most_items(tokens, budget, least, 300) == plain


def test_few_prompts_are_counted() -> None:
    asked = []

    def tokens(count: int) -> int:
        asked.append(count)
        return 100 + 5 * count + (count % 7)

    assert most_items(tokens, 100_000) == 19_979
    assert len(asked) < 12


def test_no_more_items_are_counted_than_there_are() -> None:
    def tokens(count: int) -> int:
        assert count <= 5
        return count

    assert most_items(tokens, 1000, 1, 5) == 5
    assert most_items(tokens, 3, 1, 5) == 3


def test_the_least_items_are_taken_even_where_no_more_fit() -> None:
    assert most_items(lambda count: 10 * count, 12, 1) == 1
    assert most_items(lambda count: 10 * count, 5, 4) == 4


@pytest.mark.parametrize(
    ("depth", "sizes", "place"),
    [
        (0, [5, 5], 0),
        (1, [5, 5], 2),
        (0.5, [5, 5], 1),
        (0.2, [5, 5], 0),
        (0.3, [5, 5], 1),
        (0.5, [1, 1, 8], 2),
        (0.5, [], 0),
    ],
)
def test_an_item_is_placed_at_the_border_nearest_to_its_depth(depth: float, sizes: list[int], place: int) -> None:
    assert place_at(depth, sizes) == place

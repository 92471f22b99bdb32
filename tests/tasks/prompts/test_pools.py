"""What is drawn for needles: never what would be ambiguous, and never for ever."""

from __future__ import annotations

from random import Random

import pytest

from mta_eval.errors import SpecError
from mta_eval.tasks.prompts.pools import OtherBlocks, can_hide, draw
from mta_eval.tasks.prompts.sources import Written

SOURCE = Written("They sailed to Rome in 1234567 days.", "x")


@pytest.mark.parametrize(
    ("text", "used", "hidden"),
    [
        ("Oslo", ["Lima", "Perth"], True),
        ("Oslo", [], True),
        ("Oslo", ["Lima", "oslo"], False),
        ("Perth", ["the PERTHSHIRE hills"], False),
        ("PERTHSHIRE", ["perth"], False),
        ("Rome", [], False),
        ("23456", [], False),
        ("234568", [], True),
    ],
)
def test_a_text_is_hidden_where_it_stands_in_nothing_else(text: str, used: list[str], hidden: bool) -> None:
    assert can_hide(text, used, SOURCE) is hidden


def test_a_draw_is_the_first_text_that_can_be_hidden() -> None:
    texts = iter(["Rome", "Oslo", "Lima", "Perth"])
    assert draw(Random(0), lambda _: next(texts), ["Oslo"], SOURCE) == "Lima"


def test_a_draw_is_given_up_where_nothing_can_be_hidden() -> None:
    asked: list[Random] = []
    with pytest.raises(SpecError, match="holds nearly everything that could be hidden in it; take other needles"):
        draw(Random(0), lambda random: asked.append(random) or "Rome", [], SOURCE)
    assert len(asked) == 1000


def test_other_blocks_lack_a_query_letter_and_come_once() -> None:
    blocks = OtherBlocks(Random(0), 3, "ab").take(3000)
    assert len(set(blocks)) == len(blocks) == 3000
    assert all(len(set(block)) == 3 and not {"a", "b"} <= set(block) for block in blocks)
    assert any("a" in block for block in blocks)


def test_where_there_are_not_enough_blocks_some_come_twice() -> None:
    blocks = OtherBlocks(Random(0), 1, "a").take(200)
    assert len(set(blocks[:6])) == 6  # a quarter of 26
    assert set(blocks) == set("bcdefghijklmnopqrstuvwxyz")


def test_how_many_blocks_are_taken_changes_nothing_else() -> None:
    random, other = Random(5), Random(5)
    blocks, few = OtherBlocks(random, 5, "ab"), OtherBlocks(other, 5, "ab")
    assert few.take(3) == blocks.take(50)[:3] == blocks.take(3)
    assert random.random() == other.random()

from __future__ import annotations

import re
from itertools import pairwise

from mta_eval.core import generator
from mta_eval.tasks.prompts import prose


def blocks(seed: int, count: int) -> list[list[str]]:
    return [prose.write_prose(generator(seed, "prose", index)) for index in range(count)]


def test_units_are_single_sentences_with_the_white_space_around_them() -> None:
    for block in blocks(0, 20):
        assert len(block) == prose.BLOCK
        for unit in block:
            assert re.fullmatch(r" ?[A-Z][a-z' ,;-]*\.(\n\n)?", unit), unit


def test_units_join_to_running_text() -> None:
    for block in blocks(1, 20):
        assert not block[0].startswith(" ")
        assert block[-1].endswith("\n\n")
        for one, other in pairwise(block):
            assert one.endswith("\n\n") is not other.startswith(" ")


def test_paragraphs_have_a_humane_size() -> None:
    text = "".join(unit for block in blocks(2, 30) for unit in block)
    sizes = [paragraph.count(".") for paragraph in text.strip().split("\n\n")]
    assert max(sizes) <= 9
    assert sum(sizes) / len(sizes) > 4


def test_the_prose_is_varied() -> None:
    sentences = [unit.strip() for block in blocks(3, 40) for unit in block]
    assert len(set(sentences)) > 0.95 * len(sentences)
    assert len({sentence.split()[0] for sentence in sentences}) > 15


def test_the_same_generator_writes_the_same_and_another_something_else() -> None:
    assert blocks(4, 2) == blocks(4, 2)
    assert blocks(4, 1) != blocks(5, 1)
    assert blocks(4, 2)[0] != blocks(4, 2)[1]


def test_no_digit_and_no_word_of_the_babi_worlds_stands_in_it() -> None:
    text = "".join(unit for block in blocks(6, 200) for unit in block).lower()
    assert not re.search(r"\d", text)
    people_places_things = """mary john daniel sandra bill fred jeff julie bathroom bedroom garden hallway kitchen
    office cinema park school apple football milk"""
    words = set(re.findall(r"[a-z]+", text))
    assert words.isdisjoint(people_places_things.split())
    assert words.isdisjoint({"pass", "key", "passkey", "magic", "number", "code"})


def test_every_word_that_is_written_is_in_the_vocabulary() -> None:
    text = "".join(unit for block in blocks(7, 100) for unit in block)
    assert prose.holds(text)
    assert not prose.holds("The carpenter repaired Lisbon")
    assert not prose.holds("42")


def test_no_unit_repeats_a_phrase_within_its_sentence() -> None:
    """ "neither the miller nor the miller" would be a slip of the pen."""
    for block in blocks(8, 200):
        for unit in block:
            doubled = re.search(r"[Nn]either (.+) nor \1 ", unit)
            assert not doubled, unit

from __future__ import annotations

import itertools
from typing import Any

from quoted_needles import quoted

from mta_eval.core import QuotedNeedle, Record
from mta_eval.results.pictures.answers import by_sign, hits_by_needle

NUMBERS = itertools.count()


def needle(value: str, start: int, asked: bool, text: str = "") -> QuotedNeedle:
    return quoted(value, start, asked, text or f"The magic number of Oslo is {value}.")


def record(targets: list[str], output: str | None, needles: list[QuotedNeedle], **more: Any) -> Record:
    score = None if output is None else float(all(target in output for target in targets))
    name = f"niah/{next(NUMBERS)}"
    return Record(name, "niah", "mta", {"length": 1024} | more, targets, output, score, 9, 9, 0.1, needles=needles)


def three(asked: str) -> list[QuotedNeedle]:
    """Three needles, not in the order of the context; those named in `asked` are asked."""
    return [needle(value, start, value in asked) for value, start in (("22", 50), ("11", 10), ("33", 90))]


def letters(target: str, output: str | None) -> Record:
    return record([target], output, [needle(target, 10, True, text=target)])


def means(records: list[Record]) -> list[float]:
    plan = by_sign("task", records)
    assert plan is not None
    return [one.mean for one in plan.charts[0].lines["mta"].values()]


def test_one_asked_needle_is_a_hit_at_its_place_among_all() -> None:
    hits = hits_by_needle(
        [record(["22"], "22", three("22")), record(["22"], "11", three("22")), record(["33"], "It is 33.", three("33"))]
    )
    assert hits is not None
    (grid,) = hits.grids
    assert (grid.y, grid.ys, grid.x, grid.xs) == ("place among all needles", [2, 3], "length", [1024])
    assert (grid.mean, grid.count) == ([[0.5], [1.0]], [[2], [1]])
    assert hits.samples == 3


def test_several_asked_needles_are_told_apart_by_context_and_by_question() -> None:
    hits = hits_by_needle([record(["33", "11"], "33, 12", three("33 11"))] * 2)
    assert hits is not None
    (grid,) = hits.grids
    assert (grid.ys, grid.xs) == ([1, 2], [1, 2])
    assert grid.mean == [[None, 0.0], [1.0, None]]  # 11 stands first and is asked second
    assert grid.count == [[0, 2], [2, 0]]


def test_a_failed_sample_is_neither_hit_nor_miss() -> None:
    hits = hits_by_needle([record(["11"], "11", three("11")), record(["33"], None, three("33"))])
    assert hits is None  # one place is left: no matrix


def test_needles_without_values_or_alone_make_no_matrix() -> None:
    facts = [needle("", 10, False), needle("kitchen", 50, True)]
    assert hits_by_needle([record(["kitchen"], "kitchen", facts)] * 2) is None
    assert hits_by_needle([record(["11"], "11", [needle("11", 10, True)])]) is None
    assert hits_by_needle([]) is None


def test_a_cut_needle_makes_its_record_no_hit_and_no_miss() -> None:
    cut = record(["11", "33"], "11", [needle("11", 10, True), needle("22", 50, False)])
    assert hits_by_needle([cut]) is None


def test_digits_are_compared_place_by_place_with_the_first_number_of_the_answer() -> None:
    assert means([record(["1234"], "It is 1299, not 1234.", [])]) == [1.0, 1.0, 0.0, 0.0]
    assert means([record(["1234"], "123", []), record(["5678"], "no idea", [])]) == [0.5, 0.5, 0.5, 0.0]


def test_letters_of_a_block_are_compared_and_letters_of_a_word_are_not() -> None:
    assert means([letters("edaxs", "eeaxx"), letters("fgabc", "FGABC")]) == [1.0, 0.5, 1.0, 1.0, 0.5]
    assert by_sign("task", [record(["kitchen"], "kitchen", [needle("kitchen", 1, True)])]) is None


def test_signs_of_a_uuid_are_compared() -> None:
    assert means([record(["ab12-cd"], "ab13-cd.", [])]) == [1, 1, 1, 0, 1, 1, 1]


def test_the_axis_says_that_signs_are_not_tokens() -> None:
    plan = by_sign("task", [record(["1234"], "1234", [])])
    assert plan is not None
    assert plan.axis.name == "digit of the answer (text, not tokens)"


def test_targets_of_different_kinds_or_several_have_no_places() -> None:
    assert by_sign("task", [record(["1234"], "1", []), record(["1-x"], "1", [])]) is None
    assert by_sign("task", [record(["12", "34"], "12 34", [])]) is None
    assert by_sign("task", [record(["1234"], None, [])]) is None
    assert by_sign("task", [record(["1"], "1", [])]) is None

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quoted_needles import quoted

from mta_eval.core import Record
from mta_eval.results.mistakes import KINDS, _repeats, kind_of


def record(output: str | None, targets: tuple[str, ...] = ("7421903",), **more: Any) -> Record:
    known: dict[str, Any] = {
        "score": 0.0,
        "needles": [quoted("7421903"), quoted("1182630"), quoted("5530017")],
    } | more
    return Record("s", "niah", "m", {}, list(targets), output, prompt_tokens=9, max_new_tokens=9, seconds=0.1, **known)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (" 1182630", "other needle"),
        ("**1182630.**", "other needle"),
        ("7421903 or 1182630", "other needle"),
        ("I cannot be sure, but 1182630", "other needle"),
        ("11826301", "other"),
        ("7,421,903", "malformed"),
        ("**7 421 903**", "malformed"),
        ("about `7421903` tokens", "malformed"),
        ("74219035", "malformed"),
        ("7421908", "malformed"),
        ("７４２１９０３", "malformed"),
        ("Sorry, is it 7421903?", "malformed"),
        ("9999999", "other"),
        ("", "empty"),
        (" \n\t", "empty"),
        ("I'm sorry, the text does not say.", "refusal"),
        ("I don’t know.", "refusal"),
        ("The number isn't mentioned anywhere.", "refusal"),
        ("There is no such number in the text.", "refusal"),
        ("the city of the city of the city of the city of", "repetition"),
        ("So: 0000000000000000", "repetition"),
        ("haha ha! the river turned, the river turned, the river turned, the", "repetition"),
        ("A quiet town\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nby the sea", "other"),
        ("The market opens at dawn.", "other"),
        ("\ud800", "other"),
    ],
)
def test_every_kind_of_wrong_number(output: str, kind: str) -> None:
    assert kind_of(record(output)) == kind


@pytest.mark.parametrize(
    ("output", "target", "kind"),
    [
        ("bedroom", "kitchen", "other choice"),
        ("In the Kitchen, or the bedroom", "kitchen", "other choice"),
        ("the kitchens", "kitchen", "malformed"),
        ("kitchn", "kitchen", "malformed"),
        ("nowhere", "kitchen", "other"),
    ],
)
def test_places_of_babilong(output: str, target: str, kind: str) -> None:
    assert kind_of(record(output, (target,), needles=[], choices=["kitchen", "bedroom", "office"])) == kind


@pytest.mark.parametrize(
    ("output", "target", "kind"),
    [
        ("Yes.", "no", "other choice"),
        ("Well, no", "no", "malformed"),
        ("Nobody knows", "no", "other"),
        ("There is no information about that", "yes", "refusal"),
        ("I do not know", "maybe", "refusal"),
        ("Sorry: no!", "yes", "other choice"),
    ],
)
def test_yes_and_no_are_words_and_no_parts_of_words(output: str, target: str, kind: str) -> None:
    assert kind_of(record(output, (target,), needles=[], choices=["yes", "no", "maybe"])) == kind


def test_some_of_several_values_is_incomplete_and_all_in_another_form_is_malformed() -> None:
    both = ("7421903", "1182630")
    assert kind_of(record("7421903", both, score=0.5)) == "incomplete"
    assert kind_of(record("7,421,903 and 1,182,630", both)) == "malformed"
    assert kind_of(record("7421903 and 5530017", both)) == "other needle"


def test_an_empty_value_of_a_needle_is_said_by_nobody() -> None:
    assert kind_of(record("the garden", ("kitchen",), needles=[quoted("")])) == "other"


def test_what_broke_down_or_was_cut_or_is_right_is_told_first() -> None:
    assert kind_of(record(None, score=None, error="OutOfMemoryError")) == "failed"
    assert kind_of(record("1182630", truncated=True)) == "truncated"
    assert kind_of(record("7421903", truncated=True, score=1.0)) is None
    assert kind_of(record(None, score=None)) is None


@given(st.text(max_size=300), st.text(max_size=12))
def test_any_answer_is_of_one_kind(output: str, target: str) -> None:
    assert kind_of(record(output, (target,))) in KINDS


@given(st.text("ab ", max_size=30), st.text("abcd", min_size=1, max_size=20), st.integers(1, 5))
@settings(deadline=None)
def test_a_repetition_is_what_stands_three_times_in_a_row_and_nothing_else(before: str, unit: str, times: int) -> None:
    text = before + unit * times + "!"
    rows = (
        re.match(rf"(.{{{size}}})\1\1+", text[start:])
        for start in range(len(text))
        for size in range(1, len(text) // 3 + 1)
    )
    assert _repeats(text) == any(row is not None and len(row[0]) >= 12 for row in rows)


def test_a_hundred_thousand_wrong_answers_take_seconds() -> None:
    wrong = [record(f" {1_000_000 + 37 * number}.", choices=["1182630", "5530017"]) for number in range(5000)]
    began = time.process_time()
    assert {kind_of(one) for one in wrong} <= {"other", "malformed", "repetition"}
    assert time.process_time() - began < 1  # of 100,000: under 20 s, on the slowest machine; 3 s on a usual one


@pytest.mark.parametrize("output", ["the river " * 300, "9" * 3000, "ab" * 1500, "abcdefghij klmno. " * 200])
def test_an_endless_answer_takes_no_time(output: str) -> None:
    began = time.process_time()
    for _ in range(50):
        assert kind_of(record(output)) == "repetition"
    assert time.process_time() - began < 1

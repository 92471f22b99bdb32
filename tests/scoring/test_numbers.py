"""Numbers as people write them: whatever a writer of numbers writes is read as the numbers that were meant."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mta_eval.scoring.numbers import SPACES, is_glued, normalised_number, whole_numbers

SEPARATORS = [*SPACES, ",", ".", "'", "’", "ʼ", "_", "·", "٬", "，", "{,}", "{.}", r"\,", r"{\,}", r"\;", r",\!"]
ZEROS = "0０٠۰०০𝟎𝟘"  # of ASCII, full width, Arabic-Indic, Persian, Devanagari, Bengali, mathematical digits
INVISIBLE = ["", "\u200e", "\u200f", "\u2066", "\u200b", "\u00ad"]


def write(digits: str, separator: str, zero: str, mark: str = "") -> str:
    """`digits` grouped in threes by `separator`, in the script whose digits begin at `zero`."""
    first = len(digits) % 3 or 3
    groups = [digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))]
    return mark + separator.join("".join(chr(ord(zero) + int(digit)) for digit in group) for group in groups) + mark


DIGITS = st.integers(1, 30).flatmap(lambda size: st.text("0123456789", min_size=size, max_size=size))
WRITTEN = st.builds(lambda *how: (how[0], write(*how)), DIGITS, st.sampled_from(["", *SEPARATORS]),
                    st.sampled_from(ZEROS), st.sampled_from(INVISIBLE))  # fmt: skip
BEFORE = ["", "The number is ", "It is: ", "**", "`", "$", r"\boxed{", r"\textbf{", '"', "'", "“", "«", "(", "[", "\n",
          "Answer:\n\n", "1. The key is ", "- ", "— ", "--", "—", "_", "__", "#", "=", "是", "و", "the 5-digit key is ",
          "In 2024, it was ", "| ", "<b>", "5 ", "²"]  # fmt: skip
AFTER = ["", ".", ",", ", I think", "!", "?", ";", "**", "`", "$", "}", '"', "'", "”", "»", ")", "]", "\n", " and more",
         ". Remember it. ", "。", "입니다", "です", "_", "__", "...", " - that is all", "—", "'s place", " (7 digits)",
         ":", ", 2024", "²", "</b>"]  # fmt: skip


@given(WRITTEN, st.sampled_from(BEFORE), st.sampled_from(AFTER))
def test_a_number_is_read_in_any_notation_and_surroundings(written: tuple[str, str], before: str, after: str) -> None:
    digits, text = written
    assume(before != "5 " or len(digits) % 3)  # "5 123 456" is one number
    found = whole_numbers(before + text + after)
    assert digits in found, before + text + after
    assert set(found) <= {digits, "1", "5", "7", "2024"}


@given(
    st.lists(WRITTEN, min_size=2, max_size=5), st.sampled_from([", ", "; ", " and ", "\n", " / ", "\t", " | ", "、"])
)
def test_lists_of_numbers_are_read_number_by_number(written: list[tuple[str, str]], between: str) -> None:
    assert whole_numbers(between.join(text for _, text in written)) == [digits for digits, _ in written]


@given(st.lists(st.integers(1000, 10**9).map(str), min_size=2, max_size=4), st.sampled_from([",", " ", "，"]))
def test_ungrouped_numbers_side_by_side_are_a_list(numbers: list[str], between: str) -> None:
    assert whole_numbers(between.join(numbers)) == numbers


@given(DIGITS, DIGITS, st.sampled_from(["", *SEPARATORS]))
def test_a_number_is_not_read_inside_a_longer_one(digits: str, more: str, separator: str) -> None:
    assert digits not in whole_numbers(write(digits + more, separator, "0"))
    assert digits not in whole_numbers(write("1" + digits, separator, "0"))


PARTS = ["x{}", "{}x", "{}th", "{}e5", "key_{}", "{}_v2", "a{}b", "-{}", "−{}", "is -{}", "12-{}", "{}-12", "12–{}",
         "{}–12", "{}.5", "{}٫5", " .{}", "1.2.{}", "{}\u200e5"]  # fmt: skip


@pytest.mark.parametrize("text", PARTS)
@given(st.integers(1000, 10**9).map(str), st.sampled_from(["", ",", "'", "\u202f"]))
def test_what_is_part_of_something_is_no_whole_number(text: str, digits: str, separator: str) -> None:
    assert digits not in whole_numbers(text.format(write(digits, separator, "0")))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3,486,456, 1,234,567", ["3486456", "1234567"]),
        ("is 3486456, 2024", ["3486456", "2024"]),
        ("2024 3 486 456", ["2024", "3486456"]),
        ("1 234 567 8 901", ["1234567", "8901"]),
        ("3 486 456,50", []),
        ("3.486.456,50", []),
        ("3,486,456.50", []),
        ("34,86,456", ["34", "86", "456"]),  # groups in threes alone
        ("3,486.456", []),
        ("3.486 456", ["3486", "456"]),
        ("3486\n456", ["3486", "456"]),
        ("3,486,\n456", ["3486", "456"]),
        ("3\t486", ["3", "486"]),
        ("3  486", ["3", "486"]),
        ("3\u00a0486 456", ["3486", "456"]),  # two separators
        ("3{486}456", ["3", "486", "456"]),
        ("192.168.1.1", []),
        ("007", ["007"]),
        ("12, 34 and 56", ["12", "34", "56"]),
        ("12,34,56", ["12", "34", "56"]),
        ("", []),
        ("² ½ ① no digits", []),
    ],
)
def test_separators_end_numbers_or_group_them(text: str, numbers: list[str]) -> None:
    assert whole_numbers(text) == numbers


@pytest.mark.parametrize("text", ["100,200,300", "100 200 300", "100, 200, 300"])
def test_numbers_of_three_digits_are_a_list_to_who_looks_for_them(text: str) -> None:
    assert whole_numbers(text, 3) == ["100", "200", "300"]
    assert whole_numbers("9" + text, 3)[0] != "100"


def test_a_number_alone_is_told_from_any_other_text() -> None:
    assert [normalised_number(text) for text in ("3,486", " ３４８６\n", "007")] == ["3486", "3486", "007"]
    assert [normalised_number(text) for text in ("", "3,486 km", "12 and 13", "-5", "3.5", "x5", "(5)")] == [None] * 7


PAIRS = [
    ("a", "b", True),
    ("a", "1", True),
    ("1", "２", True),
    ("a", "-", False),
    ("1", "是", False),
    ("は", "a", False),
]


@pytest.mark.parametrize(("inner", "outer", "glued"), PAIRS)
def test_letters_without_case_glue_nothing(inner: str, outer: str, glued: bool) -> None:
    assert is_glued(inner, outer) is glued


@pytest.mark.parametrize("text", ["20011TH", "A20011", "20011A", "a20011", "Δ20011"])
def test_letters_of_either_case_make_a_code_of_a_number(text: str) -> None:
    assert whole_numbers(text) == []


def test_marks_that_nobody_sees_and_latex_are_read_over_within_a_text() -> None:
    assert whole_numbers("it is 20\u200b011, or $3{,}486$, or ٣٤٥") == ["20011", "3486", "345"]

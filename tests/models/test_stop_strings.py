"""Where an answer is cut, and which stop strings a backend may look for without changing that."""

from __future__ import annotations

import itertools

import pytest

from mta_eval.models.stop_strings import MAX_SENT, cut_at_stop, sendable_stops


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("\n427\nand more", ("\n", "."), "\n427"),
        (" 427. So", ("\n", "."), " 427"),
        ("427", ("\n", "."), "427"),
        ("\n\n", ("\n",), "\n\n"),
        (".5", (".",), ""),
        ("a b c", (), "a b c"),
    ],
)
def test_an_answer_ends_at_the_first_stop_string_after_its_leading_white_space(
    text: str, stops: tuple[str, ...], expected: str
) -> None:
    assert cut_at_stop(text, stops) == expected


def test_no_more_are_sent_than_the_api_takes() -> None:
    assert sendable_stops(("A", "B", "C", "D", "E")) == ["A", "B", "C", "D"]
    assert MAX_SENT == 4


@pytest.mark.parametrize("whole", ["86 the end", "\n\nab. c", "ab#c", "a#b", "xyz", "", " \n", "x end y", ".", "cab#"])
def test_what_a_server_cuts_at_sendable_stops_is_cut_the_same_here(whole: str) -> None:
    marks = ("e", " the", "\n", ".", "b#", "#", "end", "a", "ca")
    for stops in itertools.permutations(marks, 3):
        for mark in sendable_stops(stops):  # as a server does that takes the first of its list, not the earliest
            if mark in whole:
                assert cut_at_stop(whole[: whole.index(mark)], stops) == cut_at_stop(whole, stops), (stops, mark)

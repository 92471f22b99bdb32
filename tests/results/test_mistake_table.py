from __future__ import annotations

from typing import Any

import pytest
from quoted_needles import quoted

from mta_eval.core import Record
from mta_eval.results.mistake_table import link_to, mistake_frame, mistake_rows, mistakes_markdown


def record(output: str, score: float = 0.0, number: int = 0, model: str = "m", **more: Any) -> Record:
    known: dict[str, Any] = {"targets": ["7421903"], "needles": [quoted("1182630")]} | more
    return Record(
        f"niah/512/0.50/{number}",
        "niah",
        model,
        {},
        output=output,
        score=score,
        prompt_tokens=9,
        max_new_tokens=9,
        seconds=0.1,
        **known,
    )


def test_the_wrong_answers_are_counted_by_kind() -> None:
    records = [record("7421903", 1.0), record("1182630"), record("1182630"), record(""), record("dawn", model="n")]
    head, rows = mistake_rows(records)
    assert head == ["task", "model", "answers", "wrong", "empty", "other needle", "other"]
    assert rows == [["niah", "m", "4", "3", "1", "2", "–"], ["niah", "n", "1", "1", "–", "–", "1"]]


def test_the_frame_has_a_row_for_each_kind_that_is_there() -> None:
    frame = mistake_frame([record("7421903", 1.0), record("1182630"), record(""), record("")])
    assert frame.to_dict("records") == [
        {"task": "niah", "model": "m", "kind": "empty", "count": 2, "share": 0.5},
        {"task": "niah", "model": "m", "kind": "other needle", "count": 1, "share": 0.25},
    ]
    assert list(mistake_frame([])) == ["task", "model", "kind", "count", "share"]


def test_two_examples_of_each_kind_are_shown_with_their_samples() -> None:
    text = mistakes_markdown([record("1182630", number=number) for number in range(5)])
    assert text.count("](report.html#sample=") == 2
    assert "[niah/512/0.50/1](report.html#sample=m%2Fniah%2F512%2F0.50%2F1)" in text
    assert "- other needle: says the value of another needle" in text
    assert "- empty:" not in text


def test_nothing_wrong_says_so() -> None:
    assert mistakes_markdown([record("7421903", 1.0)]) == "No answer is wrong.\n"


@pytest.mark.parametrize("odd", ["a|b", "two\nlines", "back\\slash|", "`|`", "<b>|</b>", "\ud800", "| :-- |" * 30])
def test_no_answer_breaks_the_table(odd: str) -> None:
    text = mistakes_markdown([record(odd, targets=[odd], model=f"hf:{odd}")])
    text.encode("utf-8", errors="replace")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    examples = rows[-3:]
    assert [columns(row) for row in examples] == [6, 6, 6]
    assert "<b>" not in text


def columns(row: str) -> int:
    """The cells of a Markdown row: bars that no backslash of its own stands before."""
    bars, place = 0, 0
    while place < len(row):
        bars += row[place] == "|"
        place += 2 if row[place] == "\\" else 1
    return bars - 1


def test_a_link_survives_any_name() -> None:
    one = record("1182630", model="hf:a (b)/[c]#d,e=50%")
    assert link_to(one, "r.html") == "r.html#sample=hf%3Aa%20%28b%29%2F%5Bc%5D%23d%2Ce%3D50%25%2Fniah%2F512%2F0.50%2F0"

"""How answers ended, in counts and in lines that say what to do."""

from __future__ import annotations

from typing import Any

from mta_eval.core import Record
from mta_eval.results.finishes import finish_lines
from mta_eval.results.measures import finishes
from mta_eval.results.summary import SUMMARY_HEAD, summaries, summary_columns, summary_markdown


def record(number: int = 0, **fields: Any) -> Record:
    given = {"output": "x", "score": 1.0, "finish": "stop", "model": "m", "task": "niah"} | fields
    return Record(
        sample_id=f"niah/512/0.50/{number}", axes={"length": 512}, targets=["x"], prompt_tokens=9, max_new_tokens=16,
        seconds=1.0, **given,
    )  # fmt: skip


def test_finishes_are_counted_over_answers() -> None:
    records = [record(finish="length"), record(finish="refused", score=0.0), record(unverified=True)]
    records += [record(output=None, score=None, error="broke"), record(finish=None)]
    counted = finishes(records)
    assert counted == (4, 1, 1, 1)
    assert (counted.unfinished_share, counted.refused_share) == (0.25, 0.25)
    assert finishes([]).unfinished_share == 0


def test_a_line_says_which_answers_their_budget_cut_and_how_to_raise_it() -> None:
    records = [record(n, finish="length", score=0.0) for n in range(3)] + [record(n) for n in range(5)]
    assert finish_lines(records) == [
        "38 % of m's answers to niah are not right and hit their budget of 16 tokens: --answer-tokens 64"
    ]
    assert finish_lines([record(finish="length")]) == []  # right all the same
    assert finish_lines([record(finish="length", score=0.5)]) != []


def test_a_thought_without_an_end_has_a_line_of_its_own() -> None:
    cut = record(finish="length", score=0.0, output="", thought="hm", output_tokens=300)
    (line,) = finish_lines([cut, record(1)])
    assert line == (
        "50 % of m's answers to niah are empty, as the thought before them did not end within its 300 tokens: "
        "--thinking-tokens 1200, or --thinking off"
    )


def test_refusals_and_unverified_answers_are_said_by_model() -> None:
    records = [record(finish="refused", score=0.0), record(1, task="passkey", unverified=True), record(2, model="n")]
    assert finish_lines(records) == [
        "100 % of m's answers to niah are refusals",
        "1 answer of m unverified: it did not confirm how many tokens of the prompt it read",
    ]


def test_the_summary_shows_columns_of_what_there_is() -> None:
    plain = summaries([record()])
    assert not {"unfinished", "refused", "unverified"} & {SUMMARY_HEAD[place] for place in summary_columns(plain)}
    assert "failed" in summary_markdown(plain)
    text = summary_markdown(summaries([record(finish="length"), record(1), record(2, unverified=True)]))
    head, _, row, *_ = text.splitlines()
    assert "unfinished" in head
    assert "refused" not in head
    assert "33 %" in row

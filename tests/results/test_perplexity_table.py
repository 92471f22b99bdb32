from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from reading_records import reading

from mta_eval.core import Record
from mta_eval.results.comparison import pair_up
from mta_eval.results.findings import findings_of
from mta_eval.results.frame import record_frame
from mta_eval.results.mistake_table import mistake_rows, mistakes_markdown
from mta_eval.results.mistakes import kind_of
from mta_eval.results.perplexity_table import by_position, perplexity_frame, perplexity_markdown, perplexity_rows
from mta_eval.results.report import write_report
from mta_eval.results.summary import summary_rows

pytestmark = pytest.mark.usefixtures("quick_pdfs")

# book: exp(300 / 200), wiki: exp(4); each token has two bytes
RECORDS = [reading(100, 100, window=0), reading(200, 100, window=1), reading(200, 50, "wiki")]
ANSWER = Record("niah/1/any/0", "niah", "m", {"length": 2048, "depth": 0.5}, ["7"], "7", 1.0, 9, 9, 0.1)


def test_perplexity_is_by_domain_and_the_average_is_plain() -> None:
    head, rows = perplexity_rows([*RECORDS, ANSWER]) or ([], [])
    assert head == ["task", "window", "domain", "m"]
    assert [row[:3] for row in rows] == [
        ["perplexity", "2K", name] for name in ("book", "wiki", "average of the domains", "bits per byte")
    ]
    values = [float(row[3].split()[0]) for row in rows]
    book, wiki = math.exp(1.5), math.exp(4)
    assert values == pytest.approx([book, wiki, (book + wiki) / 2, 500 / 500 / math.log(2)], abs=0.005)
    assert rows[0][3].endswith("]")  # two windows tell of the spread
    assert rows[1][3] == f"{wiki:.2f}"  # one does not


def test_models_stand_side_by_side_and_what_one_lacks_is_a_gap() -> None:
    head, rows = perplexity_rows([*RECORDS, reading(100, 50, "wiki", model="n")]) or ([], [])
    assert head[3:] == ["m", "n"]
    assert rows[0][4] == rows[2][4] == "–"
    assert rows[1][4] == f"{math.exp(2):.2f}"


def test_lengths_stand_apart() -> None:
    _, rows = perplexity_rows([*RECORDS, reading(100, 100, length=512)]) or ([], [])
    assert [row[1:3] for row in rows[-2:]] == [["512", "book"], ["512", "bits per byte"]]


def test_where_nothing_was_read_there_is_no_table() -> None:
    failed = replace(RECORDS[0], score=None, error="out of memory", positions=[])
    for records in ([], [ANSWER], [failed]):
        assert perplexity_rows(records) is None
        assert perplexity_markdown(records) == ""
        assert perplexity_frame(records).empty
    assert not failed.was_read
    assert not ANSWER.was_read


def test_the_frame_has_numbers_and_their_intervals() -> None:
    frame = perplexity_frame(RECORDS).set_index("domain")
    assert frame.loc["book", "value"] == pytest.approx(math.exp(1.5))
    assert frame.loc["book", "low"] < frame.loc["book", "value"] < frame.loc["book", "high"]
    assert frame["count"].to_dict() == {"book": 2, "wiki": 1, "average of the domains": 3, "bits per byte": 3}


def test_positions_are_pooled_over_windows() -> None:
    cells = by_position(RECORDS[:2])
    assert list(cells) == [1, 64]
    assert cells[1].mean == cells[64].mean == pytest.approx(math.exp(1.5))
    pooled = math.log(cells[1].mean) * 100 + math.log(cells[64].mean) * 100
    assert pooled == pytest.approx(sum(record.axes["nats"] for record in RECORDS[:2]))


def test_a_text_that_was_read_is_no_wrong_answer() -> None:
    assert {kind_of(record) for record in RECORDS} == {None}
    assert kind_of(replace(RECORDS[0], score=None, error="x")) == "failed"
    assert mistake_rows([*RECORDS, ANSWER])[1] == [["niah", "m", "1", "0"]]
    assert mistakes_markdown(RECORDS) == "No answer is wrong.\n"
    assert set(record_frame([("", None, RECORDS)])["mistake"]) == {None}


def test_it_has_no_accuracy_and_no_effective_length() -> None:
    assert summary_rows(RECORDS)[0][:6] == ["perplexity", "m", "–", "–", "3", "0"]
    assert findings_of([*RECORDS, reading(10, 100, length=512)]).rows == []


def test_two_models_are_compared_on_the_same_windows() -> None:
    pairs = pair_up(RECORDS, [replace(record, model="n") for record in RECORDS])
    assert len(pairs.pairs) == 3


def test_the_report_tells_perplexity_and_calls_no_window_wrong(tmp_path: Path) -> None:
    paths = write_report([*RECORDS, ANSWER], tmp_path)
    names = {path.name for path in paths}
    assert {"perplexity.csv", "positions_perplexity.png", "positions_perplexity.svg"} <= names
    text = (tmp_path / "report.md").read_text()
    assert "| perplexity | 2K | average of the domains | 29.54" in text
    assert "positions_perplexity.png" in text
    page = (tmp_path / "report.html").read_text()
    assert "average of the <wbr>domains" in page or "average of the domains" in page
    assert "Answers that were not fully right" not in page
    assert "perplexity.csv" not in {path.name for path in write_report([ANSWER], tmp_path / "other")}

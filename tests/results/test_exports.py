from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mta_eval.core import Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.exports import mistake_text, pivots, score_frame, score_text, write_parquet


def record(score: float | None, model: str = "m", task: str = "niah", **axes: Any) -> Record:
    return Record(str((task, model, axes)), task, model, axes, ["7"], "8", score, 100, 8, 0.1)


RECORDS = [
    record(float(repeat == 0), model, length=length, depth=depth, repeat=repeat, needles=needles, seed=seed)
    for model in ("a", "b")
    for length in (512, 1024)
    for depth in (0.0, 1.0)
    for repeat in (0, 1)
    for needles in (1, 4)
    for seed in (0, 1)
]
AXES = ("length", "depth", "repeat", "needles", "seed", "task", "model")
PAIRS = [(x, y) for x in AXES for y in AXES if x != y]


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_any_two_axes_make_every_form(x: str, y: str, tmp_path: Path) -> None:
    tables = pivots(RECORDS, x, y)
    frame = score_frame(tables)
    assert {"task", "model", x, y, "mean", "low", "high", "count", "truncated"} == set(frame.columns)
    assert frame["count"].sum() == len(RECORDS)
    assert list(csv.DictReader(io.StringIO(score_text(tables, "csv"))))
    assert "| :-- |" in score_text(tables, "markdown")
    assert score_text(tables, "latex").count("\\toprule") == sum(map(len, tables.values()))
    write_parquet(frame, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame, check_dtype=False)


def test_a_cell_that_was_not_measured_is_empty_and_never_zero(tmp_path: Path) -> None:
    records = [record(1.0, length=512, depth=0.0), record(None, length=1024, depth=0.0)]
    tables = pivots(records, "length", "depth")
    rows = list(csv.DictReader(io.StringIO(score_text(tables, "csv"))))
    assert [(row["length"], row["mean"], row["low"], row["count"]) for row in rows][1] == ("1024", "", "", "0")
    assert "100 % [21–100], n=1 | – |" in score_text(tables, "markdown")
    write_parquet(score_frame(tables), tmp_path / "t.parquet")
    assert pd.isna(pd.read_parquet(tmp_path / "t.parquet")["mean"][1])


def test_a_task_without_an_axis_leaves_it_empty_and_others_whole(tmp_path: Path) -> None:
    records = [record(1.0, length=512, depth=0.5, needles=4), record(0.0, task="passkey", length=512, depth=None)]
    tables = pivots(records, "needles", "depth")
    rows = list(csv.DictReader(io.StringIO(score_text(tables, "csv"))))
    assert [(row["task"], row["needles"], row["depth"], row["count"]) for row in rows] == [
        ("niah", "4", "0.5", "1"),
        ("passkey", "", "", "1"),
    ]
    write_parquet(score_frame(tables), tmp_path / "t.parquet")
    back = pd.read_parquet(tmp_path / "t.parquet")
    assert back["needles"][0] == 4
    assert back["needles"].isna().tolist() == [False, True]


def test_an_axis_of_words_and_numbers_becomes_words_and_gaps_stay_gaps(tmp_path: Path) -> None:
    frame = pd.DataFrame({"what": ["a", 4, None], "depth": [0, 0.5, None], "count": [1, 2, 3]}, dtype=object)
    write_parquet(frame, tmp_path / "t.parquet")
    back = pd.read_parquet(tmp_path / "t.parquet")
    assert back["what"].tolist()[:2] == ["a", "4"]
    assert back["what"].isna().tolist() == [False, False, True]
    assert back["depth"].tolist()[:2] == [0.0, 0.5]
    assert back["count"].dtype == "int64"
    assert frame["what"][1] == 4


def test_signs_of_latex_are_escaped() -> None:
    name = r"hf:~/a_b\c^d#e&f{50%},x=$y"
    text = score_text(pivots([record(0.75, name, "niah:a_b=1", length=512, depth=0.5)], "length", "depth"), "latex")
    caption = next(line for line in text.splitlines() if "caption" in line)
    assert r"a\_b\textbackslash{}c\textasciicircum{}d\#e\&f\{50\%\},x=\$y" in caption
    assert r"hf:\textasciitilde{}/a" in caption
    cells = score_text(pivots([record(0.75, name, length=512, depth=0.5)], "model", "depth"), "latex")
    assert r"50\%" in cells
    assert r"\$y" in cells
    plain = text.replace("\\{", "").replace("\\}", "")
    assert plain.count("{") == plain.count("}")


def test_two_depths_that_read_alike_are_two_rows_and_two_columns() -> None:
    records = [record(1.0, length=512, depth=0.12341), record(0.0, length=512, depth=0.12342)]
    for x, y in (("length", "depth"), ("depth", "length")):
        assert score_text(pivots(records, x, y), "latex").count(r"12.3 \%") == 2
        assert score_text(pivots(records, x, y), "markdown").count("12.3 %") == 2


@pytest.mark.parametrize("form", ["markdown", "csv", "latex"])
def test_mistakes_have_every_form(form: Any) -> None:
    text = mistake_text([record(0.0, "a_b", length=512)], form)
    assert "other" in text
    assert ("a\\_b" in text) == (form == "latex")


def test_axes_that_do_not_exist_and_no_records_are_one_line() -> None:
    with pytest.raises(SpecError, match='did you mean "needles"'):
        pivots(RECORDS, "needle", "depth")
    with pytest.raises(StoreError, match="no answers yet"):
        pivots([], "length", "depth")


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_parquet(pd.DataFrame({"a": [1]}), tmp_path / "no" / "t.parquet")
    with pytest.raises(StoreError, match="cannot write"):
        write_parquet(pd.DataFrame({"a": [1]}), tmp_path)

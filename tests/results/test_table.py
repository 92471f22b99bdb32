from __future__ import annotations

import math
from typing import Any

import pytest

from mta_eval.core import Grid, Record
from mta_eval.results.summary import summaries, summarise, summary_markdown, summary_rows
from mta_eval.results.table import (
    axis_text,
    cell_texts,
    count_text,
    length_text,
    model_text,
    percent_text,
    to_frame,
    to_markdown,
)

# two lengths x two depths: three of four right, not measured / one of three fractions, cut
GRID = Grid(
    title="mta",
    x="length",
    y="depth",
    xs=[1024, 2048],
    ys=[None, 0.5],
    mean=[[0.75, None], [0.31, 0.0]],
    low=[[0.3, None], [0.0, 0.0]],
    high=[[0.954, None], [0.8, 0.49]],
    count=[[4, 0], [3, 4]],
    truncated=[[0, 0], [0, 4]],
)


def record(score: float | None, task: str = "niah", model: str = "mta", **more: Any) -> Record:
    known: dict[str, Any] = {"seconds": 0.5, "error": "out of memory" if score is None else None} | more
    return Record("id", task, model, {"length": 8}, ["7"], "7", score, 100, 8, **known)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0k"),
        (512, "512"),
        (1024, "1K"),
        (1500, "1500"),
        (2048, "2K"),
        (131072, "128K"),
        (2**20, "1M"),
        (2**20 + 1024, "1025K"),
    ],
)
def test_lengths_are_written_as_people_write_them(length: int, text: str) -> None:
    assert length_text(length) == text


@pytest.mark.parametrize(
    ("axis", "value", "text"),
    [
        ("length", 4096, "4K"),
        ("length", 4096.0, "4K"),
        ("needles", 4096, "4096"),
        ("depth", 0, "0 %"),
        ("depth", 0.125, "12.5 %"),
        ("depth", 1 / 3, "33.3 %"),
        ("depth", None, "any"),
        ("task", "niah:needles=4", "niah:needles=4"),
        ("noise", 0.1 + 0.2, "0.3"),
    ],
)
def test_axis_values_are_written_for_people(axis: str, value: object, text: str) -> None:
    assert axis_text(axis, value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.75, "75 %"),
        (299 / 300, "99.7 %"),
        (1 / 300, "0.3 %"),
        (0.99999, "99.9 %"),
        (0.00001, "0.1 %"),
    ],
)
def test_only_a_true_zero_or_one_is_shown_as_such(share: float, text: str) -> None:
    assert percent_text(share) == text


def test_a_count_says_how_many_were_right_unless_scores_are_fractions() -> None:
    assert count_text(0.75, 4) == "3/4"
    assert count_text(2 / 3, 3) == "2/3"
    assert count_text(0.31, 3) == "n=3"


def test_a_table_has_depths_down_and_lengths_across() -> None:
    assert to_markdown(GRID).splitlines() == [
        "| depth \\\\ length | 1K | 2K |",
        "| :-- | --: | --: |",
        "| any | 0.75 (3/4) | – |",
        "| 50 % | 0.31 (n=3) | 0.00 (0/4) † |",
        "",
        "† some prompts were cut to the model's window",
    ]


def test_the_interval_style_tells_how_sure_a_cell_is() -> None:
    assert cell_texts(GRID, intervals=True) == [
        ["75 % [30–95], n=4", "–"],
        ["31 % [0–80], n=3", "0 % [0–49], n=4 †"],
    ]


def test_a_name_with_a_pipe_or_a_tag_cannot_break_the_table() -> None:
    text = summary_markdown(summaries([record(1.0, model="a|b\n<script>")]))
    assert "a\\|b &lt;script>" in text
    assert len(text.splitlines()) == 3


def test_a_frame_has_one_row_for_each_cell_and_nan_for_a_gap() -> None:
    frame = to_frame([GRID, GRID])
    assert list(frame.columns) == ["title", "length", "depth", "mean", "low", "high", "count", "truncated"]
    assert len(frame) == 8
    assert frame["mean"].tolist()[0] == 0.75
    assert math.isnan(frame["mean"].tolist()[1])
    assert frame["count"].tolist() == [4, 0, 3, 4] * 2
    assert frame["length"].tolist() == [1024, 2048] * 4


def test_a_grid_without_any_score_still_has_number_columns() -> None:
    empty = Grid("mta", "length", "depth", [8], [0.5], [[None]], [[None]], [[None]], [[0]], [[0]])
    assert to_frame([empty])["mean"].isna().tolist() == [True]
    assert to_frame([empty]).dtypes["mean"] == "float64"


def test_a_summary_has_one_row_for_each_task_and_model() -> None:
    records = [
        record(1.0, seconds=1.0, peak_memory=2**30),
        record(0.0, seconds=3.0, peak_memory=3 * 2**30, truncated=True),
        record(None, seconds=60.0),
        record(1.0, model="diff"),
        record(1.0, task="passkey"),
    ]
    frame = summarise(records)
    assert frame[["task", "model"]].values.tolist() == [["niah", "mta"], ["niah", "diff"], ["passkey", "mta"]]
    first = frame.iloc[0]
    assert (first.accuracy, first.samples, first.failed, first.truncated, first.seconds) == (0.5, 3, 1, 1, 2.0)
    assert frame["memory"].tolist()[0] == 3 * 2**30
    assert frame["memory"].isna().tolist() == [False, True, True]
    assert [row[-1] for row in summary_rows(records)] == ["3.00 GiB", "–", "–"]
    assert 0 < first.low < 0.5 < first.high < 1


def test_a_model_that_failed_throughout_has_no_accuracy_rather_than_zero() -> None:
    frame = summarise([record(None), record(None)])
    assert frame[["accuracy", "low", "high", "seconds"]].isna().all(axis=None)
    assert (
        summary_markdown(summaries([record(None), record(None)])).splitlines()[2]
        == "| niah | mta | – | – | 2 | 2 | 0 | – | – |"
    )


def test_a_models_name_loses_the_folders_that_lead_to_it() -> None:
    assert model_text("hf:/data/runs/mta/step100,dtype=float32") == "hf:…/mta/step100,dtype=float32"
    assert model_text("hf:org/name") == "hf:org/name"
    assert model_text("hf:/data/a") == "hf:/data/a"
    assert model_text("window:300") == "window:300"

import csv
from pathlib import Path
from statistics import mean, stdev

import pytest
from test_trained import record, run

from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.paper_mta import TABLE_1, table_1, write_mta
from mta_eval.results.trained import trained_models

RUNS = [
    (
        "r",
        run(
            mta_a={"attention": "mta", "preset": "cpu", "seed": "42"},
            mta_b={"attention": "mta", "preset": "cpu", "seed": "43"},
            transformer_a={"attention": "transformer", "preset": "cpu", "seed": "42"},
        ),
    )
]


def records() -> list[Record]:
    right, wrong = "abcde", "abcdx"
    answers = {"mta:a": [right] * 9 + [wrong], "mta:b": [right] * 8 + [wrong] * 2, "transformer:a": [wrong] * 10}
    return [
        record(output, position=place, model=model)
        for model, outputs in answers.items()
        for place, output in enumerate(outputs, 1)
    ]


def test_reported_and_measured_stand_in_columns_of_their_own() -> None:
    rows = {tuple(row[:3]): row[3:] for row in table_1(trained_models(records(), RUNS))}
    assert len(rows) == 12
    assert rows["MTA", "5", "all"] == [
        "0.1 ± 0.1", "42: 0.0 · 43: 0.0 · 44: 0.2", "cpu", "15.0 ± 7.1", "42: 10.0 · 43: 20.0", "3.0",
    ]  # fmt: skip
    assert rows["Transformer", "5", "all"][:2] == ["51.6 ± 43.1", "42: 77.7 · 43: 75.3 · 44: 1.9"]
    assert rows["Transformer", "5", "all"][2:] == ["cpu", "100.0", "42: 100.0", "20.0"]
    assert rows["MTA", "8", "last"] == ["0.0 ± 0.0", "–", "–", "–", "–", "–"]


def test_what_the_paper_reports_agrees_with_its_seeds() -> None:
    for reported in TABLE_1.values():
        if reported.seeds:
            shares = list(reported.seeds.values())
            assert (round(mean(shares), 1), round(stdev(shares), 1)) == (reported.mean, reported.std)


def test_a_kind_or_task_that_the_paper_lacks_gets_a_row_without_a_report() -> None:
    rows = table_1(trained_models([record("abcde", model="diff:x"), *records()], RUNS))
    assert ["DIFF", "5", "all", "–", "–", "?", "0.0", "?: 0.0", "0.0"] in rows


def test_two_models_of_one_seed_are_told_apart_by_name() -> None:
    runs = [("r", run(mta_a={"attention": "mta", "seed": "42"}, mta_b={"attention": "mta", "seed": "42"}))]
    rows = table_1(trained_models(records()[:20], runs))
    assert "mta:a: 10.0 · mta:b: 20.0" in [row[-2] for row in rows]


def test_table_page_and_curves_are_written(tmp_path: Path) -> None:
    paths = write_mta(records(), RUNS, tmp_path / "out")
    assert all(path.exists() for path in paths)
    page = paths[0].read_text()
    for path in paths:
        if path.suffix == ".png":
            assert f"({path.name})" in page
    with (tmp_path / "out/table_1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], float(row["measured"]), row["samples"]) for row in rows if row["attention"] == "mta"] == [
        ("42", pytest.approx(10.0), "10"),
        ("43", pytest.approx(20.0), "10"),
    ]
    assert {row["reported_mean"] for row in rows} == {"0.1", "51.6"}


def test_runs_without_letter_blocks_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no answers of trained models"):
        write_mta([record("abcde", task="niah")], RUNS, tmp_path)

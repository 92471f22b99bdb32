from pathlib import Path

import pandas as pd
import pytest
from test_trained import record, run

from mta_eval.core import Record
from mta_eval.papers.artifact import write_artifacts
from mta_eval.papers.letter_blocks import letter_block_errors, table_1_rows
from mta_eval.papers.trained import trained_models

pytestmark = pytest.mark.usefixtures("quick_pdfs")

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
    rows = {tuple(row[:3]): row[3:] for row in table_1_rows(trained_models(records(), RUNS))}
    assert len(rows) == 12
    assert rows["MTA", "5", "all"] == [
        "0.1 ± 0.1", "42: 0.0 · 43: 0.0 · 44: 0.2", "cpu", "15.0 ± 7.1", "42: 10.0 · 43: 20.0", "3.0",
    ]  # fmt: skip
    assert rows["Transformer", "5", "all"][:2] == ["51.6 ± 43.1", "42: 77.7 · 43: 75.3 · 44: 1.9"]
    assert rows["Transformer", "5", "all"][2:] == ["cpu", "100.0", "42: 100.0", "20.0"]
    assert rows["MTA", "8", "last"] == ["0.0 ± 0.0", "–", "–", "–", "–", "–"]


def test_a_kind_or_task_that_the_paper_lacks_gets_a_row_without_a_report() -> None:
    rows = table_1_rows(trained_models([record("abcde", model="diff:x"), *records()], RUNS))
    assert ["DIFF", "5", "all", "–", "–", "?", "0.0", "?: 0.0", "0.0"] in rows


def test_two_models_of_one_seed_are_told_apart_by_name() -> None:
    runs = [("r", run(mta_a={"attention": "mta", "seed": "42"}, mta_b={"attention": "mta", "seed": "42"}))]
    rows = table_1_rows(trained_models(records()[:20], runs))
    assert "mta:a: 10.0 · mta:b: 20.0" in [row[-2] for row in rows]


def test_table_and_curves_are_written(tmp_path: Path) -> None:
    paths = write_artifacts([letter_block_errors(records(), RUNS)], "", tmp_path)
    assert {"by_position.png", "by_letter.svg", "table_1.csv", "table_1.tex"} <= {path.name for path in paths}
    frame = pd.read_csv(tmp_path / "table_1.csv")
    measured = frame[frame["measured"].notna()]
    mta = measured[measured["attention"] == "mta"]
    assert mta[["seed", "samples"]].to_numpy().tolist() == [[42, 10], [43, 10]]
    assert mta["measured"].tolist() == pytest.approx([10, 20])
    assert measured["reported_mean"].tolist() == [51.6, 0.1, 0.1]
    assert len(frame) == 3 + 10  # what is reported and was not measured is there too


def test_what_is_lacking_is_named_and_trained_before_it_is_asked() -> None:
    made = letter_block_errors(records(), RUNS)
    assert len(made.missing) == 10
    assert "MTA, blocks of 8, target first" in made.missing
    assert not [text for text in made.instructions if "--block 5 --target all" in text]
    trained = "mta-eval train letter_blocks --model mta --block 8 --target first --seed 42 --out runs/mta-8-first"
    asked = next(
        text for text in made.instructions if text.startswith("mta-eval run") and "block=8,target=first" in text
    )
    assert made.instructions.index(trained) < made.instructions.index(asked)
    assert "--model mta:runs/mta-8-first" in asked


def test_without_letter_blocks_the_table_is_reported_alone(tmp_path: Path) -> None:
    made = letter_block_errors([record("abcde", task="niah")], RUNS)
    assert made.measured == "nothing."
    assert len(made.missing) == 12
    paths = write_artifacts([made], "", tmp_path)
    assert {path.suffix for path in paths} == {".md", ".csv", ".tex"}

import csv
from pathlib import Path

import pytest

from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.paper_longheads import REPORTED, passkey_ladders, write_longheads


def record(model: str, length: int, score: float | None, task: str = "passkey") -> Record:
    return Record(f"{task}/{length}/0.5/0", task, model, {"length": length}, ["1"], "1", score, 9, 9, 0.1)


RECORDS = [
    *(record("smollm2", 4096, score) for score in (1.0, 1.0, 0.0, 1.0)),
    *(record("smollm2", 16384, 0.0) for _ in range(4)),
    *(record("longheads:smollm2", 16384, score) for score in (1.0, 1.0)),
    record("longheads:smollm2", 8192, 1.0, "passkey:digits=7"),
    record("longheads:smollm2", 8192, None),
    record("longheads:smollm2", 2048, 1.0, "niah"),
]


def test_a_ladder_is_accuracy_by_length_of_passkey_alone() -> None:
    ladders = passkey_ladders(RECORDS)
    found = {model: {length: (one.mean, count) for length, (one, count) in x.items()} for model, x in ladders.items()}
    assert found == {
        "smollm2": {4096: (0.75, 4), 16384: (0.0, 4)},
        "longheads:smollm2": {8192: (1.0, 1), 16384: (1.0, 2)},
    }
    assert list(ladders["longheads:smollm2"]) == [8192, 16384]


def test_reported_and_measured_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    paths = write_longheads(RECORDS, [], tmp_path / "out")
    assert all(path.exists() for path in paths)
    lines = [line for line in paths[0].read_text().splitlines() if line.startswith("|")]
    rows = {cells[0]: cells[1:] for cells in ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)}
    assert rows["length"] == [*(f"reported: {name}" for name in REPORTED), "smollm2", "longheads:smollm2"]
    assert rows["16K"][:2] == ["0 %", "94 %"]
    assert rows["16K"][2].startswith("0 % [0–")
    assert rows["16K"][3] == "100 % [34–100], 2/2"
    assert rows["8K"][:3] == ["–", "–", "–"]
    with (tmp_path / "out/passkey.csv").open() as file:
        sources = [row["source"] for row in csv.DictReader(file)]
    assert sources == ["measured"] * 4 + ["reported"] * 10


def test_runs_without_passkey_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no passkey answers"):
        write_longheads([record("x", 2048, 1.0, "niah")], [], tmp_path)

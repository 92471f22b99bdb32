"""The samples that lm-eval kept, as a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import QuotedNeedle
from mta_eval.errors import StoreError
from mta_eval.results.lm_eval_samples import read_samples_file
from mta_eval.results.several import read_several

NEEDLE: dict[str, Any] = {
    "key": "Paris",
    "value": "7",
    "text": "It is 7.",
    "token_start": 5,
    "token_end": 9,
    "depth": 0.0,
}
NEEDLE |= {"asked": True, "before": "Once. ", "after": " Then."}


def row(length: int, depth: float | None, repeat: int = 0, score: float = 1.0, seed: int = 0) -> dict[str, Any]:
    doc = {"id": f"niah/{length}/{depth}/{repeat}", "task": "niah", "prompt": "Once. It is 7. Then.", "targets": ["7"]}
    doc |= {"axes": {"length": length, "depth": depth, "repeat": repeat}, "prompt_tokens": 90, "max_new_tokens": 9}
    doc |= {"choices": [], "needles": [NEEDLE], "depth": depth, "seed": seed}
    return {"doc": doc, "filtered_resps": [" 7"], "metrics": ["acc"], "acc": score}


def write(folder: Path, rows: list[dict[str, Any]], about: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "samples_mta_niah_2026-01-02T03-04-05.678901.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    if about is not None:
        (folder / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(about))
    return path


def test_records_and_question_come_back(tmp_path: Path) -> None:
    rows = [row(512, 1.0), row(512, 0.0, score=0.0), row(1024, 1.0), row(1024, 0.0)]
    run, records = read_samples_file(write(tmp_path / "m", rows))
    assert (run.sweep.lengths, run.sweep.depths, run.sweep.repeats, run.sweep.seed) == ((512, 1024), (1.0, 0.0), 1, 0)
    assert (run.tasks, run.models) == (("niah",), ("m",))
    assert [record.score for record in records] == [1, 0, 1, 1]
    assert records[0].output == " 7"
    assert records[0].needles == [QuotedNeedle(**NEEDLE)]
    assert records[0].prompt_tokens == 90
    assert len(records[0].prompt_sha256) == 64


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"pretrained": "/a/b", "dtype": "float32", "offload": True}, "mta:/a/b,dtype=float32,offload=true"),
        ("pretrained=/a/b,dtype=float32", "mta:/a/b,dtype=float32"),
        ({}, "mta:named"),
        (None, "folder"),
    ],
)
def test_the_model_is_named_by_its_arguments(told: Any, name: str, tmp_path: Path) -> None:
    about = {"config": {"model": "mta", "model_args": told}, "model_name": "named"}
    assert read_samples_file(write(tmp_path / "folder", [row(512, 0.0)], about))[0].models == (name,)


def test_what_a_limit_left_out_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "m", [row(512, 1.0), row(512, 0.0), row(1024, 1.0)])
    questions, _, lacking = read_several([path])
    assert questions[0][1].environment["answered"] == "3 of 4 samples"
    assert questions[0][1].environment["asked by"] == "lm-eval"
    assert not lacking


def test_samples_of_two_seeds_are_told_apart(tmp_path: Path) -> None:
    about = {"config": {"model": "mta", "model_args": {}}, "model_name": "named"}
    paths = [write(tmp_path / f"s{seed}", [row(512, 1.0, seed=seed)], about) for seed in (0, 3)]
    assert [record.axes["seed"] for record in read_several(paths)[1]] == [0, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("{", "line 1 is damaged"),
        ("[1]", "line 1 is damaged"),
        ('{"doc": {"question": "?"}, "filtered_resps": ["x"], "acc": 1}', "no samples of our tasks"),
        ('{"doc": {}, "filtered_resps": ["x"], "metrics": ["bypass"]}', "without scores .*mta-eval rescore"),
    ],
)
def test_what_is_not_ours_is_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text(text)
    with pytest.raises(StoreError, match=message) as error:
        read_samples_file(tmp_path / "samples.jsonl")
    assert "\n" not in str(error.value)

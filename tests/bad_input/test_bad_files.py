"""Files that are none, or hold what nobody wrote on purpose."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import DEEP, LONG, WINDOW, Call

from mta_eval.models import http_bodies
from mta_eval.outside import DEEPEST, read_json

FILES = sorted((Path(__file__).parents[2] / "mta_eval").rglob("*.py"))


NAMED: dict[str, tuple[str, ...]] = {
    "run": ("run", "{}.toml", "--out", "x"),
    "a haystack": ("run", "niah:haystack=file:{}", *WINDOW, "--lengths", "256", "--dry-run"),
    "stories": ("run", "babilong:source=file:{}", *WINDOW, "--lengths", "256", "--dry-run"),
    "texts": ("run", "perplexity:text={}", *WINDOW, "--lengths", "256", "--dry-run"),
    "export": ("export", "niah", *WINDOW, "--lengths", "256", "--out", "{}"),
    "report": ("report", "{}"),
    "table": ("table", "{}"),
    "compare": ("compare", "{}", "{}"),
    "rescore": ("rescore", "{}", "--out", "x"),
    "merge": ("merge", "{}", "{}", "--out", "x"),
    "import": ("import", "{}", "{}", "--name", "x", "--out", "x"),
    "paper": ("paper", "mta", "--runs", "{}", "--out", "x"),
    "a model": ("show", "niah", "--model", "hf:{}"),
    "no model": ("show", "niah", "--model", "{}"),
    "import-checkpoint": ("import-checkpoint", "{}", "--out", "x"),
    "rows": ("train", "letter_blocks", "--write-rows", "1", "--out", "{}/x"),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_longer_than_the_file_system_takes(case: str, refused: Callable[..., str]) -> None:
    refused(*(argument.format(LONG) for argument in NAMED[case]))


def test_a_name_with_a_nul_character(refused: Callable[..., str]) -> None:
    assert "NUL" in refused("run", "a\0b.toml", "--out", "x")
    refused("import", "a\0b", "a\0b", "--name", "x", "--out", "x")


@pytest.mark.parametrize("name", ["run.json", "records.jsonl"])
def test_pipes_devices_and_folders_in_the_place_of_a_file(
    name: str, run_folder: Path, refused: Callable[..., str]
) -> None:
    file = run_folder / name
    file.unlink()
    makers: dict[str, Callable[[], object]] = {
        "device or a pipe": lambda: os.mkfifo(file),
        "device": lambda: file.symlink_to("/dev/zero"),
        "directory": file.mkdir,
    }
    for named, make in makers.items():
        make()
        for command in (("table", "r"), ("show", "r", "x"), ("rescore", "r", "--out", "new")):
            if command[0] != "rescore" or name == "records.jsonl":
                assert named in refused(*command)
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink()


def test_answers_from_a_pipe_or_a_device(refused: Callable[..., str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/zero"):
        assert "a device or a pipe" in refused("import", name, name, "--name", "x", "--out", "x")
        assert "a device or a pipe" in refused("rescore", name, "--out", "x")
        refused("table", name)


def test_json_nested_deep_is_refused_everywhere(run_folder: Path, refused: Callable[..., str], tmp_path: Path) -> None:
    for depth in (DEEPEST + 1, 200_000):
        text = '{"a":' * depth + "1" + "}" * depth
        (tmp_path / "deep.jsonl").write_text(text + "\n")
        (tmp_path / "samples_x.jsonl").write_text(text + "\n")
        (tmp_path / "deep.json").write_text(text)
        assert "nested" in refused("import", "deep.jsonl", "deep.jsonl", "--name", "x", "--out", "x")
        assert "nested" in refused("rescore", "deep.jsonl", "--out", "x")
        refused("rescore", "deep.json", "--out", "x")
        refused("table", "samples_x.jsonl")
        refused("run", "perplexity:text=deep.jsonl", *WINDOW, "--lengths", "256", "--dry-run")
        refused("run", "niah:values=deep.jsonl", *WINDOW, "--lengths", "256", "--dry-run")
        with pytest.raises(ValueError, match="nested"):
            http_bodies.parsed(text.encode())
    (tmp_path / "study.toml").write_text("x = " + DEEP)
    assert "nested" in refused("run", "study.toml", "--out", "x")
    for name in ("records.jsonl", "run.json"):
        kept = (run_folder / name).read_bytes()
        (run_folder / name).write_text(DEEP + "\n")
        assert "nested" in refused("table", "r")
        (run_folder / name).write_bytes(kept)


def test_json_is_read_to_its_depth() -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    read_json(text)
    with pytest.raises(ValueError, match="100 deep"):
        read_json(f"[{text}]")


def test_numbers_of_a_run_are_those_of_64_bits(run_folder: Path, refused: Callable[..., str]) -> None:
    records = run_folder / "records.jsonl"
    record = json.loads(records.read_text())
    for changed in ({"prompt_tokens": 2**63}, {"axes": {**record["axes"], "length": 2**63}}):
        records.write_text(json.dumps(record | changed) + "\n")
        assert "damaged" in refused("table", "r")
    question = json.loads((run_folder / "run.json").read_text())
    (run_folder / "run.json").write_text(json.dumps(question | {"sweep": question["sweep"] | {"repeats": 10**9}}))
    assert "10,000,000 samples" in refused("report", "r", "--out", "new")


def test_every_reader_of_json_is_the_one_at_the_door() -> None:
    readers = {file.name for file in FILES if "json.loads(" in file.read_text()}
    assert readers == {
        "outside.py",
        "recipe_json.py",
        "training_run.py",
    }  # the others read what they have just written


def test_a_pipe_in_a_folder_of_texts(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "a.txt")
    for task in ("niah:haystack=file:d", "perplexity:text=d"):
        refused("run", task, *WINDOW, "--lengths", "256", "--dry-run")


def test_a_list_where_a_study_has_one_value(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('tasks = ["niah"]\nmodels = ["window:300"]\nrepeats = [1, 2]\n')
    assert "repeats: takes one value" in refused("run", "s.toml", "--dry-run")


LENGTHS: dict[str, str] = {
    "a.jsonl": '{"doc": {"target": "x", "length": 99999999999999999999}, "resps": [["x"]]}',
    "c.jsonl": f'{{"doc": {{"target": "x", "length": "{"9" * 5000}"}}, "resps": [["x"]]}}',
    "b.json": '{"model_response": "x", "context_length": NaN, "depth_percent": 5}',
    "qa1_99999999999999999999k.csv": "target,output,question\na,b,c",
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_that_no_table_can_hold(name: str, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(LENGTHS[name] + "\n")
    assert "length" in refused("rescore", name, "--out", "x")


@pytest.mark.parametrize("prompt", [None, 5, ["x"], {}])
def test_samples_of_lm_eval_whose_prompt_is_no_text(
    prompt: object, refused: Callable[..., str], tmp_path: Path
) -> None:
    row = {"doc": {"id": "niah/256/0.00/0", "prompt": prompt, "seed": 0}, "filtered_resps": ["x"], "acc": 1.0}
    (tmp_path / "samples_niah.jsonl").write_text(json.dumps(row) + "\n")
    assert "holds no samples of our tasks" in refused("table", "samples_niah.jsonl")


def test_a_needle_that_its_prompt_does_not_hold(call: Call, refused: Callable[..., str], tmp_path: Path) -> None:
    assert call("export", "niah", *WINDOW, "--lengths", "256", "--depths", "0", "--out", "s.jsonl")[0] == 0
    sample = json.loads((tmp_path / "s.jsonl").read_text())
    (tmp_path / "s.jsonl").write_text(json.dumps(sample | {"prompt": "x"}))
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": sample["id"], "output": "y"}))
    assert "does not hold the needle" in refused("import", "s.jsonl", "a.jsonl", "--name", "x", "--out", "o")


def test_links_in_a_circle(refused: Callable[..., str], tmp_path: Path) -> None:
    for name in ("samples_x.jsonl", "loop"):
        (tmp_path / name).symlink_to(name)
    circle = "Too many levels of symbolic links"
    assert circle in refused("table", "samples_x.jsonl")
    assert circle in refused("merge", "loop", "loop", "--out", "x")
    assert circle in refused("export", "niah", *WINDOW, "--lengths", "256", "--out", "loop")
    refused("rescore", "loop", "--out", "x")


def test_a_file_without_answers(call: Call, refused: Callable[..., str], tmp_path: Path) -> None:
    assert call("export", "niah", *WINDOW, "--lengths", "256", "--depths", "0", "--out", "s.jsonl")[0] == 0
    (tmp_path / "a.jsonl").write_text("\n")
    assert "holds no answers" in refused("import", "s.jsonl", "a.jsonl", "--name", "x", "--out", "o")

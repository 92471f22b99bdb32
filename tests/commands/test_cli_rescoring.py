"""mta-eval rescore, as people use it."""

import json
from collections.abc import Callable
from pathlib import Path

Call = Callable[..., tuple[int, str, str]]


def test_rescore_prints_the_table_and_names_its_files(tmp_path: Path, call: Call) -> None:
    lines = [
        {"id": 0, "prediction": "12.", "ground_truth": "12"},
        {"id": 1, "prediction": "7 12", "ground_truth": ["12"]},
    ]
    path = tmp_path / "preds_passkey.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ("--rule", "infinitebench_passkey", "--rule", "ruler_all")
    code, out, err = call("rescore", str(path), *given, "--out", str(tmp_path / "out"))
    assert (code, err) == (0, "")
    assert "| passkey | – | 50 % [9–91], n=2 | 100 % [34–100], n=2 |" in out
    assert str(tmp_path / "out/rescore.md") in out.splitlines()


def test_rescore_names_the_files_that_it_skipped(tmp_path: Path, call: Call) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/preds_passkey.jsonl").write_text('{"prediction": "1", "ground_truth": "1"}\n')
    (tmp_path / "in/settings.json").write_text("{}")
    code, _, err = call("rescore", str(tmp_path / "in"), "--out", str(tmp_path / "out"))
    assert code == 0
    assert err == f"mta-eval: 1 skipped (hold no answers): {tmp_path / 'in/settings.json'}\n"


def test_the_terminal_shows_the_leaderboard_first_and_the_models_that_were_chosen(tmp_path: Path, call: Call) -> None:
    for model in ("a", "b", "c", "d"):
        (tmp_path / f"in/{model}").mkdir(parents=True)
        line = {"prediction": "1", "ground_truth": "1" if model < "c" else "2"}
        (tmp_path / f"in/{model}/preds_passkey.jsonl").write_text(json.dumps(line) + "\n")
    out = str(tmp_path / "out")
    code, text, err = call("rescore", str(tmp_path / "in"), "--top", "2", "--out", out)
    assert (code, err) == (0, "")
    assert text.startswith("## infinitebench: infinitebench_passkey\n\n| rank | model | mean | effective length |")
    assert "2 more models in rescore.csv" in text
    assert "| passkey |" not in text  # each model's own tables would hide it
    code, text, _ = call("rescore", str(tmp_path / "in"), "--models", "c, a", "--out", out)
    assert code == 0
    assert [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| 1 ")] == ["a", "c"]
    assert "| passkey | – | 0 % [0–79], n=1 |" in text
    code, _, err = call("rescore", str(tmp_path / "in"), "--models", "e", "--out", out)
    assert (code, len(err.splitlines())) == (2, 1)


def test_mistakes_are_one_line_and_code_2(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "preds_passkey.jsonl"
    path.write_text('{"prediction": "1", "ground_truth": "1"}\n')
    for arguments, message in (
        ((str(path), "--rule", "infinitebench_paskey"), "did you mean 'infinitebench_passkey'"),
        ((str(path), "--rule", "babilong_official"), "cannot score"),
        ((str(tmp_path / "gone"),), "there is no"),
    ):
        code, out, err = call("rescore", *arguments, "--out", str(tmp_path / "out"))
        assert (code, out) == (2, "")
        assert message in err
        assert len(err.splitlines()) == 1

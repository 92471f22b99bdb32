"""The whole pipe on models whose answers are known beforehand."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from page_data import data_of

from mta_eval.cli import main
from mta_eval.core import Record
from mta_eval.results.grid import to_grid
from mta_eval.results.store import read

pytestmark = pytest.mark.usefixtures("quick_pdfs")

RUN = [sys.executable, "-m", "mta_eval"]


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mta-eval", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def expected(record: Record, width: int) -> float:
    """By position alone: is the asked needle inside the last `width` tokens?"""
    asked = [needle for needle in record.needles if needle.asked]
    return float(all(needle.token_start >= record.prompt_tokens - width for needle in asked))


@pytest.mark.parametrize("task", ["niah", "niah:needles=8", "niah:needles=5,asked=2,values=2", "passkey"])
def test_a_window_of_300_sees_only_the_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    run = tmp_path / "run"
    arguments = ["run", task, "--model", "window:300", "--lengths", "256,512,1k", "--repeats", "3", "--out", str(run)]
    assert call(monkeypatch, *arguments) == 0
    records = read(run)[1]
    assert len(records) == 45
    for record in records:
        assert record.score == expected(record, 300), record.sample_id
    if "asked" not in task:
        grid = to_grid(records, "length", "depth", "staircase")
        assert [row[0] for row in grid.mean] == [1, 1, 1, 1, 1]
        assert [row[1] for row in grid.mean] == [0, 0, 1, 1, 1]
        assert [row[2] for row in grid.mean] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("task", ["letter_blocks", "babilong:qa=1", "babilong:qa=5"])
def test_the_staircase_holds_for_the_other_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    run = tmp_path / "run"
    arguments = ["run", task, "--model", "window:300", "--lengths", "512,1k", "--repeats", "3", "--out", str(run)]
    assert call(monkeypatch, *arguments) == 0
    records = read(run)[1]
    assert {record.score for record in records} == {0.0, 1.0}
    for record in records:
        assert record.score == expected(record, 300), record.sample_id


def test_a_report_of_two_models_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = str(tmp_path / "run"), tmp_path / "report"
    models = ["--model", "window:300", "--model", "window:700"]
    assert call(monkeypatch, "run", "niah", *models, "--lengths", "512,1k", "--repeats", "2", "--out", run) == 0
    assert call(monkeypatch, "report", run, "--out", str(out)) == 0
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "report.html",
        "report.md",
        "grid.csv",
        *(f"heatmap_niah.{kind}" for kind in ("png", "svg", "pdf")),
    }
    page = (out / "report.html").read_text()
    assert data_of(page)["columns"]["id"].count("niah/512/0.00/0") == 2
    assert "window:700" in page


def test_a_record_shows_its_prompt_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    call(
        monkeypatch,
        "run",
        "niah:needles=3",
        "--model",
        "window:300",
        "--lengths",
        "512",
        "--repeats",
        "2",
        "--out",
        run,
    )
    capsys.readouterr()
    assert call(monkeypatch, "show", run, "niah:needles=3/512/0.25/1", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    call(
        monkeypatch,
        *(
            "show",
            "niah:needles=3",
            "--model",
            "window:300",
            "--length",
            "512",
            "--depth",
            "0.25",
            "--repeat",
            "1",
            "--json",
        ),
    )
    fresh = json.loads(capsys.readouterr().out)
    assert {key: shown[key] for key in fresh} == fresh
    assert shown["score"] == 0.0
    assert shown["output"] == " I cannot see it."


def test_killed_at_any_moment_every_sample_is_there_once(tmp_path: Path) -> None:
    """kill -9 at random moments of the run, then the same command again until it ends."""
    run = tmp_path / "run"
    arguments = ["run", "niah", "letter_blocks", "--model", "window:300", "--lengths", "256,512", "--repeats", "12"]
    command = [*RUN, *arguments, "--out", str(run)]
    moments = random.Random(0)
    kills = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(moments.uniform(0.25, 0.6))
        if kills < 12 and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        error = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, error.decode()
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    ids = [line["sample_id"] for line in lines]
    assert kills >= 3
    assert len(ids) == len(set(ids)) == 240
    calm = tmp_path / "calm"
    subprocess.run([*RUN, *arguments, "--out", str(calm)], check=True, capture_output=True)
    keep = ("sample_id", "output", "score", "prompt_sha256")
    pick = lambda path: sorted(  # noqa: E731
        tuple(json.loads(line)[key] for key in keep) for line in (path / "records.jsonl").read_text().splitlines()
    )
    assert pick(run) == pick(calm)


@pytest.mark.slow
def test_killed_a_hundred_times_nothing_is_lost(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [
        *RUN,
        "run",
        "niah",
        "--model",
        "window:300",
        "--lengths",
        "256,512",
        "--repeats",
        "600",
        "--out",
        str(run),
    ]
    moments = random.Random(1)
    saved = 0
    for _ in range(100):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.1, 0.9))
        process.kill()
        process.wait()
        if (run / "records.jsonl").exists():
            lines = (run / "records.jsonl").read_bytes().count(b"\n")
            assert lines >= saved
            saved = lines
    subprocess.run(command, check=True, capture_output=True)
    ids = [record.sample_id for record in read(run)[1]]
    assert len(ids) == len(set(ids)) == 6000


def test_a_length_that_only_one_model_takes_is_a_gap_for_the_other_and_the_run_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    models = ("--model", "letter-blocks-mta", "--model", "window:300")
    sweep = ("--lengths", "57,128", "--depths", "0", "--repeats", "1", "--out", "run")
    assert call(monkeypatch, "run", "letter_blocks", *models, *sweep) == 0
    assert "not asked at 128: beyond its window of 57" in capsys.readouterr().err
    run, records = read(Path("run"))
    assert run.environment["lengths beyond the window"] == {"letter-blocks-mta": [128]}
    assert [(record.model, record.axes["length"]) for record in records] == [
        ("letter-blocks-mta", 57),
        ("window:300", 57),
        ("window:300", 128),
    ]
    assert call(monkeypatch, "report", "run", "--attention") == 0
    assert "not finished" not in capsys.readouterr().err
    assert "letter_blocks/57/0.00/0" in Path("run/report/attention_letter_blocks.svg").read_text()
    grid = to_grid(records, "length", "model", "all")
    assert grid.count == [[1, 0], [1, 1]]
    assert grid.mean[0][1] is None

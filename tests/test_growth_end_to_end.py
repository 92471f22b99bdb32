"""A run folder that grows, through the command line: what was asked in steps is what is asked at once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from page_data import data_of

from mta_eval.core import Answer, Sample
from mta_eval.models.window import Window
from mta_eval.results.store import read

pytestmark = pytest.mark.usefixtures("quick_pdfs")
Call = Callable[..., tuple[int, str, str]]
SHORT = ["--lengths", "512", "--depths", "0,1"]
NIAH = ["run", "niah", "--model", "window:300"]
STEPS = (
    [*NIAH, *SHORT, "--repeats", "1"],
    [*NIAH, *SHORT, "--repeats", "3"],
    ["run", "niah", "passkey", "--model", "window:300", "--lengths", "256,512", "--depths", "0.5,0", "--repeats", "2"],
    ["run", "perplexity:windows=2", "niah", "--model", "window:600", "--lengths", "512", "--depths", "1"],
    ["run", "passkey", "--model", "window:600", *SHORT, "--repeats", "1", "--seeds", "5,0"],
)
AT_ONCE = [
    *("run", "niah", "passkey", "perplexity:windows=2", "--model", "window:300", "--model", "window:600"),
    *("--lengths", "256,512", "--depths", "0,0.5,1", "--repeats", "5", "--seeds", "0,5"),
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the samples that the model is asked, in their order."""
    ids: list[str] = []
    generate = Window.generate

    def listen(model: Window, samples: list[Sample]) -> object:
        def heard() -> object:
            for sample in samples:
                ids.append(sample.id)
                yield sample

        answers: list[Answer] = generate(model, heard())  # type: ignore[assignment, arg-type]
        return answers

    monkeypatch.setattr(Window, "generate", listen)
    return ids


def without_clock(folder: Path) -> None:
    """Take from the records what no two runs have in common."""
    file = folder / "records.jsonl"
    lines = [json.loads(line) | {"seconds": 1, "peak_memory": None} for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_run_grown_in_five_steps_is_the_run_made_at_once_byte_for_byte(call: Call) -> None:
    for step in STEPS:
        code, _, err = call(*step, "--out", "grown/run")
        assert code == 0, err
    for folder in ("grown/run", "once/run"):
        code, _, err = call(*AT_ONCE, "--out", folder)
        assert code == 0, err
    grown, once = Path("grown/run"), Path("once/run")
    (grown_run, grown_records), (run, records) = read(grown), read(once)
    assert (grown_run.parts, grown_run.samples, grown_run.tasks) == (run.parts, run.samples, run.tasks)
    assert run.samples == len(records) == 2 * (2 * (2 * 2 * 3 * 5) + 2 * 2 * 2)
    pick = ("sample_id", "task", "model", "output", "score", "prompt_sha256", "fingerprint", "axes", "positions")
    assert [[getattr(one, name) for name in pick] for one in grown_records] == [
        [getattr(one, name) for name in pick] for one in records
    ]
    for folder in (grown, once):
        without_clock(folder)
    for arguments in (
        ["table", "RUN"],
        ["table", "RUN", "--x", "seed", "--y", "model", "--form", "csv"],
        ["table", "RUN", "--mistakes"],
        ["watch", "RUN", "--every", "0.1"],
        ["compare", "RUN"],
    ):
        shown = []
        for folder in (grown, once):
            code, out, err = call(*(str(folder) if one == "RUN" else one for one in arguments))
            assert code == 0, err
            shown.append(out.replace("once/run", "grown/run"))
        assert shown[0] == shown[1], arguments
    for folder in (grown, once):
        assert call("report", str(folder))[0] == 0
        assert call("rescore", str(folder), "--out", str(folder.parent / "rescored"))[0] == 0
    files = sorted(path.name for path in (once / "report").iterdir() if path.suffix in (".csv", ".md", ".html"))
    assert files == ["grid.csv", "perplexity.csv", "report.html", "report.md"]
    for name in files[:2]:
        assert (grown / "report" / name).read_bytes() == (once / "report" / name).read_bytes()
    summaries = [(folder / "report/report.md").read_text().partition("## Summary")[2] for folder in (grown, once)]
    assert summaries[0] == summaries[1]
    rescored = [(folder.parent / "rescored/rescore.md").read_text().splitlines() for folder in (grown, once)]
    assert sorted(rescored[0]) == sorted(rescored[1])  # it reads records.jsonl line by line, in the file's order


def test_only_what_is_missing_is_asked(call: Call, asked: list[str]) -> None:
    assert call(*STEPS[0], "--out", "run")[0] == 0
    assert asked == ["niah/512/1.00/0", "niah/512/0.00/0"]
    before = Path("run/records.jsonl").read_bytes()
    assert call(*STEPS[1], "--out", "run")[0] == 0
    assert asked[2:] == [f"niah/512/{depth}/{repeat}" for repeat in (1, 2) for depth in ("1.00", "0.00")]
    assert Path("run/records.jsonl").read_bytes().startswith(before)
    assert call(*NIAH, "--lengths", "1k,512", "--depths", "0", "--repeats", "1", "--out", "run")[0] == 0
    assert asked[6:] == ["niah/1024/0.00/0"]
    run, records = read(Path("run"))
    assert (run.sweep.lengths, run.sweep.repeats, run.samples, len(records)) == ((512, 1024), 3, 7, 7)
    assert [(part.sweep.lengths, part.sweep.depths, part.sweep.repeats) for part in run.parts] == [
        ((512,), (0.0, 1.0), 3),
        ((1024,), (0.0,), 1),
    ]


def test_asking_for_less_keeps_what_is_there_and_shows_it(call: Call, asked: list[str]) -> None:
    assert call(*STEPS[1], "--out", "run")[0] == 0
    records, before = Path("run/records.jsonl").read_bytes(), json.loads(Path("run/run.json").read_text())
    asked.clear()
    code, out, err = call(*STEPS[0], "--out", "run")
    assert (code, asked) == (0, [])
    assert "2 of 2 samples are there already" in err
    assert " 6 " in out  # the summary is that of the whole folder
    after = json.loads(Path("run/run.json").read_text())
    told = [question["environment"].pop("commands") for question in (before, after)]
    assert [len(commands) for commands in told] == [1, 2]
    assert (after, Path("run/records.jsonl").read_bytes()) == (before, records)


def test_another_seed_makes_of_a_run_one_of_two_seeds(call: Call) -> None:
    assert call(*STEPS[0], "--seed", "4", "--out", "run")[0] == 0
    (run, records) = read(Path("run"))
    assert (run.seeds, ["seed" in one.axes for one in records]) == ((4,), [False, False])
    assert call(*STEPS[0], "--seed", "2", "--out", "run")[0] == 0
    (run, records) = read(Path("run"))
    assert (run.seeds, [one.axes["seed"] for one in records]) == ((4, 2), [2, 2, 4, 4])
    assert len({one.prompt_sha256 for one in records}) == 4
    code, out, _ = call("show", "run", "niah/512/1.00/0", "--seed", "4", "--json")
    assert (code, json.loads(out)["targets"]) == (0, records[2].targets)
    code, out, _ = call("show", "run", "niah/512/1.00/0", "--seed", "2", "--json")
    assert (code, json.loads(out)["targets"]) == (0, records[0].targets)
    code, _, err = call("show", "run", "niah/512/1.00/0")
    assert code == 2
    assert err == "mta-eval: run has 'niah/512/1.00/0' of seed 2, 4; name one with --seed\n"


def test_runs_of_several_seeds_are_compared_with_runs_of_one(call: Call) -> None:
    assert call(*STEPS[0], "--seeds", "4,2", "--out", "both")[0] == 0
    other = ["run", "niah", "--model", "window:600", *SHORT, "--repeats", "1", "--seed", "2", "--out", "one"]
    assert call(*other)[0] == 0
    code, out, err = call("compare", "both", "one")
    assert code == 0, err
    assert "2 samples" in out or " 2 " in out


def test_the_page_tells_samples_of_several_seeds_apart(call: Call) -> None:
    assert call(*STEPS[0], "--seeds", "0,1", "--out", "run")[0] == 0
    assert call("report", "run")[0] == 0
    page, text = (Path("run/report", name).read_text() for name in ("report.html", "report.md"))
    assert "niah/512/0.00/0, seed 0" in data_of(page)["columns"]["id"]
    assert "niah/512/0.00/0, seed 1" in text
    assert "| seeds | 0 · 1 |" in text
    assert "part 2 | niah · window:300 · lengths 512 · depths 0 %, 100 % · repeats 1, seed 1" in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--seeds", "0,x"], "'x' is no seed; write whole numbers of at most 18 digits: 0,1,2"),
        (["--seeds", "1,1"], "seed 1 is given twice"),
        (["--seeds", "1", "--seed", "2"], "--seed and --seeds both name seeds; give one of them"),
    ],
)
def test_wrong_seeds_are_one_line(call: Call, arguments: list[str], error: str) -> None:
    assert call(*STEPS[0], *arguments, "--out", "run") == (2, "", f"mta-eval: {error}\n")


def test_a_dry_run_counts_the_samples_of_all_seeds(call: Call) -> None:
    code, out, _ = call(*STEPS[0], "--seeds", "3,4,5", "--dry-run")
    assert code == 0
    assert "6 samples" in out


def test_a_failed_sample_that_is_not_asked_now_stays(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Window, samples: list[Sample]) -> object:
        for sample in samples:
            raise RuntimeError(f"out of memory at {sample.id}")
        return
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Window, "generate", fail)
        assert call(*STEPS[0], "--out", "run")[0] == 1
    code, _, _ = call("run", "passkey", "--model", "window:300", *SHORT, "--repeats", "1", "--out", "run")
    assert code == 1  # the folder still holds what failed
    assert sum(one.error is not None for one in read(Path("run"))[1]) == 2
    assert call(*STEPS[0], "--out", "run")[0] == 0
    assert all(one.error is None for one in read(Path("run"))[1])
    assert len(Path("run/records.jsonl").read_text().splitlines()) == 4


def test_killed_between_any_two_steps_of_growth_nothing_is_lost(tmp_path: Path) -> None:
    """kill -9 at random moments while a folder grows, then the same commands again until they end."""
    run = tmp_path / "run"
    moments, kills, saved = random.Random(3), 0, 0
    command = [sys.executable, "-m", "mta_eval", "run", "niah", "--model", "window:300", "--lengths", "256,512"]
    for repeats in (2, 8, 14):
        while True:
            process = subprocess.Popen(
                [*command, "--repeats", str(repeats), "--seeds", f"0,{repeats}", "--out", str(run)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            time.sleep(moments.uniform(0.4, 1.0))
            if kills < 8 and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            error = process.communicate()[1]
            if (run / "run.json").exists():
                question, records = read(run)
                assert saved <= len(records) <= question.samples
                saved = len(records)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, error.decode()
    assert kills >= 3
    question, records = read(run)
    assert question.samples == len(records) == 10 * (14 + 2 + 8 + 14)  # seed 0, then one more each time

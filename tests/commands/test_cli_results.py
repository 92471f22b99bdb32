"""compare, table and watch as people use them: what they print, what they refuse, and how."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mta_eval.core import QuotedNeedle, Record, Run, Sweep
from mta_eval.results.store import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pdfs")

Call = Callable[..., tuple[int, str, str]]
LENGTHS, DEPTHS = (512, 1024), (0.0, 0.5, 1.0)


def answers(model: str, right: float, lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> list[Record]:
    """Eight draws each; right from the depth `right` on. `seed` stands for the prompt's text."""
    return [
        Record(
            f"niah:needles=4/{length}/{depth:.2f}/{repeat}",
            "niah:needles=4",
            model,
            {"length": length, "depth": depth, "repeat": repeat, "needles": 4},
            ["7421903"],
            "7421903" if depth >= right else "1182630",
            float(depth >= right),
            length,
            8,
            0.1,
            needles=[QuotedNeedle("Oslo", "1182630", "Oslo is 1182630.", 1, 5, 0.5, asked=False)],
            prompt_sha256=f"{seed}{length}{depth}{repeat}",
        )
        for length in lengths
        for depth in DEPTHS
        for repeat in range(8)
    ]


def write(folder: Path, records: list[Record], seed: int = 0) -> None:
    models = tuple(dict.fromkeys(record.model for record in records))
    run = Run(("niah:needles=4",), models, Sweep(LENGTHS, DEPTHS, 8, seed), "generate", "refuse", "1", {})
    with RunFolder(folder, run) as opened:
        for record in records:
            opened.append(record)


@pytest.fixture
def runs(tmp_path: Path) -> None:
    """a: window:300; b: window:600; both: the two in one run; three; far: of another seed; none: no answers yet."""
    write(tmp_path / "a", answers("window:300", 0.5))
    write(tmp_path / "b", answers("window:600", 0.0))
    write(tmp_path / "both", answers("window:300", 0.5) + answers("window:600", 0.0))
    write(tmp_path / "three", answers("m", 0.0) + answers("n", 0.5) + answers("o", 1.0))
    write(tmp_path / "far", answers("window:600", 0.0, seed=1), seed=1)
    write(tmp_path / "none", [])


BAD = {
    "no run": (("compare", "nowhere", "a"), "there is no run folder 'nowhere'"),
    "one model": (("compare", "a"), "one run is compared with itself where it has two models"),
    "several models": (("compare", "three"), "name them with --first and --second"),
    "several in the second": (("compare", "a", "three"), "name one with --second"),
    "wrong name": (("compare", "both", "--first", "window:30", "--second", "window:600"), "did you mean 'window:300'"),
    "wrong name in the second": (("compare", "a", "b", "--second", "window:300"), "b holds no model"),
    "another seed": (("compare", "a", "far"), "is not the same sample in both"),
    "no answers yet": (("compare", "a", "none"), "none holds no answers yet"),
    "no axis": (("compare", "both", "--x", "needels"), 'did you mean "needles"'),
    "one axis twice": (("compare", "both", "--x", "depth"), "both axes"),
    "model as an axis": (("compare", "both", "--x", "model"), "stand side by side"),
    "out is a file": (("compare", "both", "--out", "file.txt"), "cannot write"),
    "table of no run": (("table", "nowhere"), "there is no run folder 'nowhere'"),
    "table of no answers": (("table", "none"), "no answers yet"),
    "mistakes of no answers": (("table", "none", "--mistakes"), "no answers yet"),
    "table without an axis": (("table", "a", "--x", "lenght"), 'did you mean "length"'),
    "no suffix": (("table", "a", "--out", "scores"), "names no kind of table"),
    "another suffix": (("table", "a", "--out", "scores.xlsx"), "names no kind of table"),
    "parquet to the screen": (("table", "a", "--form", "parquet"), "name the file with --out"),
    "missing folder": (("table", "a", "--out", "no/such/t.md"), "cannot write"),
    "missing folder for Parquet": (("table", "a", "--out", "no/such/t.parquet"), "cannot write"),
    "out is a folder": (("table", "a", "--out", "b", "--form", "csv"), "Is a directory"),
    "unknown form": (("table", "a", "--form", "word"), "word"),
    "watch of no run": (("watch", "nowhere"), "there is no run folder 'nowhere'"),
    "watch without an axis": (("watch", "a", "--y", "dept"), 'did you mean "depth"'),
    "watch without a pause": (("watch", "a", "--every", "0"), "0.1"),
}


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    arguments, named = BAD[case]
    code, _, err = call(*arguments)
    assert code == 2
    assert named in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("arguments", [("both",), ("a", "b"), ("three", "b", "--first", "n")])
def test_compare_says_what_differs_by_how_much_and_how_sure(arguments: tuple[str, ...], call: Call) -> None:
    code, out, err = call("compare", *arguments)
    assert (code, err) == (0, "")
    first, second, said, cells, head, whole, listed, *samples = out.splitlines()
    assert (first.split(": ")[0], second.split(": ")[0]) == ("first", "second")
    better = second.removeprefix("second: ")
    assert said.startswith(f"niah:needles=4: {better} is better: 67 % and 100 %, +33 [")
    assert cells == f"of 6 cells {better} is surely better in 2, worse in 0"
    assert head.split()[:4] == ["task", "cell", "pairs", "draws"]
    assert whole.split()[:7] == ["niah:needles=4", "all", "48", "16", "67", "%", "100"]
    assert listed.split()[:3] == ["task", "sample", "wanted"]
    assert len(samples) == 5
    assert "512, 0 %" not in out


@pytest.mark.usefixtures("runs")
def test_compare_prints_cells_and_samples_as_they_are_asked_for(call: Call) -> None:
    _, out, _ = call("compare", "both", "--cells", "--samples", "0")
    cell = next(line for line in out.splitlines() if "512, 0 %" in line)
    assert cell.split()[1:9] == ["512,", "0", "%", "8", "8", "0", "%", "100"]
    assert cell.rstrip().endswith("*")
    assert "wanted" not in out
    assert sum("niah:needles=4/" in line for line in call("compare", "both", "--samples", "99")[1].splitlines()) == 16


@pytest.mark.usefixtures("runs")
def test_compare_takes_models_the_other_way_round(call: Call) -> None:
    _, out, _ = call("compare", "both", "--first", "window:600", "--second", "window:300")
    assert "better in 0, worse in 2" in out


def test_partly_overlapping_sweeps_are_compared_where_they_overlap(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "a", answers("m", 0.5, lengths=(512,)))
    failed = [
        dataclasses.replace(one, score=None, output=None, error="E") if one.axes["repeat"] == 0 else one
        for one in answers("n", 0.0)
    ]
    write(tmp_path / "b", failed)
    code, out, _ = call("compare", "a", "b")
    assert code == 0
    assert "21 pairs" in out
    assert "left out: 24 samples that only n was asked" in out
    assert "left out: 3 samples that one of them could not answer" in out
    assert "1K" not in out


@pytest.mark.usefixtures("runs")
def test_compare_writes_a_folder(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("compare", "both", "--out", "new/folder")
    assert code == 0
    written = out.splitlines()[-5:]
    assert [Path(name).suffix for name in written] == [".html", ".md", ".csv", ".csv", ".png"]
    assert all((tmp_path / name).stat().st_size for name in written)


@pytest.mark.usefixtures("runs")
def test_table_prints_markdown(call: Call) -> None:
    code, out, err = call("table", "a")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "## niah:needles=4 · window:300"
    assert "| 0 % | 0 % [0–32], n=8 | 0 % [0–32], n=8 |" in out


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("name", ["t.md", "t.csv", "t.tex", "t.parquet", "T.CSV"])
@pytest.mark.parametrize("what", [(), ("--mistakes",)])
def test_table_writes_what_the_end_of_the_name_says(
    name: str, what: tuple[str, ...], call: Call, tmp_path: Path
) -> None:
    code, out, _ = call("table", "a", "b", "--out", name, *what)
    assert (code, out) == (0, f"{name}\n")
    if name.endswith("parquet"):
        frame = pd.read_parquet(tmp_path / name)
        assert frame["count"].sum() == (16 if what else 96)
    else:
        text = (tmp_path / name).read_text()
        assert {"t.md": "| ", "t.csv": "task,", "t.tex": "\\toprule", "T.CSV": "task,"}[name] in text
        assert text.endswith("\n")


@pytest.mark.usefixtures("runs")
def test_a_named_form_wins_over_the_end_of_the_name(call: Call, tmp_path: Path) -> None:
    assert call("table", "a", "--out", "t.txt", "--form", "latex")[0] == 0
    assert "\\toprule" in (tmp_path / "t.txt").read_text()


@pytest.mark.usefixtures("runs")
def test_table_of_mistakes_names_kinds_and_samples(call: Call) -> None:
    _, out, _ = call("table", "a", "--mistakes")
    assert "| niah:needles=4 | window:300 | 48 | 16 | 16 |" in out
    assert "report.html#sample=" in out


@pytest.mark.usefixtures("runs")
def test_table_over_models_and_seeds(call: Call) -> None:
    _, out, _ = call("table", "a", "b", "--x", "model", "--y", "length")
    assert out.splitlines()[2] == "| length \\\\ model | window:300 | window:600 |"
    _, out, _ = call("table", "b", "far", "--x", "seed", "--y", "depth")
    assert out.splitlines()[2] == "| depth \\\\ seed | 0 | 1 |"


@pytest.mark.usefixtures("runs")
def test_watch_of_a_finished_run_prints_its_table_once(call: Call) -> None:
    code, out, err = call("watch", "a")
    assert (code, err) == (0, "")
    assert out.count("niah:needles=4 · window:300") == 1
    assert out.endswith("48 answers\n")


def test_a_real_run_is_compared_with_another_window(call: Call, tmp_path: Path) -> None:
    sweep = ("--lengths", "256,1k", "--depths", "0,1", "--repeats", "6", "--out", "run")
    assert call("run", "niah", "--model", "window:300", "--model", "window:2000", *sweep)[0] == 0
    code, out, _ = call("compare", "run", "--cells")
    assert code == 0
    cell = next(line for line in out.splitlines() if "1K, 0 %" in line)
    assert cell.split()[4:] == ["6", "6", "0", "%", "100", "%", "+100", *cell.split()[11:]]
    stored = [json.loads(line) for line in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    assert {one["score"] for one in stored if one["model"] == "window:2000"} == {1.0}


def test_ctrl_c_stops_watching_with_one_line(tmp_path: Path) -> None:
    run = Run(("niah",), ("m",), Sweep((512,), (0.0,), 8), "generate", "refuse", "1", {})
    with RunFolder(tmp_path / "run", run):
        code = "from mta_eval.cli import main; import sys; sys.argv = ['mta-eval', 'watch', 'run', '--every', '30']; "
        # a shell starts what it puts into the background with SIGINT ignored, and that is inherited
        heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        marked = "import time; wait = time.sleep; time.sleep = lambda s: (print('waiting', flush=True), wait(s)); "
        watching = subprocess.Popen(
            [sys.executable, "-c", heard + marked + code + "main()"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        assert watching.stdout is not None
        while "waiting" not in watching.stdout.readline():
            assert watching.poll() is None
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert len(err.strip().splitlines()) == 1
    assert out.endswith("\n")

"""`mta-eval merge` through the command line: parts of a run made elsewhere are the run made at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval.results.store import read

Call = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("quick_pdfs")


def run(call: Call, out: str, *options: str) -> None:
    given = {"--lengths": "256,512", "--depths": "0,1", "--repeats": "2", "--seeds": "0,1"}
    given |= dict(zip(options[::2], options[1::2], strict=True))
    models = [f"--model=window:{width}" for width in given.pop("widths", "300 600").split()]
    arguments = [part for pair in given.items() for part in pair]
    code, _, err = call("run", "niah", *models, *arguments, "--out", out)
    assert code == 0, err


def test_runs_of_other_machines_are_the_run_made_at_once(call: Call) -> None:
    run(call, "once")
    run(call, "a", "widths", "300", "--lengths", "256")
    run(call, "b", "widths", "300", "--lengths", "512", "--seeds", "0")
    run(call, "c", "widths", "300", "--lengths", "512", "--seeds", "1")
    run(call, "d", "widths", "600", "--repeats", "1")
    run(call, "e", "widths", "600 300", "--seeds", "1")
    code, out, err = call("merge", "a", "b", "c", "d", "e", "--out", "merged")
    assert code == 0, err
    assert out.splitlines()[-1] == "28 answers in merged; 12 were in several runs"
    run(call, "merged")  # goes on with what no run was asked
    assert (read(Path("merged"))[0].parts, read(Path("merged"))[0].samples) == (read(Path("once"))[0].parts, 32)
    for arguments in (["table"], ["watch", "--every", "0.1"], ["compare"]):
        shown = [call(arguments[0], folder, *arguments[1:])[1] for folder in ("once", "merged")]
        assert shown[0] == shown[1]
    assert call("report", "merged")[0] == 0


def test_what_is_missing_is_told(call: Call) -> None:
    run(call, "a", "widths", "300", "--seeds", "0")
    run(call, "b", "widths", "300", "--seeds", "1")
    Path("b/records.jsonl").write_text("".join(Path("b/records.jsonl").read_text().splitlines(keepends=True)[:-3]))
    _, out, _ = call("merge", "a", "b", "--out", "merged")
    assert out.splitlines()[-1] == "13 answers in merged; 3 samples are missing"


def test_a_refusal_is_one_line(call: Call) -> None:
    run(call, "a")
    assert call("merge", "a", "--out", "b") == (2, "", "mta-eval: merge needs two or more run folders\n")

"""The perplexity task from the command line to the papers' tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval.core import generator
from mta_eval.models.window import Window
from mta_eval.papers.reported_mta import DOMAINS
from mta_eval.tasks.prompts import prose

pytestmark = pytest.mark.usefixtures("quick_pdfs")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A file for each domain of the paper, of one window and a half."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, domain in enumerate(DOMAINS):
        blocks = [prose.write_prose(generator(number, "run", index)) for index in range(3)]
        (folder / f"{domain}.txt").write_text("".join(unit for block in blocks for unit in block))
    return folder


def losses(text: str, width: int) -> list[float]:
    """-log p of each word of a text but the first, by the rule of models/window.py, in a plain loop."""
    words = [text[start:end] for start, end in Window(1).tokenizer.encode(text).spans]
    return [
        math.log(2) if word in words[max(0, place - width) : place] else math.log(1024)
        for place, word in enumerate(words)
    ][1:]


def test_a_run_of_perplexity_from_the_command_to_the_paper(call: Call, texts: Path, tmp_path: Path) -> None:
    run = ("run", f"perplexity:text={texts}", "--model", "window:300", "--lengths", "2k", "--out", "runs/p")
    code, out, err = call(*run)
    assert (code, "Traceback" in err) == (0, False)
    assert "average of the domains" in out
    records = [json.loads(line) for line in (tmp_path / "runs/p/records.jsonl").read_text().splitlines()]
    assert all(record["output"] is None and record["error"] is None for record in records)
    first = next(record for record in records if record["axes"]["domain"] == "arxiv")
    code, shown, _ = call("show", "runs/p", first["sample_id"], "--json")
    naive = losses(json.loads(shown)["prompt"], 300)
    assert first["axes"]["nats"] == pytest.approx(sum(naive), abs=1e-3)
    assert first["score"] == pytest.approx(math.exp(-sum(naive) / len(naive)))
    assert len(json.dumps(records[0])) < 1500

    values = {}
    for domain in DOMAINS:
        ours = [record["axes"] for record in records if record["axes"]["domain"] == domain]
        assert len(ours) == 2
        values[domain] = math.exp(sum(one["nats"] for one in ours) / sum(one["predicted"] for one in ours))
    average = sum(values.values()) / len(values)
    code, _, err = call("paper", "mta", "--runs", "runs/p", "--out", "paper")
    assert code == 0, err
    table = (tmp_path / "paper" / "table_2.md").read_text()
    row = next(line for line in table.splitlines() if line.startswith("| **measured**") and "window:300" in line)
    for value in (*values.values(), average):
        assert f"{value:.2f}" in row
    assert "11.25" in table

    before = (tmp_path / "runs/p/records.jsonl").read_bytes()
    (tmp_path / "runs/p/records.jsonl").write_bytes(b"".join(before.splitlines(keepends=True)[:5]) + b'{"torn')
    assert call(*run)[0] == 0
    again = [json.loads(line) for line in (tmp_path / "runs/p/records.jsonl").read_text().splitlines()]
    for one in (*again, *records):
        del one["seconds"], one["peak_memory"]
    assert again == records


def test_every_command_reads_a_run_of_perplexity(call: Call, texts: Path, tmp_path: Path) -> None:
    task = f"perplexity:text={texts},stride=200,windows=3"
    models = ("--model", "window:50", "--model", "window:300")
    code, out, err = call("run", task, *models, "--lengths", "256,512", "--dry-run")
    assert (code, "84 samples" in out) == (0, True), err  # 7 domains, 3 windows, 2 lengths, 2 models
    assert call("run", task, *models, "--lengths", "256,512", "--out", "runs/p")[0] == 0
    code, out, err = call("table", "runs/p", "--x", "domain", "--y", "model")
    assert (code, "## Perplexity" in out) == (0, True), err
    for command in (
        ("table", "runs/p", "--mistakes"),
        ("table", "runs/p", "--form", "csv"),
        ("compare", "runs/p", "--out", "runs/p/compare"),
        ("watch", "runs/p"),
    ):
        code, out, err = call(*command)
        assert (code, "Traceback" in err) == (0, False), (command, err)
    assert "average of the domains" in out
    assert "missing" not in out
    code, _, err = call("export", task, "--model", "window:50", "--lengths", "256", "--out", "texts.jsonl")
    exported = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
    assert len(exported) == 21
    code, out, _ = call("show", task, "--model", "window:50", "--length", "256", "--repeat", "4")
    assert exported[4]["prompt"] in out
    sample = exported[0]["id"]
    code, out, _ = call("show", "runs/p", sample, "--model", "window:300")
    assert (code, "perplexity: " in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("perplexity:text=no/such",), "no such file or folder: 'no/such'; a data set is named dataset:NAME"),
        (("perplexity:stride=600", "--lengths", "512"), "cannot read windows of 512 tokens: it needs 601"),
        (("perplexity:stride=-1",), "must be 0 or more"),
        (("perplexity", "--lengths", "0"), "cannot read windows of 0 tokens"),
    ],
)
def test_a_mistake_is_one_line(call: Call, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = call("run", *arguments, "--model", "window:300", "--out", "runs/x")
    assert (code, said in err, err.count("\n")) == (2, True, 1), err

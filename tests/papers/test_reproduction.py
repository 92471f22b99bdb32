"""The paper's page without runs: the shipped checkpoints are asked first."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mta_eval.papers import reproduction
from mta_eval.results import store

pytestmark = pytest.mark.usefixtures("quick_pdfs")

Call = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
def test_without_runs_the_shipped_checkpoints_are_asked_and_kept(call: Call) -> None:
    code, out, err = call("paper", "--out", "papers", "--samples", "2")
    assert code == 0
    assert "no --runs: asking the shipped checkpoints, 2 rows of letter blocks each" in err
    assert "LongHeads: nothing measured" in err
    written = [line for line in out.splitlines() if line.startswith("papers/")]
    assert all(Path(line).exists() for line in written)
    assert {"papers/mta/paper.md", "papers/longheads/paper.md", "papers/mta/figure_4.png"} <= set(written)
    run, records = store.read(Path("papers/runs/letter-blocks"))
    assert (len(run.models), len(records), run.sweep.seed) == (6, 12, 1000)
    page = Path("papers/mta/paper.md").read_text()
    assert "No runs were given: the checkpoints of the package were measured, 2 samples for each" in page
    frame = pd.read_csv("papers/mta/table_1.csv")
    measured = frame[frame["measured"].notna()]
    assert measured["seed"].tolist() == [42, 43, 44] * 2
    assert measured["samples"].tolist() == [2] * 6
    for kind in ("mta", "transformer"):
        wrong = measured[measured["attention"] == kind]["measured"].tolist()
        scores = {name: 0.0 for name in run.models if name.startswith(f"letter-blocks-{kind}")}
        for record in records:
            if record.model in scores:
                scores[record.model] += record.score or 0.0
        assert wrong == [100 - 50 * score for score in scores.values()]
    lines = Path("papers/runs/letter-blocks/records.jsonl").read_bytes()
    assert call("paper", "mta", "--out", "papers", "--samples", "2")[0] == 0
    assert Path("papers/runs/letter-blocks/records.jsonl").read_bytes() == lines
    assert Path("papers/paper.md").exists()


def test_more_samples_ask_only_what_is_missing(call: Call) -> None:
    records = Path("papers/runs/letter-blocks/records.jsonl")
    assert call("paper", "mta", "--out", "papers", "--samples", "1")[0] == 0
    first = records.read_bytes()
    assert call("paper", "mta", "--out", "papers", "--samples", "2")[0] == 0
    assert records.read_bytes().startswith(first)
    assert records.read_bytes().count(b"\n") == 2 * first.count(b"\n")


def test_longheads_alone_asks_nothing(call: Call) -> None:
    code, out, err = call("paper", "longheads", "--out", "papers")
    assert code == 0
    assert out.splitlines()[0] == "papers/paper.md"
    assert "nothing measured" in err
    assert not Path("papers/runs").exists()


def test_our_models_have_the_parameters_that_table_8_reports() -> None:
    from mta_eval.papers.reported_mta import TABLE_8

    assert list(reproduction.parameter_counts().values()) == [count for count, _ in TABLE_8.values()]


def test_runs_that_are_not_finished_are_named_on_the_page(call: Call) -> None:
    swept = ("--lengths", "256,300", "--depths", "0", "--repeats", "2", "--out", "run")
    assert call("run", "passkey", "--model", "window:300", *swept)[0] == 0
    path = Path("run/records.jsonl")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert call("paper", "longheads", "--runs", "run", "--out", "papers")[0] == 0
    page = Path("papers/paper.md").read_text()
    assert "Not finished: `run` lacks 1 samples." in page
    assert "window:300" in page


def test_runs_of_other_tasks_are_one_line(call: Call) -> None:
    swept = ("--lengths", "256", "--depths", "0", "--repeats", "1", "--out", "run")
    assert call("run", "passkey", "--model", "window:300", *swept)[0] == 0
    code, _, err = call("paper", "mta", "--runs", "run", "--out", "papers")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "no answers in these runs fill a cell" in err


def test_attention_is_drawn_of_one_seed_of_each_training(call: Call) -> None:
    models = [part for name in ("letter-blocks-mta", "letter-blocks-mta:seed=43") for part in ("--model", name)]
    assert call("run", "letter_blocks", *models, "--repeats", "1", "--depths", "any", "--out", "run")[0] == 0
    assert call("paper", "mta", "--runs", "run", "--out", "papers", "--attention")[0] == 0
    seen = Path("papers/figure_4.md").read_text()
    assert "letter-blocks-mta: layer" in seen
    assert "seed=43" not in seen

"""Whole suites, at small sizes and without a network."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mta_eval.core import Answer, Model, Record, Sample
from mta_eval.errors import SpecError
from mta_eval.papers.suites import running
from mta_eval.papers.suites.parts import SUITES
from mta_eval.papers.suites.running import Choices, plans_of
from mta_eval.registry import build_model

pytestmark = pytest.mark.usefixtures("quick_pdfs")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def window() -> dict[str, Model]:
    return {"window:300": build_model("window:300")}


def test_a_suite_ends_in_the_papers_tables_and_a_report_and_asks_nothing_twice(call: Call, tmp_path: Path) -> None:
    asked = ("--model", "window:300", "--out", "s", "--repeats", "1", "--lengths", "128", "--text", "prose")
    code, out, err = call("suite", "longheads-paper", *asked)
    assert code == 0, err
    assert "s/report/report.html" in out
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"passkey", "perplexity", "paper", "report"}
    assert "window:300" in next((tmp_path / "s" / "paper").glob("*.md")).read_text()
    kept = {path: path.read_bytes() for path in (tmp_path / "s").glob("*/records.jsonl")}
    assert len(kept[tmp_path / "s" / "passkey" / "records.jsonl"].splitlines()) == 5  # one length, five depths
    assert call("suite", "longheads-paper", *asked)[0] == 0
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_mta_suite_asks_what_the_paper_asks(window: dict[str, Model]) -> None:
    plans = plans_of(SUITES["mta-paper"], window, Choices(repeats=2, text="prose"))
    assert list(plans) == ["letter_blocks", "niah", "babilong", "perplexity"]
    assert [spec.removeprefix("niah:needles=") for spec in plans["niah"].tasks] == ["2", "4", "6", "8", "10"]
    assert plans["niah"].sweep.lengths == (2048, 4096)
    assert plans["babilong"].sweep.lengths == (0, 1024, 2048, 4096)
    # as many samples a cell: babilong has no depths, so its draws stand in for them
    assert plans["babilong"].sweep.repeats == len(plans["niah"].sweep.depths) * plans["niah"].sweep.repeats == 10
    assert SUITES["mta-paper"].benchmarks["mmlu"] == 5


def test_lengths_that_no_model_takes_are_no_part_of_it() -> None:
    models = {"smollm2": _Short()}
    plans = plans_of(SUITES["longheads-paper"], models, Choices(repeats=1, without=("perplexity",)))  # type: ignore[arg-type]
    assert plans["passkey"].sweep.lengths == (4096, 8192)


class _Short:
    max_length = 8192
    tokenizer = build_model("window:300").tokenizer


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (Choices(1), r"perplexity needs texts: .* --text, .* --without perplexity"),
        (Choices(1, text="prose", without=("benchmark",)), r"no part 'benchmark'; did you mean 'benchmarks'\?"),
        (Choices(1, without=(*SUITES["mta-paper"].parts, "benchmarks")), "--without leaves nothing of the suite; its"),
        (Choices(1, text="prose", without=("benchmarks",), limit=5), "--limit is for benchmarks, and none are asked"),
        (Choices(1, text="prose", include_path=Path("nowhere")), "--include-path: no such folder: 'nowhere'"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_asked(
    window: dict[str, Model], choices: Choices, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        plans_of(SUITES["mta-paper"], window, choices)


def test_a_suite_does_not_write_into_a_run(call: Call, tmp_path: Path) -> None:
    question = ("--lengths", "128", "--repeats", "1")
    assert call("run", "passkey", "--model", "window:300", *question, "--out", "s")[0] == 0
    before = sorted(tmp_path.rglob("*"))
    asked = ("suite", "longheads-paper", "--model", "window:300", "--text", "prose", *question, "--out", "s")
    code, _, err = call(*asked)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "'s' is a run of its own" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_benchmarks_alone_end_without_a_report(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mta_eval.integrations.lm_eval.benchmarks

    monkeypatch.setattr(mta_eval.integrations.lm_eval.benchmarks, "Benchmarks", _NoBenchmarks)
    monkeypatch.setattr(running.reproduction, "draw_papers", lambda *_: [Path("s/paper/paper.md")])
    without = ",".join(SUITES["mta-paper"].parts)
    code, out, err = call("suite", "mta-paper", "--model", "window:300", "--out", "s", "--without", without)
    assert code == 0, err
    assert out.splitlines()[-1] == "s/paper/paper.md"
    assert not (tmp_path / "s" / "report").exists()


class _NoBenchmarks:
    """Benchmarks without samples."""

    def __init__(self, *_: object) -> None: ...

    def ask(self, *_: object) -> list[Record]:
        return []


def test_missing_data_sets_stop_a_suite_before_its_first_question(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functools import partial

    import lm_eval.tasks

    ours = partial(lm_eval.tasks.TaskManager, include_defaults=False)
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", ours)
    code, _, err = call(
        "suite", "mta-paper", "--model", "window:300", "--out", "s", "--repeats", "1", "--text", "prose"
    )
    assert code == 2
    assert "no data for lambada_standard, lambada_openai, boolq" in err
    assert "--without benchmarks" in err
    assert not (tmp_path / "s").exists()


def test_failed_samples_end_in_exit_code_1(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mta_eval.models.window import Window

    def broken(_: Window, samples: Iterator[Sample]) -> Iterator[Answer]:
        for _ in samples:
            raise RuntimeError("out of luck")
        yield from ()

    monkeypatch.setattr(Window, "generate", broken)
    asked = ("--model", "window:300", "--out", "s", "--repeats", "1", "--lengths", "128", "--without", "perplexity")
    code, _, _ = call("suite", "longheads-paper", *asked)
    assert code == 1
    lines = (tmp_path / "s" / "passkey" / "records.jsonl").read_text().splitlines()
    assert {json.loads(line)["error"] for line in lines} == {"RuntimeError: out of luck"}

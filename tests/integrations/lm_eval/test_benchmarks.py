"""lm-eval's benchmarks asked of our models: the same numbers as lm-eval's own hf gives, kept as records."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mta_eval.errors import TextError
from mta_eval.integrations.lm_eval.benchmarks import Benchmarks
from mta_eval.registry import build_model
from mta_eval.results.measures import perplexity
from mta_eval.results.store import read

lm_eval = pytest.importorskip("lm_eval")
TINY = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{question}}}}"
doc_to_target: {target}
{more}
metric_list:
"""
CHOICE_METRICS = "  - {metric: acc, aggregation: mean, higher_is_better: true}\n"
WORD_METRICS = "  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}\n" + CHOICE_METRICS


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks as boolq and lambada are made, on data of our own."""
    folder = tmp_path_factory.mktemp("tasks")
    words = ["river", "garden", "old house", "lamp", "letter"]
    rows = [
        {"question": f"The {a} stood by the", "choices": words, "label": i, "word": f" {a}"}
        for i, a in enumerate(words)
    ]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    choices = TINY.format(
        name="tiny_choice", data=data, kind="multiple_choice", target="label", more='doc_to_choice: "{{choices}}"'
    )
    (folder / "choice.yaml").write_text(choices + CHOICE_METRICS)
    word = TINY.format(name="tiny_word", data=data, kind="loglikelihood", target='"{{word}}"', more="")
    (folder / "word.yaml").write_text(word + WORD_METRICS)
    return folder


@pytest.fixture
def made(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Benchmarks]:
    import lm_eval.tasks

    monkeypatch.setattr(lm_eval.tasks, "TaskManager", partial(lm_eval.tasks.TaskManager, include_defaults=False))
    return partial(Benchmarks, {"tiny_choice": 0, "tiny_word": 0}, include_path=tasks)


def test_the_numbers_are_those_of_lm_evals_own_hf(
    made: Callable[..., Benchmarks], tasks: Path, llama_folder: Path, tmp_path: Path
) -> None:
    model = build_model(f"hf:{llama_folder},dtype=float32")
    records = made().ask({"ours": model}, tmp_path / "run", print)
    theirs: Any = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(llama_folder), "dtype": "float32", "device": "cpu"},
        tasks=["tiny_choice", "tiny_word"],
        task_manager=lm_eval.tasks.TaskManager(include_path=tasks),
        bootstrap_iters=0,
    )
    choice = [record for record in records if record.task == "tiny_choice"]
    rows = theirs["samples"]["tiny_choice"]
    assert [record.score for record in choice] == [row["acc"] for row in rows]
    assert len({record.output for record in choice}) > 0
    word = [record for record in records if record.task == "tiny_word"]
    mine = perplexity(word)
    assert mine is not None
    assert mine.mean == pytest.approx(theirs["results"]["tiny_word"]["perplexity,none"], rel=1e-4)
    assert word[0].score == pytest.approx(math.exp(-word[0].axes["nats"]))


def untimed(line: bytes) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    assert record.pop("seconds") > 0
    return record


def test_the_same_command_asks_only_what_is_missing(
    made: Callable[..., Benchmarks], llama_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {"ours": build_model(f"hf:{llama_folder},dtype=float32")}
    first = made(limit=3).ask(models, tmp_path, print)
    assert len(first) == 6
    lines = (tmp_path / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_bytes(b"".join(lines[:4]))  # killed within the second task
    capsys.readouterr()
    assert made(limit=3).ask(models, tmp_path, print) == read(tmp_path)[1]
    out = capsys.readouterr().out
    assert "tiny_word: 3 questions" in out
    assert "tiny_choice: 3 questions" not in out
    again = (tmp_path / "records.jsonl").read_bytes().splitlines(keepends=True)
    assert again[:4] == lines[:4]
    assert [untimed(line) for line in again] == [untimed(line) for line in lines]


@pytest.mark.usefixtures("made")
def test_all_missing_data_are_named_at_once(tmp_path: Path) -> None:
    gone = TINY.format(name="gone", data=tmp_path / "no.jsonl", kind="loglikelihood", target="word", more="")
    (tmp_path / "gone.yaml").write_text(gone + WORD_METRICS)
    with pytest.raises(TextError, match=r"no data for gone, nowhere \(.*no\.jsonl.*--without benchmarks"):
        Benchmarks({"gone": 0, "nowhere": 0}, include_path=tmp_path)


def test_a_question_longer_than_the_window_stops_it(
    made: Callable[..., Benchmarks], llama_folder: Path, tmp_path: Path
) -> None:
    from mta_eval.errors import ModelError

    model = build_model(f"hf:{llama_folder},dtype=float32,max_length_override=4")
    with pytest.raises(ModelError, match=r"tiny_choice/0 has \d+ tokens, more than the window of 4"):
        made().ask({"ours": model}, tmp_path, print)

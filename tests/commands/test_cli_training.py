"""mta-eval train, as people use it, on models of seconds."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_training import SIZES, log_of, result_of

from mta_eval import registry
from mta_eval.commands import training_bar as terminal
from mta_eval.training import letter_block_recipe as training
from mta_eval.training import recipes
from mta_eval.training.letter_block_recipe import LetterBlockRecipe as Recipe
from mta_eval.training.trainer import HeldOutErrors, Progress, Schedule

Call = Callable[..., tuple[int, str, str]]
TRAIN = ("train", "letter_blocks", "--out", "made", "--steps", "6", "--every", "2", "--device", "cpu")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real recipe, but for a model of 16 numbers and batches of 4."""
    real, schedules = training.letter_blocks, {"batch": 4, "held_out": 8, "tested": 8, "warmup": 0}

    def small(*args: Any, **options: Any) -> Recipe:
        made = real(*args, **options)
        schedule: Schedule = replace(made.schedule, **schedules)  # type: ignore[arg-type]
        return replace(made, sizes={**made.sizes, **SIZES}, schedule=schedule)

    monkeypatch.setitem(recipes.RECIPES, "letter_blocks", small)


def stop_at(evaluation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C right after so many evaluations."""
    left, really = [evaluation], terminal.TrainingBar.evaluated

    def evaluated(bar: terminal.TrainingBar, progress: Progress, probes: Mapping[str, float]) -> None:
        really(bar, progress, probes)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(terminal.TrainingBar, "evaluated", evaluated)


def test_a_training_says_how_it_goes_and_what_came_out(call: Call) -> None:
    code, out, err = call(*TRAIN)
    assert code == 0, err
    errors = json.loads(Path("made/evaluation.json").read_text())
    assert out.splitlines()[0].startswith(f"{errors['answers']:.1%} of answers and {errors['tokens']:.2%} of their tok")
    assert out.splitlines()[1:] == ["made"]
    lines = [line for line in err.splitlines() if line.startswith("step ")]
    log = log_of(Path("made"))
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 4", "step 6"]
    for line, kept in zip(lines, log, strict=True):
        assert f"loss {kept['loss']:.4f}, {kept['held_out']['answers']:.1%} of held-out answers wrong, " in line
        assert line.endswith(" left")
    assert lines[-1].endswith("wrong, 0 s left")


def test_the_count_of_tested_answers_is_the_true_one(call: Call) -> None:
    assert call(*TRAIN)[1].splitlines()[0].endswith(", of 8")


def test_the_same_command_goes_on_after_ctrl_c(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(*TRAIN[:2], "--out", "whole", *TRAIN[4:])[0] == 0
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        code, out, err = call(*TRAIN)
    assert (code, out) == (130, "")
    assert "step 4:" in err
    code, _, err = call(*TRAIN)
    assert code == 0
    assert err.splitlines()[0] == "going on after step 4"
    assert "step 4:" not in err
    assert result_of(Path("made")) == result_of(Path("whole"))


def test_ctrl_c_says_that_the_same_command_goes_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(1, monkeypatch)
    code, _, err = call(*TRAIN)
    assert (code, err.splitlines()[-1]) == (130, "mta-eval: stopped; the same command goes on from here")


def test_a_command_that_has_finished_prints_the_same_errors_again(call: Call) -> None:
    first = call(*TRAIN)
    again = call(*TRAIN)
    assert first[1]
    assert (again[0], again[1]) == (0, first[1])
    assert "step 6" not in again[2]


def test_stop_below_stops_early(call: Call) -> None:
    code, _, err = call(*TRAIN, "--stop-below", "1")
    assert code == 0
    assert "step 2:" in err
    assert "step 4:" not in err
    assert [line["step"] for line in log_of(Path("made"))] == [2]


def test_options_reach_the_recipe(call: Call) -> None:
    options = ("--model", "diff", "--seed", "7", "--block", "8", "--target", "last", "--steps", "3", "--every", "3")
    assert call("train", "letter_blocks", "--out", "made", "--device", "cpu", *options)[0] == 0
    kept = json.loads(Path("made/recipe.json").read_text())
    assert (kept["attention"], kept["seed"], kept["preset"]) == ("diff", 7, "cpu")
    assert kept["task"] == training.letter_blocks("diff", "cpu", 7, 8, "last").task
    assert (kept["schedule"]["steps"], kept["schedule"]["evaluate_every"]) == (3, 3)
    card = Path("made/README.md").read_text()
    assert f"    mta-eval train letter_blocks --out made --device cpu {' '.join(options)}\n" in card
    assert "of 1,000" not in card


def test_the_command_of_a_card_can_be_pasted(call: Call) -> None:
    assert call(*TRAIN[:2], "--out", "my training", *TRAIN[4:])[0] == 0
    card = Path("my training/README.md").read_text()
    assert "    mta-eval train letter_blocks --out 'my training' " in card


def test_a_trained_model_runs_its_task(call: Call) -> None:
    assert call(*TRAIN)[0] == 0
    task = json.loads(Path("made/recipe.json").read_text())["task"]
    model = ("--model", "mta:made,dtype=float32,device=cpu")
    code, _, err = call("run", task, *model, "--repeats", "2", "--depths", "0.5", "--out", "run")
    assert code == 0, err
    records = [json.loads(line) for line in Path("run/records.jsonl").read_text().splitlines()]
    assert len(records) == 2
    assert not any(record["error"] for record in records)


def test_rows_are_written_instead_of_a_training(call: Call) -> None:
    options = ("--block", "8", "--seed", "3", "--write-rows", "4", "--out", "rows.jsonl")
    code, out, _ = call("train", "letter_blocks", *options)
    assert (code, out) == (0, "4 rows in rows.jsonl\n")
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    task: Any = registry.build_task(training.letter_blocks("mta", "cpu", 3, 8).task)
    assert rows == [dict(zip(("src", "tgt"), task.row("training", 3, index), strict=True)) for index in range(4)]
    written = Path("rows.jsonl").read_text()
    code, out, err = call("train", "letter_blocks", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is there already" in err
    assert Path("rows.jsonl").read_text() == written


def test_the_papers_rows_have_319_characters(call: Call) -> None:
    assert call("train", "letter_blocks", "--preset", "paper", "--write-rows", "9", "--out", "rows.jsonl")[0] == 0
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    assert [len(row["src"] + row["tgt"]) for row in rows] == [319] * 9


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "another task": (("leter_blocks", "--out", "x"), "did you mean 'letter_blocks'"),
    "a task without a tokenizer": (("niah", "--out", "x"), "a new model needs a tokenizer"),
    "a probe": (("letter_blocks", "--out", "x", "--probe", "niah"), "beyond the window"),
    "rows of needles": (("needles", "--out", "x", "--write-rows", "1"), "--write-rows writes letter blocks"),
    "rows of text": (("text", "--data", "prose", "--out", "x", "--write-rows", "1"), "--write-rows writes letter bl"),
    "no place": (("letter_blocks",), "--out"),
    "preset": (("letter_blocks", "--out", "x", "--preset", "gpu"), "letter_blocks has no preset 'gpu'"),
    "attention": (("letter_blocks", "--out", "x", "--model", "mamba"), "no attention variant is called"),
    "target": (("letter_blocks", "--out", "x", "--target", "middle"), "--target"),
    "block": (("letter_blocks", "--out", "x", "--block", "26"), "block must be 1 to 25"),
    "no block": (("letter_blocks", "--out", "x", "--block", "0"), "block must be"),
    "block below the query": (("letter_blocks", "--out", "x", "--block", "1"), "query must be 1 to block=1"),
    "steps": (("letter_blocks", "--out", "x", "--steps", "-1"), "--steps"),
    "every": (("letter_blocks", "--out", "x", "--every", "-5"), "--every"),
    "seed": (("letter_blocks", "--out", "x", "--seed", "one"), "--seed"),
    "share": (("letter_blocks", "--out", "x", "--stop-below", "5"), "--stop-below"),
    "rows": (("letter_blocks", "--out", "x", "--write-rows", "-1"), "--write-rows"),
    "rows in no folder": (("letter_blocks", "--out", "x/rows", "--write-rows", "1"), "cannot write"),
    "in use": (("letter_blocks", "--out", "."), "is there already"),
    "a file": (("letter_blocks", "--out", "file"), "cannot write 'file'"),
    "device": (("letter_blocks", "--out", "x", "--device", "toaster"), "toaster"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_and_exit_code_2(case: str, call: Call) -> None:
    Path("file").touch()
    arguments, line = BAD[case]
    code, out, err = call("train", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert line in err
    assert not Path("x").exists()


def test_another_recipe_in_the_folder_is_one_line(call: Call) -> None:
    assert call(*TRAIN)[0] == 0
    code, out, err = call(*TRAIN, "--seed", "7")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "trains with seed 42, not 7" in err


def test_of_a_schedule_only_what_differs_is_named(call: Call) -> None:
    assert call(*TRAIN)[0] == 0
    _, _, err = call(*TRAIN, "--steps", "7")
    assert "steps 6, not 7" in err
    assert "betas" not in err


def test_a_bar_says_nothing_but_evaluations_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.training_bar() as bar:
        assert bar.began is None
        bar.begin(0, 1000)
        for step in range(1, 101):
            bar.step(step, 1 / step)
        bar.evaluated(Progress(100, 0.5, 1e-3, 60.0, HeldOutErrors(0.4, 0.1, 0.25)), {})
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "step 100: loss 0.5000, 25.0% of held-out answers wrong, 9 min left\n"
    assert bar.began == 0


def test_of_text_a_log_has_perplexities_and_probes(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.training_bar(text=True) as bar:
        bar.begin(0, 1000)
        found = {"niah 1K": 62.5, "perplexity of wiki, held out": 12.345}
        bar.evaluated(Progress(100, 0.5, 1e-3, 60.0, HeldOutErrors(3.0, 0.1, 0.25)), found)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "step 100: loss 0.5000, held-out perplexity 20.09, 9 min left"
    assert second == "  niah 1K 62.5 %, perplexity of wiki, held out 12.35"

"""Whole trainings: the recipes, being stopped and going on, several processes, and what the folder is good for."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import EASY, Heard, Leaving, log_of, recipe, result_of, train

import mta_eval
from mta_eval import registry
from mta_eval.core import Cell
from mta_eval.errors import ModelError, SpecError
from mta_eval.training import letter_block_recipe as training
from mta_eval.training.letter_tokenizer import EOS, IDS, row_ids
from mta_eval.training.recipes import recipe_for

HERE = Path(__file__).parents[1] / "helpers"  # where tiny_training is
SCRIPT = """
import os
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tiny_training import Heard, recipe, train
heard = Heard()
train(recipe({arguments}), Path({folder!r}), heard)
Path({folder!r}).with_name("heard-" + os.environ.get("RANK", "0")).write_text(str(len(heard.steps)))
"""
LEARNING: dict[str, Any] = {
    "steps": 36,
    "batch": 16,
    "learning_rate": 1e-2,
    "warmup": 10,
    "evaluate_every": 12,
    "held_out": 64,
    "tested": 64,
}


def script(tmp_path: Path, folder: Path, arguments: str) -> str:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(here=str(HERE), arguments=arguments, folder=str(folder)))
    return str(path)


# stopped and going on


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("attention", tuple(registry.names("attention")))
def test_a_stopped_training_goes_on_as_if_nothing_had_been(attention: str, dropout: float, tmp_path: Path) -> None:
    made = recipe(attention, sizes={"attention_dropout": dropout}, steps=5, warmup=2, decay=0.5)
    whole, stopped = Heard(), Heard()
    train(made, tmp_path / "whole", whole)
    for stop in (2, 3, 5):  # before anything was kept, after the first evaluation, after the second
        with pytest.raises(KeyboardInterrupt):
            train(made, tmp_path / "stopped", Leaving(lambda step, stop=stop: step == stop))  # type: ignore[misc]
    train(made, tmp_path / "stopped", stopped)
    assert result_of(tmp_path / "stopped") == result_of(tmp_path / "whole")
    assert whole.began == [(0, 5)]
    assert stopped.began == [(4, 5)]
    assert stopped.steps == whole.steps[4:]
    assert [progress.step for progress in whole.evaluations] == [2, 4, 5]


def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    options: dict[str, Any] = {"sizes": {"attention_dropout": 0.3}, "steps": 120, "evaluate_every": 1, "held_out": 4}
    folder = tmp_path / "killed"
    arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
    command = [sys.executable, script(tmp_path, folder, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 400
        while not (folder / "log.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(Random().uniform(0.0, 0.4))
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, "it was over before it could be killed"
    done = log_of(folder)[-1]["step"]
    heard = Heard()
    train(recipe(**options), folder, heard)
    train(recipe(**options), tmp_path / "whole")
    assert result_of(folder) == result_of(tmp_path / "whole")
    assert heard.began[0][0] in (done - 1, done)
    assert 0 < done < 120


def test_seconds_are_those_of_the_training_and_not_of_the_break(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), tmp_path, Leaving(lambda step: step == 3))
    time.sleep(0.5)
    began = time.monotonic()
    train(recipe(), tmp_path)
    took = time.monotonic() - began
    first, *_, last = [json.loads(line)["seconds"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert 0 < first < last < first + took


def test_a_finished_training_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors, heard = train(recipe(), tmp_path), Heard()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("mta_eval.training.trainer.Trainer.__init__", None)
    assert train(recipe(), tmp_path, heard) == errors
    assert heard.steps == []
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


# stopping early


def test_a_training_stops_early_once_few_enough_answers_are_wrong(tmp_path: Path) -> None:
    heard = Heard()
    train(recipe(), tmp_path, heard, stop_below=1.0)
    assert [progress.step for progress in heard.evaluations] == [2]
    assert (tmp_path / "README.md").exists()
    assert [line["step"] for line in log_of(tmp_path)] == [2]


def test_a_training_that_was_good_enough_when_it_was_stopped_goes_no_further(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), tmp_path / "stopped", Leaving(lambda step: step == 3))
    heard = Heard()
    train(recipe(), tmp_path / "stopped", heard, stop_below=1.0)
    train(recipe(), tmp_path / "early", stop_below=1.0)
    assert (heard.began, heard.steps) == ([(2, 6)], [])
    assert result_of(tmp_path / "stopped") == result_of(tmp_path / "early")


def test_a_training_that_is_never_good_enough_runs_to_its_end(tmp_path: Path) -> None:
    heard = Heard()
    train(recipe(), tmp_path, heard, stop_below=0.0)
    assert heard.evaluations[-1].step == 6


# several processes


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    arguments = "steps=5, batch=5, held_out=15, evaluate_every=2, clip=0.5"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, script(tmp_path, tmp_path / "two", arguments)]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    one = Heard()
    errors = train(recipe(steps=5, batch=5, held_out=15, evaluate_every=2, clip=0.5), tmp_path / "one", one)
    for ours, theirs in zip(log_of(tmp_path / "two"), log_of(tmp_path / "one"), strict=True):
        assert ours.pop("held_out") == pytest.approx(theirs.pop("held_out"), abs=1e-5)
        assert ours == pytest.approx(theirs, abs=1e-5)
    found, expected = (load_file(tmp_path / name / "model.safetensors") for name in ("two", "one"))
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, expected[name], atol=1e-4, rtol=0)
    assert json.loads((tmp_path / "two" / "evaluation.json").read_text()) == pytest.approx(errors, abs=1e-5)
    assert [(tmp_path / f"heard-{rank}").read_text() for rank in (0, 1)] == ["5", "0"]  # only the first one hears
    assert "| trained on | 2 x " in (tmp_path / "two" / "README.md").read_text()


# rows and recipes


def test_what_is_held_out_is_the_same_for_every_seed_of_a_training() -> None:
    task = registry.build_task("letter_blocks:blocks=10")
    first, second = training.TaskRows(task, 42), training.TaskRows(task, 43)
    for stream in ("validation", "test"):
        assert [first(stream, index) for index in range(20)] == [second(stream, index) for index in range(20)]
    trained = [{tuple(rows("training", index)) for index in range(500)} for rows in (first, second)]
    held_out = {tuple(first(stream, index)) for stream in ("validation", "test") for index in range(500)}
    assert len(set.union(*trained, held_out)) == 2000


def test_rows_are_in_tokens_with_the_answer_at_their_end() -> None:
    for block, target, size in ((5, "all", 6), (8, "all", 9), (5, "first", 2), (8, "last", 2)):
        task: Any = registry.build_task(f"letter_blocks:block={block},target={target},blocks=4")
        rows = training.TaskRows(task, 42)
        prompt, answer = task.row("training", 42, 3)
        assert rows("training", 3) == row_ids(prompt, answer)
        assert rows.answers == [list(range(-size, 0))]
        assert size == len(answer) + 1
        assert rows("training", 3)[-1] == IDS[EOS]


@pytest.mark.parametrize("attention", tuple(registry.names("attention")))
def test_the_paper_recipe_is_the_papers(attention: Any) -> None:
    made = training.letter_blocks(attention, "paper", 42)
    plan = made.schedule
    assert (plan.steps, plan.batch, plan.rows) == (100_000, 64, 1_000_000)
    assert {plan.rate(step) for step in (1, 2, 50_000, 99_999, 100_000)} == {1e-4}
    assert (plan.betas, plan.eps, plan.weight_decay, plan.clip) == ((0.9, 0.98), 1e-8, 0.0, 1.0)
    assert registry.build_task(made.task) == registry.build_task("letter_blocks:block=5,characters=319")
    assert len(training.TaskRows(registry.build_task(made.task), 42)("training", 0)) == 321
    plain = training.letter_blocks("transformer", "paper", 42)
    assert (plain.schedule, plain.task, plain.seed) == (made.schedule, made.task, made.seed)
    assert {name: size for name, size in made.sizes.items() if "kernel" not in name} == plain.sizes


@pytest.mark.parametrize("attention", tuple(registry.names("attention")))
def test_the_papers_model_trains_at_its_full_size(attention: Any, tmp_path: Path) -> None:
    made = training.letter_blocks(attention, "paper", 42, steps=1, batch=1, held_out=1, tested=1)
    train(made, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    wanted: dict[str, Any] = {
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "hidden_size": 256,
        "intermediate_size": 768,
    }
    wanted |= {"vocab_size": 32, "max_position_embeddings": 321, "attention_dropout": 0.1, "attention": attention}
    assert {name: config[name] for name in wanted} == wanted
    weights = load_file(tmp_path / "model.safetensors")
    kernels = {name: tuple(weight.shape) for name, weight in weights.items() if "convolve" in name or "mix" in name}
    if attention == "mta":
        assert set(kernels.values()) == {(2, 2, 9)}
        assert sorted(kernels) == [f"model.layers.{layer}.self_attn.convolve_before" for layer in range(4)]
    else:
        assert len(kernels) == (8 if attention == "talking_heads" else 0)


@pytest.mark.parametrize(("block", "width"), [(5, 9), (8, 15)])
@pytest.mark.parametrize(("preset", "height"), [("cpu", 3), ("paper", 2)])
def test_kernels_reach_over_one_block_on_both_sides(preset: Any, height: int, block: int, width: int) -> None:
    sizes = training.letter_blocks("mta", preset, 42, block).sizes
    assert (sizes["query_kernel_before"], sizes["key_kernel_before"]) == (height, width)


def test_a_recipe_is_kept_whole_and_reads_back_the_same() -> None:
    made = training.letter_blocks("mta", "cpu", 43, 8, "last", steps=7)
    described = made.described()
    assert json.loads(json.dumps(described)) == described
    assert (described["seed"], described["attention"], described["preset"]) == (43, "mta", "cpu")
    task: Any = registry.build_task(described["task"])
    assert (task.block, task.target) == (8, "last")
    assert described["schedule"]["steps"] == 7
    assert described["mta_eval"] == mta_eval.__version__


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a name": ({"what": ["letter_block"]}, r"nothing to train on that is called 'letter_block'; did you mean 'letter_"),
    "a task": ({"what": ["text", "niahh"]}, "nothing to train on that is called 'niahh'; did you mean 'niah'"),
    "a preset": ({"preset": "gpu"}, "no preset 'gpu'; there is: cpu, paper"),
    "a block": ({"options": {"block": 26}}, "block must be 1 to 25"),
    "data": ({"options": {"data": "prose"}}, "letter_blocks has no option --data; leave it out"),
    "a checkpoint": ({"options": {"start": "x"}}, "letter_blocks has no option --from; leave it out"),
    "a tokenizer": ({"options": {"tokenizer_spec": "x"}}, "letter_blocks has no option --tokenizer; leave it out"),
    "an option": ({"options": {"options": {"norm": 1}}}, "letter_blocks has no option --set; leave it out"),
    "needles with blocks": ({"what": ["needles"], "options": {"block": 5}}, "needles has no option --block"),
    "needles with a batch": (
        {"what": ["needles"], "changes": {"batch": 5}},
        "needles has a batch for each of its",
    ),
    "two recipes": ({"what": ["letter_blocks", "text"]}, "letter_blocks is a recipe of its own; train on it alone"),
    "a recipe beside text": ({"what": ["text", "needles"]}, "needles is a recipe of its own; train on it alone"),
    "text twice": ({"what": ["text", "text"], "options": {"data": "prose"}}, "text is named twice; name it once"),
    "blocks of text": (
        {"what": ["text"], "options": {"data": "prose", "block": 5}},
        "--block is of letter_blocks",
    ),
    "data for nothing": (
        {"what": ["niah"], "options": {"data": "prose"}},
        "--data is the text of `text`; name",
    ),
    "an attention": ({"attention": "mamba"}, "no attention variant is called 'mamba'"),
    "a task's option": ({"what": ["niah:needle=2"], "options": {"tokenizer_spec": "x"}}, "needle"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_there_is_no_recipe_for_is_one_line(case: str) -> None:
    given, line = REFUSED[case]
    with pytest.raises(SpecError, match=line) as error:
        recipe_for(**{"what": ["letter_blocks"], "attention": "mta", **given})
    assert "\n" not in str(error.value)


def test_recipes_are_found_by_what_is_trained_on() -> None:
    assert recipe_for(["letter_blocks"], "").described() == training.letter_blocks("mta").described()
    blocks: Any = recipe_for(["letter_blocks"], "diff", "paper", 7, {"steps": 3}, {"block": 8})
    assert (blocks.attention, blocks.preset, blocks.seed, blocks.schedule.steps) == ("diff", "paper", 7, 3)
    needles: Any = recipe_for(["needles"], "transformer", seed=5)
    assert (needles.described()["task"], needles.attention, needles.seed) == ("needles", "transformer", 5)
    mixed: Any = recipe_for(["text", "niah", "passkey"], "", options={"data": "prose", "length": 300})
    assert (mixed.tasks, mixed.data, mixed.attention, mixed.length) == (("niah", "passkey"), "prose", "mta", 300)
    alone: Any = recipe_for(["letter_blocks:blocks=4"], "mta", options={"tokenizer_spec": "x"})
    assert alone.tasks == ("letter_blocks:blocks=4",)


def test_weights_begin_with_the_seed_and_nothing_else(tmp_path: Path) -> None:
    still: dict[str, Any] = {"steps": 1, "learning_rate": 0.0}
    for name, seed, noise in (("a", 42, 0), ("b", 42, 1), ("c", 43, 0)):
        torch.manual_seed(noise)
        train(replace(recipe(**still), seed=seed), tmp_path / name)
    first, same, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert first == same != other


def test_a_training_that_runs_away_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^the loss of step \d+ is (nan|inf); a lower learning rate may help$"):
        train(recipe(steps=40, learning_rate=1e30, evaluate_every=40), tmp_path)
    assert not (tmp_path / "README.md").exists()


# what came out


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows some of the answers, and not all."""
    folder = tmp_path_factory.mktemp("training") / "learned"
    train(recipe("mta", EASY, {"key_kernel_before": 3}, **LEARNING), folder)
    return folder


def test_a_training_learns(learned: Path) -> None:
    lines = log_of(learned)
    assert [line["step"] for line in lines] == [12, 24, 36]
    assert lines[-1]["held_out"]["loss"] < lines[0]["held_out"]["loss"]
    assert 0 < json.loads((learned / "evaluation.json").read_text())["answers"] < 0.9


def test_the_errors_are_those_of_greedy_answers(learned: Path) -> None:
    """The harness, which knows nothing of the training, gets as many test rows right as the training says."""
    model, task = registry.build_model(f"mta:{learned},dtype=float32,device=cpu"), registry.build_task(EASY)
    sample = task.sample(Cell(0, 0.5, 0), 0, model.tokenizer)
    rows = [task.row("test", 0, index) for index in range(64)]  # type: ignore[attr-defined]
    asked = [replace(sample, prompt=prompt, targets=(answer,), stop=()) for prompt, answer in rows]
    found = list(model.generate(asked))
    right = [given.text == answer for given, (_, answer) in zip(found, rows, strict=True)]
    errors = json.loads((learned / "evaluation.json").read_text())
    assert 1 - sum(right) / 64 == errors["answers"]


def test_a_trained_folder_opens_by_transformers_classes(learned: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(learned), AutoModelForCausalLM.from_pretrained(learned)
    assert type(model).__name__ == "MTAForCausalLM"
    assert (model.config.bos_token_id, model.config.eos_token_id) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    prompt, answer = registry.build_task(EASY).row("test", 0, 0)  # type: ignore[attr-defined]
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == row_ids(prompt, answer)[: ids.shape[1]]
    with torch.no_grad():
        assert model(ids).logits.shape == (1, ids.shape[1], 32)
    assert model.config.trained == {"task": EASY, "preset": "cpu", "seed": 42, "steps": 36}


@pytest.mark.parametrize("attention", tuple(registry.names("attention")))
def test_a_trained_folder_opens_by_the_name_of_its_attention(attention: str, tmp_path: Path) -> None:
    train(recipe(attention, steps=1), tmp_path)
    model: Any = registry.build_model(f"{attention}:{tmp_path},dtype=float32")
    task = registry.build_task("letter_blocks:block=3,blocks=4")
    sample = task.sample(Cell(0, 0.5, 0), 0, model.tokenizer)
    assert sample.length == model.max_length == len(f"<{sample.prompt + sample.targets[0]}>")
    assert len(list(model.generate([sample]))) == 1
    assert model.loglikelihood([(sample, sample.targets[0])])[0] < 0
    with pytest.raises(ModelError, match=f"open it as {attention}:"):
        _ = registry.build_model(f"{'mta' if attention == 'diff' else 'diff'}:{tmp_path}").model  # type: ignore[attr-defined]


# rows as a file


def test_rows_are_written_as_the_released_code_reads_them() -> None:
    rows = [json.loads(line) for line in training.rows_as_json(training.letter_blocks("mta"), 5)]
    task: Any = registry.build_task(training.letter_blocks("mta").task)
    assert [(row["src"], row["tgt"]) for row in rows] == [task.row("training", 42, index) for index in range(5)]

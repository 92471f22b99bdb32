"""The folder of a training: what it refuses, and that no moment is a bad one to be stopped at."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_training import SIZES, Heard, Leaving, log_of, recipe, result_of, train

from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import ModelError
from mta_eval.training.letter_block_recipe import LetterBlockRecipe as Recipe
from mta_eval.training.training_folder import TrainingFolder

MTA, DROPOUT = recipe(), recipe(sizes={"attention_dropout": 0.3})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("folder") / "whole"
    train(DROPOUT, folder)
    return folder


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A training that was left in its fifth step, after the evaluation of step 4."""
    with pytest.raises(KeyboardInterrupt):
        train(DROPOUT, tmp_path / "half", Leaving(lambda step: step == 5))
    return tmp_path / "half"


def one_line(error: pytest.ExceptionInfo[ModelError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


WRITES = [("recipe.json", 0), ("log.jsonl", 0), ("state.safetensors", 0), ("log.jsonl", 1), ("state.safetensors", 1)]
WRITES += [("log.jsonl", 2), ("state.safetensors", 2), ("evaluation.json", 0), ("README.md", 0)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "nth"), WRITES)
def test_a_training_killed_at_any_of_its_writes_goes_on(
    name: str, nth: int, after: bool, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.replace
    seen: list[str] = []

    def dying(path: Path, target: Path) -> Path:
        seen.append(Path(target).name)
        dies = seen[-1] == name and seen.count(name) == nth + 1
        if dies and not after:
            raise KeyboardInterrupt
        done = really(path, target)
        if dies:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            train(DROPOUT, tmp_path / "made")
    train(DROPOUT, tmp_path / "made")
    assert result_of(tmp_path / "made") == result_of(whole)
    if name != "README.md":  # which is the last of all
        assert {path.name for path in (tmp_path / "made").iterdir()} == {path.name for path in whole.iterdir()}


def test_a_training_killed_as_its_model_is_written_goes_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(_: Any, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half of")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MTAForCausalLM, "save_pretrained", torn)
        with pytest.raises(KeyboardInterrupt):
            train(DROPOUT, tmp_path / "made")
    assert not TrainingFolder(tmp_path / "made", DROPOUT.described()).finished
    train(DROPOUT, tmp_path / "made")
    assert result_of(tmp_path / "made") == result_of(whole)


def test_a_line_that_was_torn_off_is_written_again(half: Path, whole: Path) -> None:
    with (half / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    train(DROPOUT, half)
    assert result_of(half) == result_of(whole)


def test_lines_beyond_the_state_are_written_again(half: Path, whole: Path) -> None:
    with (half / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": 6, "loss": 0, "held_out": {"answers": 0}}) + "\n")
    train(DROPOUT, half, stop_below=0.1)
    assert result_of(half) == result_of(whole)


def test_without_its_state_a_training_starts_again(half: Path, whole: Path) -> None:
    (half / "state.safetensors").unlink()
    train(DROPOUT, half)
    assert result_of(half) == result_of(whole)


def without_a_moment(state: Path) -> None:
    tensors = load_file(state)
    save_file({name: value for name, value in tensors.items() if "exp_avg_sq.model.norm" not in name}, state)


def of_another_size(state: Path) -> None:
    about = {"step": "4", "seconds": "1.0"}
    save_file({name: torch.ones(3, 7) for name in load_file(state)}, state, about)


def without_its_step(state: Path) -> None:
    save_file(load_file(state), state)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda state: state.write_bytes(b""),
    "text": lambda state: state.write_bytes(b"some text\nof two lines"),
    "cut short": lambda state: state.write_bytes(state.read_bytes()[:-100]),
    "cut at its head": lambda state: state.write_bytes(state.read_bytes()[:100]),
    "a moment lacks": without_a_moment,
    "other sizes": of_another_size,
    "no step": without_its_step,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_one_line(damage: str, half: Path) -> None:
    DAMAGE[damage](half / "state.safetensors")
    with pytest.raises(
        ModelError, match=r"state.safetensors' is damaged .*; delete it to train from the start$"
    ) as error:
        train(DROPOUT, half)
    one_line(error)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x00"])
def test_a_damaged_recipe_is_one_line(text: str, half: Path) -> None:
    (half / "recipe.json").write_text(text)
    with pytest.raises(ModelError) as error:
        train(DROPOUT, half)
    assert "recipe.json" in one_line(error)


@pytest.mark.parametrize("line", [b"\x00\x00\n", b"\xff\xfe\n", b"5\n"])
def test_a_damaged_log_is_left_out_or_one_line(line: bytes, half: Path) -> None:
    (half / "log.jsonl").write_bytes((half / "log.jsonl").read_bytes() + line)
    with suppress(ModelError):  # and nothing else
        train(DROPOUT, half)


OTHERS: dict[str, tuple[Recipe, str]] = {
    "seed": (replace(DROPOUT, seed=7), "seed 42, not 7"),
    "attention": (recipe("transformer", sizes=SIZES | {"attention_dropout": 0.3}), "attention mta, not transformer"),
    "task": (recipe(task="letter_blocks:block=3,blocks=5"), "task letter_blocks:block=3,blocks=4, not "),
    "dropout": (MTA, "attention_dropout"),
    "steps": (recipe(sizes={"attention_dropout": 0.3}, steps=7), "steps"),
}


@pytest.mark.parametrize("differs", OTHERS)
def test_another_recipe_is_refused_and_what_differs_is_named(differs: str, half: Path) -> None:
    before = {path.name: path.read_bytes() for path in half.iterdir()}
    other, named = OTHERS[differs]
    with pytest.raises(ModelError, match="name another folder") as error:
        train(other, half)
    assert named in one_line(error)
    assert before == {path.name: path.read_bytes() for path in half.iterdir()}


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="is there already; name a new folder, or one whose training goes on"):
        train(MTA, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_and_a_deep_one_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "not" / "there" / "yet"):
        made = TrainingFolder(folder, MTA.described())
        assert not (folder / "recipe.json").exists()
        with made.alone():
            assert not made.finished
        assert json.loads((folder / "recipe.json").read_text()) == MTA.described()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_written_is_one_line(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot write") as error:
        train(MTA, tmp_path / place)
    assert str(tmp_path / place) in one_line(error)


def test_a_disk_that_fills_up_is_one_line_and_the_training_goes_on_later(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mta_eval.training.training_folder.save_file", full)
        with pytest.raises(ModelError, match=r"cannot write '.*made': No space left on device"):
            train(DROPOUT, tmp_path / "made")
    train(DROPOUT, tmp_path / "made")
    assert result_of(tmp_path / "made") == result_of(whole)


def test_a_finished_training_keeps_what_is_needed_and_no_more(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "log.jsonl", "recipe.json"} <= names
    assert not {"state.safetensors"} & names
    assert not [name for name in names if name.endswith(".part")]
    folder = TrainingFolder(whole, DROPOUT.described())
    assert folder.finished
    assert [line["step"] for line in folder.lines()] == [2, 4, 6]
    assert [line["step"] for line in log_of(whole)] == [2, 4, 6]


def test_a_finished_folder_that_lost_its_errors_is_one_line(whole: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for path in whole.iterdir():
        if path.name != "evaluation.json":
            (made / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=r"evaluation\.json"):
        train(DROPOUT, made)


def test_a_folder_has_one_training_at_a_time(tmp_path: Path) -> None:
    message = "is in use by another training; wait for it or name another folder"
    first = TrainingFolder(tmp_path / "made", DROPOUT.described())
    with first.alone(), pytest.raises(ModelError, match=message):
        train(DROPOUT, tmp_path / "made")
    with TrainingFolder(tmp_path / "made", DROPOUT.described()).alone():
        pass


def test_a_training_killed_as_it_wrote_its_recipe_begins(tmp_path: Path) -> None:
    (tmp_path / ".recipe.json.abcdefgh.part").write_text("{")
    with TrainingFolder(tmp_path, DROPOUT.described()).alone():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.json"]


def test_a_state_that_cannot_be_written_whole_leaves_nothing_beside_it(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, path: Path, *__: object) -> None:
        path.write_bytes(b"half of")
        raise OSError(28, "No space left on device")

    before = sorted(path.name for path in half.iterdir())
    monkeypatch.setattr("mta_eval.training.training_folder.save_file", full)
    with pytest.raises(ModelError, match="No space left on device"):
        train(DROPOUT, half)
    assert sorted(path.name for path in half.iterdir()) == before


def test_a_training_that_another_one_finished_meanwhile_is_not_trained_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Recipe.tokenizer

    def slow(recipe: Recipe) -> Any:
        shutil.copytree(whole, tmp_path / "made")  # while this one prepares itself
        return really(recipe)

    with monkeypatch.context() as patch:
        patch.setattr(Recipe, "tokenizer", slow)
        heard = Heard()
        errors = train(DROPOUT, tmp_path / "made", heard)
    assert errors == json.loads((whole / "evaluation.json").read_text())
    assert heard.steps == []

"""The models that come with the package: there, small, and as good as their cards say."""

import json
import re
from pathlib import Path

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, Sweep
from mta_eval.models.shipped import HERE

LETTERS, NEEDLES = HERE / "letter_blocks", HERE / "needles"
KINDS = sorted(path.name for path in NEEDLES.iterdir())
NAMES = [f"letter-blocks-{kind}{seed}" for kind in ("mta", "transformer") for seed in ("", ":seed=43", ":seed=44")]


def wrong(model: str, count: int = 200) -> float:
    """The share of wrong answers to fresh samples, of a seed that no training knows."""
    plan = Plan(
        {"letters": registry.build_task("letter_blocks")},
        {model: registry.build_model(model)},
        Sweep((), (None,), count, 7),
    )
    return 1 - sum(record.score or 0.0 for record in runner.run(plan)) / count


def test_there_are_three_seeds_of_each_kind_and_all_are_small() -> None:
    folders = sorted(path.name for path in LETTERS.iterdir())
    assert folders == [f"{kind}-{seed}" for kind in ("mta", "transformer") for seed in (42, 43, 44)]
    files = [path for folder in (LETTERS, NEEDLES) for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20e6
    assert {path.suffix for path in files} == {".json", ".jsonl", ".md", ".safetensors"}


@pytest.mark.parametrize("name", NAMES)
def test_fresh_samples_are_answered_as_the_card_says(name: str) -> None:
    spec, _, option = name.partition(":seed=")
    folder = LETTERS / f"{spec.removeprefix('letter-blocks-')}-{option or 42}"
    said = json.loads((folder / "evaluation.json").read_text())["answers"]
    assert f"| whole answers | {said:.1%} |" in (folder / "README.md").read_text()
    count = 200
    noise = 4 * (max(said * (1 - said), 0.01) / count) ** 0.5  # four standard deviations of 200 answers
    assert abs(wrong(name, count) - said) < noise


@pytest.mark.parametrize("seed", [42, 43, 44])
def test_multi_token_attention_solves_what_single_token_attention_does_not(seed: int) -> None:
    errors = {
        kind: json.loads((LETTERS / f"{kind}-{seed}" / "evaluation.json").read_text())["answers"]
        for kind in ("mta", "transformer")
    }
    assert errors["mta"] < 0.05
    assert errors["transformer"] > 5 * errors["mta"]


def test_its_window_is_one_row_of_its_training() -> None:
    for name in NAMES:
        model = registry.build_model(name)
        recipe = json.loads((LETTERS / Path(model.model.path).name / "recipe.json").read_text())  # type: ignore[attr-defined]
        assert model.max_length == recipe["sizes"]["max_position_embeddings"]
        sample = registry.build_task("letter_blocks").sample(
            next(Sweep((model.max_length,), (0.5,), 1).cells()), 0, model.tokenizer
        )
        blocks = int(re.search(r"blocks=(\d+)", recipe["task"])[1])  # type: ignore[index]
        assert sample.axes["blocks"] == blocks


def test_it_says_what_it_was_trained_on() -> None:
    about = registry.build_model("letter-blocks-transformer:seed=43").describe()
    assert (about["attention"], about["seed"], about["preset"]) == ("transformer", "43", "cpu")
    assert about["dtype"] == "float32"


# needles


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_needles_is_the_one_that_its_card_names(kind: str) -> None:
    folder = NEEDLES / kind
    card, recipe = (folder / "README.md").read_text(), json.loads((folder / "recipe.json").read_text())
    said = json.loads((folder / "evaluation.json").read_text())["answers"]
    assert f"# {kind} on needles, seed {recipe['seed']}" in card
    assert f"    mta-eval train needles --attention {kind} --seed {recipe['seed']} " in card
    assert f"| whole answers | {said:.1%} |" in card
    about = registry.build_model(f"needles-{kind.replace('_', '-')}").describe()
    assert (about["attention"], about["seed"], about["dtype"]) == (kind, str(recipe["seed"]), "float32")


def test_mta_finds_needles_that_a_transformer_of_its_size_does_not() -> None:
    tasks = {"niah:needles=4": registry.build_task("niah:needles=4")}
    models = {name: registry.build_model(name) for name in ("needles-mta", "needles-transformer")}
    records = list(runner.run(Plan(tasks, models, Sweep((512,), (0.0, 1.0), 4, 7))))
    right = {name: sum(record.score or 0.0 for record in records if record.model == name) for name in models}
    assert right["needles-mta"] >= 6
    assert right["needles-transformer"] <= 2

"""The models that come with the package: there, small, and as good as their cards say."""

import json
import re
from pathlib import Path

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, Sweep
from mta_eval.models.shipped import HERE

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
    folders = sorted(path.name for path in HERE.iterdir())
    assert folders == [f"{kind}-{seed}" for kind in ("mta", "transformer") for seed in (42, 43, 44)]
    assert sum(path.stat().st_size for path in HERE.rglob("*")) < 15e6
    suffixes = {path.suffix for path in HERE.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".jsonl", ".md", ".safetensors"}


@pytest.mark.parametrize("name", NAMES)
def test_fresh_samples_are_answered_as_the_card_says(name: str) -> None:
    spec, _, option = name.partition(":seed=")
    folder = HERE / f"{spec.removeprefix('letter-blocks-')}-{option or 42}"
    said = json.loads((folder / "evaluation.json").read_text())["answers"]
    assert f"| whole answers | {said:.1%} |" in (folder / "README.md").read_text()
    count = 200
    noise = 4 * (max(said * (1 - said), 0.01) / count) ** 0.5  # four standard deviations of 200 answers
    assert abs(wrong(name, count) - said) < noise


@pytest.mark.parametrize("seed", [42, 43, 44])
def test_multi_token_attention_solves_what_single_token_attention_does_not(seed: int) -> None:
    errors = {
        kind: json.loads((HERE / f"{kind}-{seed}" / "evaluation.json").read_text())["answers"]
        for kind in ("mta", "transformer")
    }
    assert errors["mta"] < 0.05
    assert errors["transformer"] > 5 * errors["mta"]


def test_its_window_is_one_row_of_its_training() -> None:
    for name in NAMES:
        model = registry.build_model(name)
        recipe = json.loads((HERE / Path(model.model.path).name / "recipe.json").read_text())  # type: ignore[attr-defined]
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

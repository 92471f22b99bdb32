import math
from typing import Any

import pytest

from mta_eval.core import Record, Run, Sweep
from mta_eval.papers.trained import Spread, curve, trained_models


def record(output: str, target: str = "abcde", position: int = 1, model: str = "mta:x", **changes: Any) -> Record:
    task = changes.pop("task", "letter_blocks:blocks=10")
    score = changes.pop("score", float(output.strip() == target))
    axes = {"position": position}
    return Record(f"{task}/0/any/0", task, model, axes, [target], output, score, 60, 6, 0.1, **changes)


def run(**models: dict[str, str]) -> Run:
    about = {name.replace("_", ":"): facts for name, facts in models.items()}
    return Run((), tuple(about), Sweep((), (None,), 1), "generate", "refuse", "0", {}, {"models": about})


def test_letters_are_compared_place_by_place() -> None:
    (one,) = trained_models([record("abcde"), record("abxde"), record("ab"), record("")], [])
    assert one.wrong == 0.75
    assert one.letters_wrong == pytest.approx((0 + 1 + 3 + 5) / 20)
    assert one.by_letter() == {1: [0, 0, 0, 1], 2: [0, 0, 0, 1], 3: [0, 1, 1, 1], 4: [0, 0, 1, 1], 5: [0, 0, 1, 1]}


def test_errors_by_place_count_from_one_in_order() -> None:
    (one,) = trained_models([record("abcde", position=5), record("x", position=1), record("abcde", position=1)], [])
    assert list(one.by_position().items()) == [(1, [1.0, 0.0]), (5, [0.0])]


def test_kind_preset_and_seed_come_from_the_run() -> None:
    runs = [("first", run(hf_folder={"attention": "diff", "preset": "paper", "seed": "43"}))]
    (one,) = trained_models([record("abcde", model="hf:folder")], runs)
    assert (one.attention, one.preset, one.seed) == ("diff", "paper", "43")
    (renamed,) = trained_models([record("abcde", model="hf:folder (first)")], runs)
    assert renamed.seed == "43"


def test_block_and_target_come_from_the_task() -> None:
    (one,) = trained_models([record("c", "c", task="letter_blocks:block=8,target=last,blocks=10")], [])
    assert (one.block, one.target, one.wrong) == (8, "last", 0)


def test_other_tasks_other_models_and_failed_samples_are_left_out() -> None:
    others = [record("abcde", task="niah"), record("abcde", model="window:300"), record("abcde", score=None)]
    assert trained_models(others, []) == []


def test_a_spread_has_the_sample_deviation_and_every_seed() -> None:
    spread = Spread({"42": 0.777, "43": 0.753, "44": 0.019})
    assert spread.text == "51.6 ± 43.1"  # as the paper's Table 1 has it
    assert spread.seeds_text == "42: 77.7 · 43: 75.3 · 44: 1.9"
    assert Spread({"42": 0.05}).text == "5.0"


def test_a_curve_pools_the_seeds_with_an_interval() -> None:
    models = trained_models([record("abcde"), record("x"), record("x", model="mta:y"), record("x", model="mta:y")], [])
    ((place, found),) = curve(models, "position").items()
    assert place == 1
    assert math.isclose(found.mean, 0.75)
    assert 0 < found.low < 0.75 < found.high <= 1
    assert set(curve(models, "letter")) == {1, 2, 3, 4, 5}

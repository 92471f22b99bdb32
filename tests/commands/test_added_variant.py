"""An attention variant of another package, added in one file: every command knows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def alibi(plugin: Callable[[str, str, str], None]) -> None:
    plugin("mta_eval.attention", "alibi", "plugin_package.alibi:ALiBiAttention")


def test_it_is_listed_and_shown_in_full(call: Call) -> None:
    assert "\n  alibi " in call("list", "attention")[1]
    assert "\n  alibi " in call("list", "models")[1]
    shown = call("list", "alibi")[1]
    assert "Press et al. 2022" in shown
    assert "alibi_exponent       8.0" in shown


def test_it_is_retrofitted_run_and_drawn(call: Call, llama_folder: Path) -> None:
    code, out, err = call(
        "retrofit", str(llama_folder), "--attention", "alibi", "--set", "alibi_exponent=4", "--out", "a"
    )
    assert code == 0, err
    assert out.startswith("a: alibi; ")
    config = json.loads(Path("a/config.json").read_text())
    assert (config["attention"], config["alibi_exponent"]) == ("alibi", 4)
    sweep = ("--lengths", "256", "--depths", "0,1", "--repeats", "1", "--out", "run")
    assert call("run", "niah", "--model", "alibi:a,dtype=float32", *sweep)[0] == 0
    records = [json.loads(line) for line in Path("run/records.jsonl").read_text().splitlines()]
    assert [record["error"] for record in records] == [None, None]
    assert {record["finish"] for record in records} <= {"stop", "length"}
    assert call("attention", "alibi:a", "--task", "niah", "--length", "256", "--out", "map.png")[0] == 0
    assert Path("map.png").stat().st_size > 10_000


def test_it_trains(call: Call) -> None:
    small = ("--steps", "2", "--every", "2", "--device", "cpu")
    code, _, err = call("train", "letter_blocks", "--model", "alibi", "--out", "trained", *small)
    assert code == 0, err
    assert json.loads(Path("trained/config.json").read_text())["attention"] == "alibi"
    assert (
        call("run", "letter_blocks", "--model", "alibi:trained", "--depths", "any", "--repeats", "2", "--out", "r")[0]
        == 0
    )


def test_lm_eval_knows_it(llama_folder: Path, tmp_path: Path) -> None:
    from lm_eval.api.registry import get_model

    from mta_eval.integrations.lm_eval import model_names, register_models
    from mta_eval.models.checkpoints.retrofit import retrofit

    assert "alibi" in model_names()
    register_models()
    retrofit(str(llama_folder), "alibi", tmp_path / "made", {})
    model = get_model("alibi")(pretrained=str(tmp_path / "made"), dtype="float32", device="cpu")
    assert model.config.attention == "alibi"


def test_a_wrong_name_is_one_line_with_the_nearest(call: Call, llama_folder: Path) -> None:
    code, _, err = call("retrofit", str(llama_folder), "--attention", "alibbi", "--out", "a")
    assert (code, err.count("\n")) == (2, 1)
    assert "did you mean 'alibi'" in err

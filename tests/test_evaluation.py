from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

import mta_eval
from mta_eval.core import Sweep
from mta_eval.errors import LengthError, ModelError, SpecError
from mta_eval.registry import build_model, build_task

SWEEP = Sweep(lengths=(512, 1024), depths=(0.0, 1.0), repeats=2)


def test_a_window_of_300_finds_what_stands_last() -> None:
    answers = mta_eval.evaluate("window:300", "niah", SWEEP)
    assert answers.groupby("depth").score.mean().to_dict() == {0.0: 0.0, 1.0: 1.0}
    assert set(answers.columns) >= {"task", "model", "length", "depth", "repeat", "targets", "output", "score"}
    assert answers.mistake[answers.score == 1].isna().all()
    assert answers.mistake[answers.score == 0].notna().all()


def test_specs_and_objects_are_the_same_thing() -> None:
    by_spec = mta_eval.evaluate("window:300", ["niah:needles=2", "passkey"], SWEEP)
    by_object = mta_eval.evaluate(build_model("window:300"), [build_task("niah:needles=2"), "passkey"], SWEEP)
    assert by_spec.task.unique().tolist() == ["niah:needles=2", "passkey"]
    assert by_spec.drop(columns=["seconds", "peak_memory"]).equals(by_object.drop(columns=["seconds", "peak_memory"]))


def test_what_is_kept_is_not_asked_again_and_loads_as_it_was(tmp_path: Path) -> None:
    first = mta_eval.evaluate("window:300", "niah", SWEEP, out=tmp_path / "run")
    again = mta_eval.evaluate("window:300", "niah", SWEEP, out=tmp_path / "run")
    assert first.seconds.tolist() == again.seconds.tolist()
    loaded = mta_eval.load(tmp_path / "run")
    assert loaded.equals(first)
    other = mta_eval.evaluate("window:900", "niah", SWEEP, out=tmp_path / "other")
    both = mta_eval.load([tmp_path / "run", tmp_path / "other"])
    assert both.groupby("model", sort=False).score.sum().tolist() == [first.score.sum(), other.score.sum()]


def test_a_model_in_memory_answers_as_its_folder_does(llama_folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    mine = mta_eval.evaluate((model, tokenizer), "niah", SWEEP)
    theirs = mta_eval.evaluate(f"hf:{llama_folder},dtype=float32", "niah", SWEEP)
    assert mine.model.unique().tolist() == [type(model).__name__]
    assert mine.output.tolist() == theirs.output.tolist()
    assert mine.sample_id.tolist() == theirs.sample_id.tolist()
    chosen = mta_eval.evaluate((model, tokenizer), "niah", SWEEP, answer="choose")
    assert all(output in choices for output, choices in zip(chosen.output, chosen.choices, strict=True))


def test_a_model_that_is_still_training_is_refused(llama_folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder).train()
    with pytest.raises(ModelError, match=r"call model\.eval\(\)"):
        mta_eval.evaluate((model, AutoTokenizer.from_pretrained(llama_folder)), "niah", SWEEP)


def test_mistakes_are_told_before_anything_is_asked() -> None:
    with pytest.raises(SpecError, match="did you mean"):
        mta_eval.evaluate("windw:300", "niah", SWEEP)
    with pytest.raises(LengthError):
        mta_eval.evaluate("window:300", "niah", Sweep((8,), (0.5,), 1))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="evalute"):
        mta_eval.evalute  # noqa: B018

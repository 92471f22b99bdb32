"""A run keeps the fingerprint of each model, and meets the same one again or is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import mta_eval
from mta_eval.errors import StoreError

SWEEP = mta_eval.Sweep(lengths=(128,), depths=(0.0, 1.0), repeats=1)
MORE = mta_eval.Sweep(lengths=(128,), depths=(0.0, 1.0), repeats=2)


@pytest.fixture
def copy(llama_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(llama_folder, tmp_path / "model")


def change_json(name: str, **values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def exchange_one_number(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    tensors = load_file(path)
    tensors["model.norm.weight"][7] += 0.5
    save_file(tensors, path, {"format": "pt"})


def change_template(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text() + " ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (exchange_one_number, "weights"),
        (change_json("config.json", rms_norm_eps=0.25), "configuration"),
        (change_json("generation_config.json", eos_token_id=[5, 6]), "end tokens"),
        (change_template, "tokenizer|template"),
    ],
)
def test_a_checkpoint_that_changed_between_two_halves_of_a_run_is_refused(
    change: Callable[[Path], None], said: str, copy: Path, tmp_path: Path
) -> None:
    spec, out = f"hf:{copy},dtype=float32,device=cpu", tmp_path / "run"
    mta_eval.evaluate(spec, "niah", SWEEP, out=out)
    records = (out / "records.jsonl").read_bytes()
    change(copy)
    with pytest.raises(StoreError, match=said) as raised:
        mta_eval.evaluate(spec, "niah", MORE, out=out)
    assert "\n" not in str(raised.value)
    assert (out / "records.jsonl").read_bytes() == records


def test_the_same_checkpoint_goes_on_even_if_its_files_were_touched(copy: Path, tmp_path: Path) -> None:
    spec, out = f"hf:{copy},dtype=float32,device=cpu", tmp_path / "run"
    mta_eval.evaluate(spec, "niah", SWEEP, out=out)
    for path in copy.iterdir():
        path.touch()
    assert len(mta_eval.evaluate(spec, "niah", MORE, out=out)) == 4


def test_every_record_and_the_run_hold_the_fingerprint(copy: Path, tmp_path: Path) -> None:
    spec, out = f"hf:{copy},dtype=float32,device=cpu", tmp_path / "run"
    mta_eval.evaluate(spec, "niah", SWEEP, out=out)
    (identity,) = json.loads((out / "run.json").read_text())["identities"].values()
    assert all(identity[part] for part in ("weights", "config", "template", "generation"))
    marks = {json.loads(line)["fingerprint"] for line in (out / "records.jsonl").read_text().splitlines()}
    assert len(marks) == 1
    assert "" not in marks


def test_a_notebook_model_that_changed_between_two_calls_is_refused(llama_folder: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    mta_eval.evaluate((model, tokenizer), "niah", SWEEP, out=tmp_path)
    assert len(mta_eval.evaluate((model, tokenizer), "niah", MORE, out=tmp_path)) == 4
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] += 0.25
    with pytest.raises(StoreError, match="weights"):
        mta_eval.evaluate((model, tokenizer), "niah", MORE, out=tmp_path)


def test_logits_that_are_no_numbers_are_an_error_and_no_answer(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    forward = LlamaForCausalLM.forward

    def breaks_on_long_prompts(self: LlamaForCausalLM, *args: object, **options: object) -> object:
        output = forward(self, *args, **options)
        if output.past_key_values is not None and output.past_key_values.get_seq_length() > 200:
            output.logits[:] = float("nan")
        return output

    monkeypatch.setattr(LlamaForCausalLM, "forward", breaks_on_long_prompts)
    sweep = mta_eval.Sweep(lengths=(128, 256), depths=(0.0, 1.0), repeats=1)
    answers = mta_eval.evaluate(f"hf:{llama_folder},dtype=float32,device=cpu", "niah", sweep, out=tmp_path)
    long = answers[answers["length"] == 256]
    assert long["score"].isna().all()
    assert long["error"].str.contains("not finite").all()
    assert answers[answers["length"] == 128]["score"].notna().all()

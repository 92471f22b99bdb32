"""`longheads:` and `stretched:` as people name them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from mta_eval import registry
from mta_eval.core import Cell
from mta_eval.errors import ModelError
from mta_eval.models import extended as stretched

Call = Callable[..., tuple[int, str, str]]
SMALL = "window=8,attention_length=32,dtype=float32,device=cpu"


def build(spec: str) -> Any:
    return registry.build_model(spec)


def logits(model: Any, total: int) -> torch.Tensor:
    ids = torch.randint(50, (1, total), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found: torch.Tensor = model(ids).logits
    return found


def test_a_source_is_a_folder_or_a_spec(llama_folder: Path) -> None:
    found = [
        logits(build(f"longheads:{source},{SMALL}").model.weights, 100)
        for source in (llama_folder, f"hf:{llama_folder}")
    ]
    assert torch.equal(*found)


def test_every_setting_lands_in_run_json(call: Call, llama_folder: Path) -> None:
    spec = f"longheads:{llama_folder},{SMALL},compat=released"
    sweep = ("--lengths", "512", "--depths", "0.5", "--repeats", "1", "--out", "run")
    assert call("run", "passkey", "--model", spec, *sweep)[0] == 0
    (about,) = json.loads(Path("run/run.json").read_text())["environment"]["models"].values()
    assert about == {
        "device": "cpu",
        "dtype": "float32",
        "window": "8",
        "attention_length": "32",
        "begin_selective": "32",
        "compat": "released",
        "offload": "False",
    }


def test_the_window_is_what_memory_allows(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(f"longheads:{llama_folder},{SMALL}")
    assert model.max_length > 100_000
    assert build(f"longheads:{llama_folder},{SMALL},max_length_override=5000").max_length == 5000
    before = model.max_length
    monkeypatch.setattr(stretched, "MEMORY_SHARE", stretched.MEMORY_SHARE / 4)
    assert model.max_length == pytest.approx(before / 4, rel=0.01)


def test_it_answers_beyond_the_trained_window(llama_folder: Path) -> None:
    model = build(f"longheads:{llama_folder},{SMALL}")
    sample = registry.build_task("passkey").sample(Cell(2048, 0.5, 0), 0, model.tokenizer)
    assert next(model.generate([sample])).output_tokens
    assert model.loglikelihood([(sample, " 1234")])[0] < 0


@pytest.mark.parametrize("method", ["linear", "dynamic", "yarn"])
def test_scaled_positions_are_those_of_transformers(method: str, llama_folder: Path) -> None:
    config = AutoConfig.from_pretrained(llama_folder)
    trained = config.max_position_embeddings
    config.rope_parameters = {**config.rope_parameters, "rope_type": method, "factor": 4.0}
    if method == "yarn":
        config.rope_parameters["original_max_position_embeddings"] = trained
    expected = AutoModelForCausalLM.from_pretrained(llama_folder, config=config, dtype=torch.float32)
    found = build(f"stretched:{llama_folder},method={method},factor=4,dtype=float32,device=cpu").model.weights
    torch.testing.assert_close(logits(found, trained + 50), logits(expected, trained + 50))
    plain = build(f"stretched:{llama_folder},dtype=float32,device=cpu").model.weights
    assert (logits(found, trained + 50) - logits(plain, trained + 50)).abs().max() > 1e-3


def test_ntk_changes_the_base_alone(llama_folder: Path) -> None:
    plain = build(f"stretched:{llama_folder},dtype=float32,device=cpu")
    config = plain.model.config
    size, theta = config.hidden_size // config.num_attention_heads, config.rope_parameters["rope_theta"]
    model = build(f"stretched:{llama_folder},method=ntk,factor=8,dtype=float32,device=cpu").model.weights
    expected = 1 / (theta * 8 ** (size / (size - 2))) ** (torch.arange(0, size, 2) / size)
    torch.testing.assert_close(model.model.rotary_emb.inv_freq, expected)
    assert expected[-1] * 8 == pytest.approx(float(plain.model.weights.model.rotary_emb.inv_freq[-1]))


def test_none_is_the_model_as_it_is_without_its_bound(llama_folder: Path) -> None:
    original = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32)
    model = build(f"stretched:{llama_folder},dtype=float32,device=cpu")
    assert torch.equal(logits(model.model.weights, 1100), logits(original, 1100))
    assert model.max_length > original.config.max_position_embeddings


@pytest.mark.parametrize("method", ["window", "sinks"])
def test_windows_and_sinks_are_full_attention_inside_and_bounded_beyond(method: str, llama_folder: Path) -> None:
    model = build(f"stretched:{llama_folder},method={method},{SMALL}").model.weights
    plain = build(f"stretched:{llama_folder},dtype=float32,device=cpu").model.weights
    torch.testing.assert_close(logits(model, 32), logits(plain, 32), atol=1e-4, rtol=1e-4)
    assert (logits(model, 200) - logits(plain, 200)).abs().max() > 1e-3
    assert model.model.layers[0].self_attn.chunking.choose == {"window": "recent", "sinks": "first_and_recent"}[method]


def test_positions_that_are_scaled_already_are_one_line(llama_folder: Path, tmp_path: Path) -> None:
    config = AutoConfig.from_pretrained(llama_folder)
    config.rope_parameters = {**config.rope_parameters, "rope_type": "linear", "factor": 2.0}
    model = AutoModelForCausalLM.from_pretrained(llama_folder, config=config)
    model.save_pretrained(tmp_path / "scaled")
    with pytest.raises(ModelError, match="scales its positions already"):
        _ = build(f"stretched:{tmp_path / 'scaled'},method=yarn").model._loaded


MISTAKES = {
    "longheads:window:300": "window:300",
    "longheads:LLAMA,window=100": "multiples of the window",
    "longheads:LLAMA,attention_length=512,window=256": "under 3 windows",
    "longheads:LLAMA,attention_length=4096": "trained on 1024 tokens",
    "longheads:LLAMA,compat=theirs": "compat cannot be 'theirs'",
    "stretched:LLAMA,method=yarn,factor=0.5": "factor is at least 1",
    "stretched:LLAMA,method=sinks,attention_length=4096": "trained on 1024 tokens",
    "longheads": "needs 'source'",
}


@pytest.mark.parametrize("spec", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(spec: str, call: Call, llama_folder: Path) -> None:
    spec_ = spec.replace("LLAMA", str(llama_folder))
    code, _, err = call("run", "passkey", "--model", spec_, "--lengths", "512", "--out", "run")
    assert (code, len(err.splitlines())) == (2, 1)
    assert MISTAKES[spec] in err

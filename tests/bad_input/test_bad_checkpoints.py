"""Checkpoints whose config, index or weights are nonsense: refused before anything is computed or written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from bad_input import DEEP

from mta_eval.errors import ModelError
from mta_eval.models.checkpoint_files import check_folder
from mta_eval.models.config_values import check_values, values_of

CONFIGS: dict[str, object] = {
    "hidden_size": -1,
    "num_hidden_layers": 0,
    "num_attention_heads": "x",
    "vocab_size": 10**7,
    "intermediate_size": 10**30,
    "max_position_embeddings": [],
}


@pytest.mark.parametrize("field", CONFIGS)
def test_sizes_of_a_config(field: str, llama_folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    shutil.copytree(llama_folder, tmp_path / "bad")
    config = json.loads((llama_folder / "config.json").read_text())
    (tmp_path / "bad" / "config.json").write_text(json.dumps(config | {field: CONFIGS[field]}))
    for command in (
        ("retrofit", "bad", "--out", "x"),
        ("kernels", "bad", "--out", "x"),
        ("attention", "bad", "--task", "niah", "--length", "256", "--out", "x.png"),
        ("run", "niah", "--model", "hf:bad", "--lengths", "256", "--out", "x"),
    ):
        refused(*command)


def test_weights_that_are_cut_or_nonsense(llama_folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    shutil.copytree(llama_folder, tmp_path / "bad")
    weights = tmp_path / "bad" / "model.safetensors"
    data = weights.read_bytes()
    header = int.from_bytes(data[:8], "little")
    for damaged in (b"", data[:7], data[: len(data) // 2], b"\xff" * 8 + data[8:], data[:8] + b"[" * header):
        weights.write_bytes(damaged)
        refused("retrofit", "bad", "--out", "x")
        refused("kernels", "bad", "--out", "x")
        refused("attention", "bad", "--task", "niah", "--length", "256", "--out", "x.png")
    weights.write_bytes(data)
    (tmp_path / "bad" / "consolidated.safetensors").write_bytes(data[:100])
    (tmp_path / "bad" / "params.json").write_text('{"model": {}}')
    refused("import-checkpoint", "bad", "--out", "x")
    (tmp_path / "bad" / "params.json").write_text(DEEP)
    refused("import-checkpoint", "bad", "--out", "x")


ROPE: dict[str, object] = {"rope_type": "default", "rope_theta": 10_000.0}
YARN = {**ROPE, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
VALUES: list[tuple[str, dict[str, Any]]] = [
    ("hidden_size", {"hidden_size": -1}),
    ("num_attention_heads", {"num_attention_heads": 0}),
    ("num_attention_heads", {"num_attention_heads": 3, "hidden_size": 64}),
    ("num_key_value_heads", {"num_attention_heads": 4, "num_key_value_heads": 3}),
    ("num_key_value_heads", {"num_key_value_heads": 0}),
    ("vocab_size", {"vocab_size": 10**12}),
    ("vocab_size", {"vocab_size": True}),
    ("max_position_embeddings", {"max_position_embeddings": 1e30}),
    ("max_position_embeddings", {"max_position_embeddings": "text"}),
    ("initializer_range", {"initializer_range": float("nan")}),
    ("initializer_range", {"initializer_range": "text"}),
    ("rms_norm_eps", {"rms_norm_eps": -1}),
    ("rope_theta", {"rope_theta": 0}),
    ("rope_parameters", {"rope_parameters": 5}),
    ("rope_parameters.rope_theta", {"rope_parameters": {**ROPE, "rope_theta": -1}}),
    ("rope_parameters.rope_theta", {"rope_parameters": {**ROPE, "rope_theta": None}}),
    ("rope_parameters.rope_theta", {"rope_parameters": {**ROPE, "rope_theta": float("inf")}}),
    ("rope_parameters.factor", {"rope_parameters": {**YARN, "factor": -2}}),
    ("rope_parameters.factor", {"rope_parameters": {**YARN, "factor": float("nan")}}),
    ("rope_parameters.factor", {"rope_parameters": {**YARN, "factor": 1e300}}),
    (
        "rope_parameters.original_max_position_embeddings",
        {"rope_parameters": {**YARN, "original_max_position_embeddings": "x"}},
    ),
    ("rope_parameters.long_factor", {"rope_parameters": {**ROPE, "rope_type": "longrope", "long_factor": []}}),
    ("rope_parameters.rope_type", {"rope_parameters": {**ROPE, "rope_type": "nonsense"}}),
    ("full_attention.rope_theta", {"rope_parameters": {"full_attention": {**ROPE, "rope_theta": -1}}}),
    ("rope_scaling.rope_type", {"rope_scaling": {"factor": 2}}),
    ("tie_word_embeddings", {"tie_word_embeddings": "text"}),
    ("torch_dtype", {"torch_dtype": "int8"}),
    ("dtype", {"dtype": {"a": 1}}),
]


@pytest.mark.parametrize(("field", "config"), VALUES)
def test_values_that_no_model_can_have(field: str, config: Mapping[str, object]) -> None:
    with pytest.raises(ModelError, match=f"the config of 'x' is damaged: .*{field} is ") as error:
        check_values("x", config.get)
    assert str(error.value).isprintable()


def test_values_that_models_have() -> None:
    some = {"full_attention": ROPE, "sliding_attention": {**ROPE, "factor": 1}}
    whole = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": [4, 2], "sliding_window": None}
    for rope in (ROPE, YARN, some, None):
        check_values("x", {**whole, "rope_parameters": rope, "torch_dtype": "torch.bfloat16"}.get)


def test_a_config_of_transformers_is_checked_without_its_warning_of_old_names(caplog: pytest.LogCaptureFixture) -> None:
    from transformers import LlamaConfig
    from transformers.utils import logging

    logging.enable_propagation()
    try:
        check_values("x", values_of(LlamaConfig(dtype="bfloat16")))
    finally:
        logging.disable_propagation()
    assert caplog.messages == []
    assert values_of(LlamaConfig(hidden_size=64))("hidden_size") == 64


@pytest.mark.parametrize("ends", [-1, 10**9, 1.5, True, "x", ["a"], [[1]], {}])
def test_end_tokens_that_are_none(
    ends: object, llama_folder: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(llama_folder, tmp_path / "bad")
    (tmp_path / "bad" / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    refused("run", "niah", "--model", "hf:bad", "--lengths", "256", "--repeats", "1", "--depths", "0", "--out", "x")


INDEXES: dict[str, object] = {
    "outside of its folder": {"weight_map": {"a": "../x.safetensors"}},
    "outside": {"weight_map": {"a": "/x.safetensors"}},
    "No such file": {"weight_map": {"a": "x.safetensors"}},
    "Is a directory": {"weight_map": {"a": "."}},
    "weight_map": {"weight_map": {"a": 5}},
    "its weight_map does not say": {"metadata": {}},
    "not an object": [],
}


@pytest.mark.parametrize("said", INDEXES)
def test_an_index_names_files_of_its_folder(said: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(INDEXES[said]))
    with pytest.raises(ModelError, match=said):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"])
def test_a_pipe_in_the_place_of_a_file_of_a_checkpoint(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ModelError, match="a device or a pipe"):
        check_folder(tmp_path)


def test_weights_of_other_families_that_are_cut(
    tokenizer_folder: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from mta_eval.attention.configuration import MTAConfig
    from mta_eval.attention.decoder import MTAForCausalLM

    words = len(AutoTokenizer.from_pretrained(tokenizer_folder))
    sizes: dict[str, Any] = {"vocab_size": words, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "num_key_value_heads": 2}
    made = {kind: MTAForCausalLM(MTAConfig(**sizes, attention=kind)) for kind in ("mta", "diff", "talking_heads")}
    made["gpt2"] = GPT2LMHeadModel(GPT2Config(vocab_size=words, n_embd=16, n_layer=1, n_head=2))
    for kind, model in made.items():
        shutil.copytree(tokenizer_folder, tmp_path / kind)
        model.save_pretrained(tmp_path / kind)
        weights = tmp_path / kind / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        refused("kernels", kind, "--out", "x")
        refused("attention", kind, "--task", "niah", "--length", "256", "--out", "x.png")


def test_weights_that_are_no_numbers_are_not_drawn(
    llama_folder: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(llama_folder, tmp_path / "bad")
    file = tmp_path / "bad" / "model.safetensors"
    tensors = load_file(file)
    tensors["model.norm.weight"] = torch.full_like(tensors["model.norm.weight"], torch.nan)
    save_file(tensors, file, {"format": "pt"})
    for command in (("retrofit", "bad", "--out", "x"), ("kernels", "bad", "--out", "x")):
        assert "NaN" in refused(*command)


def test_a_model_that_is_refused_as_it_is_loaded_leaves_no_run(llama_folder: Path, call: Any, tmp_path: Path) -> None:
    shutil.copytree(llama_folder, tmp_path / "bad")
    weights = tmp_path / "bad" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    run = ("run", "niah", "--lengths", "256", "--repeats", "1", "--depths", "0")
    assert call(*run, "--model", "hf:bad", "--out", "new/run")[0] == 2
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    assert call(*run, "--model", "hf:bad", "--out", "empty")[0] == 2
    assert list((tmp_path / "empty").iterdir()) == []
    assert call(*run, "--model", "window:300", "--out", "r")[0] == 0
    records = (tmp_path / "r" / "records.jsonl").read_bytes()
    assert call(*run, "--model", "hf:bad", "--out", "r")[0] == 2
    assert (tmp_path / "r" / "records.jsonl").read_bytes() == records


def test_a_model_without_kernels_leaves_no_folder(llama_folder: Path, refused: Callable[..., str]) -> None:
    assert "no kernels to draw" in refused("kernels", str(llama_folder), "--out", "x")


def test_positions_that_cannot_be_scaled(tokenizer_folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    shutil.copytree(tokenizer_folder, tmp_path / "gpt2")
    GPT2LMHeadModel(GPT2Config(vocab_size=2000, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path / "gpt2")
    for method in ("yarn", "ntk"):
        model = f"stretched:gpt2,method={method}"
        assert "rotary" in refused("run", "niah", "--model", model, "--lengths", "256", "--out", "x")

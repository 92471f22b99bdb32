"""A model's identity: each part of a checkpoint changes its own field alone, and the folder changes none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from mta_eval.core import ModelIdentity
from mta_eval.models.hf import HuggingFace
from mta_eval.models.identity import digest_of, model_identity, template_digest, weights_digest
from mta_eval.models.in_memory import InMemory
from mta_eval.models.window import Window
from mta_eval.registry import build_model


def identity_of(folder: Path) -> ModelIdentity:
    return HuggingFace(str(folder), device="cpu").identity()


def change_json(name: str, **values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def change_tensors(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        (path,) = folder.glob("*.safetensors")
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, {"format": "pt"})

    return changed


def rename(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.wieght"] = tensors.pop("model.norm.weight")


def reshape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.weight"] = tensors["model.norm.weight"].reshape(1, -1)


def narrow(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.weight"] = tensors["model.norm.weight"].half()


def change_template(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text() + "{# another #}")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (change_json("config.json", rope_theta=123.0, rms_norm_eps=0.5), "config"),
        (change_json("generation_config.json", eos_token_id=[0, 2]), "generation"),
        (change_tensors(rename), "weights"),
        (change_tensors(reshape), "weights"),
        (change_tensors(narrow), "weights"),
        (change_template, "template"),
    ],
)
def test_a_change_shows_in_its_own_field_alone(
    change: Callable[[Path], None], field: str, llama_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(llama_folder, tmp_path / "copy")
    before = identity_of(copy)
    change(copy)
    after = identity_of(copy)
    names = [each.name for each in fields(ModelIdentity)]
    assert [name for name in names if getattr(before, name) != getattr(after, name)] == [field]


def test_the_same_checkpoint_in_another_folder_is_the_same_model(llama_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(llama_folder, tmp_path / "another" / "name")
    change_json("config.json", transformers_version="9.9.9", _name_or_path="elsewhere")(copy)
    assert identity_of(copy) == identity_of(llama_folder)
    identity = identity_of(copy)
    assert all((identity.weights, identity.config, identity.template, identity.generation))
    assert identity.revision == ""


def test_no_weights_are_loaded_for_it(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights were loaded"))
    assert identity_of(llama_folder).weights


def test_adapters_of_one_checkpoint_agree(llama_folder: Path) -> None:
    expected = identity_of(llama_folder)
    for spec in (
        f"vllm:{llama_folder}",
        f"stretched:{llama_folder},method=linear",
        f"longheads:{llama_folder},window=64,attention_length=512",
    ):
        assert build_model(spec).identity() == expected, spec
    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    in_memory = InMemory(model, AutoTokenizer.from_pretrained(llama_folder)).identity()
    assert (in_memory.template, in_memory.generation) == (expected.template, expected.generation)
    assert in_memory.weights not in ("", expected.weights)  # tensors, not files
    for spec in (f"tokenizer:{llama_folder}", f"harness:hf,pretrained={llama_folder}"):
        assert build_model(spec).identity() == ModelIdentity(template=expected.template)


def test_a_model_without_weights_has_no_identity_beyond_its_spec() -> None:
    assert Window(9).identity() == ModelIdentity()


def test_a_gguf_file_has_the_identity_of_its_header(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    before = weights_digest(path)
    assert before == weights_digest(path) != ""
    path.write_bytes(b"GGUF" + bytes(99) + b"1")
    assert weights_digest(path) != before


def test_what_is_not_there_has_no_digest(tmp_path: Path) -> None:
    assert weights_digest(tmp_path) == weights_digest(Path("some/hub-id")) == template_digest("") == ""
    assert model_identity({}, "", ()) == ModelIdentity(config=digest_of({}), generation=digest_of([]))


def test_digests_do_not_depend_on_the_order_of_keys_and_survive_lone_surrogates() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 2, "b": 1})
    assert len(digest_of("\ud800")) == 16

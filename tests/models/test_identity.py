"""A model's identity: each part of a checkpoint changes its own field alone, and the folder changes none."""

from __future__ import annotations

import json
import os
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
from mta_eval.models.identity import adapter_digest, digest_of, model_identity, template_digest, weights_digest
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
    assert build_model(f"tokenizer:{llama_folder}").identity() == ModelIdentity(template=expected.template)
    harness = build_model(f"harness:hf,pretrained={llama_folder}").identity()
    assert harness == ModelIdentity(weights=expected.weights, template=expected.template)


def test_a_model_without_weights_has_no_identity_beyond_its_spec() -> None:
    assert Window(9).identity() == ModelIdentity()


def exchange_in_place(path: Path) -> None:
    """Other bytes in the same file, with its old times."""
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_file_changed_in_place_with_its_old_times_is_read_again(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTA_EVAL_CACHE", str(tmp_path / "cache"))
    copy = shutil.copytree(llama_folder, tmp_path / "copy")
    before = weights_digest(copy)
    exchange_in_place(copy / "model.safetensors")
    assert weights_digest(copy) != before


def test_an_index_that_names_other_files_is_another_model(tmp_path: Path) -> None:
    for name in ("model", "ema"):
        save_file({"w": torch.full((2,), float(len(name)))}, tmp_path / f"{name}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "model.safetensors"}}))
    before = weights_digest(tmp_path)
    index.write_text(json.dumps({"weight_map": {"w": "ema.safetensors"}}))
    assert weights_digest(tmp_path) != before


def test_an_adapter_in_pickle_is_told_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    path = tmp_path / "adapter_model.bin"
    path.write_bytes(b"one")
    before = adapter_digest(tmp_path)
    path.write_bytes(b"two")
    assert adapter_digest(tmp_path) != before


def test_code_that_is_run_is_part_of_the_configuration(llama_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(llama_folder, tmp_path / "copy")
    trusted = HuggingFace(str(copy), device="cpu", trust_remote_code=True)
    assert trusted.identity().config != identity_of(copy).config
    (copy / "modeling_llama.py").write_text("x = 1")
    first, untrusted = trusted.identity(), identity_of(copy)
    (copy / "modeling_llama.py").write_text("x = 2")
    assert trusted.identity().config != first.config
    assert identity_of(copy) == untrusted


def test_in_memory_a_swap_of_two_rows_and_a_buffer_show(llama_folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    model.register_buffer("packed", torch.zeros(3, dtype=torch.int32))
    asked = InMemory(model, AutoTokenizer.from_pretrained(llama_folder))
    seen = [asked.identity().weights]
    with torch.no_grad():
        model.lm_head.weight[[5, 6]] = model.lm_head.weight[[6, 5]]
        seen.append(asked.identity().weights)
        model.packed[1] = 7
        seen.append(asked.identity().weights)
    assert len(set(seen)) == 3


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

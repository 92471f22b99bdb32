"""A checkpoint that is not whole, or not this model's, is refused with the names of its weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from mta_eval.core import Sample
from mta_eval.errors import ModelError
from mta_eval.models.hf import HuggingFace
from mta_eval.models.in_memory import InMemory
from mta_eval.models.load_check import check_finite

Tensors = dict[str, torch.Tensor]
QUESTION = Sample("s", "t", "The river", (), {}, 64, 2, 3)


def spoil(folder: Path, target: Path, change: Callable[[Tensors], Tensors]) -> HuggingFace:
    """The adapter of a copy whose weights were changed."""
    copy = shutil.copytree(folder, target / "copy")
    (path,) = copy.glob("*.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path, {"format": "pt"})
    return HuggingFace(str(copy), dtype="float32", device="cpu")


def prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()}


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if part not in name}


def renamed(tensors: Tensors) -> Tensors:
    return {name.replace("mlp.up_proj", "mlp.upproj"): tensor for name, tensor in tensors.items()}


def reshaped(tensors: Tensors) -> Tensors:
    return tensors | {"model.norm.weight": torch.ones(3)}


def with_one(value: float) -> Callable[[Tensors], Tensors]:
    def change(tensors: Tensors) -> Tensors:
        tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = value
        return tensors

    return change


def with_lora(tensors: Tensors) -> Tensors:
    return tensors | {"model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 64)}


def last_logits(model: HuggingFace) -> torch.Tensor:
    return model.weights(input_ids=torch.tensor([[5, 6, 7]]), use_cache=False, logits_to_keep=1).logits


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("layers.1."), r"9 weights not in the checkpoint and would be random \(model.layers.1.*, …\)"),
        (without("lm_head"), r"1 weight not in the checkpoint and would be random \(lm_head.weight\)"),
        (renamed, r"up_proj.*; 3 weights in the checkpoint and not in the model \(model.layers.0.mlp.upproj"),
        (reshaped, r"1 weight of another shape \(model.norm.weight 3 instead of 64\)"),
        (prefixed("_orig_mod."), r"names hold '_orig_mod.': saved from a model under torch.compile"),
        (prefixed("module."), r"names hold 'module.': saved from a model in DataParallel"),
        (prefixed("_fsdp_wrapped_module."), r"saved from a model in FSDP"),
        (prefixed("base_model.model."), r"saved from a PEFT model; save model.merge_and_unload"),
        (prefixed("student."), r"names in the checkpoint begin with 'student.': take that off"),
        (with_lora, r"LoRA weights that were not merged"),
        (lambda tensors: tensors | {"score.weight": torch.ones(2, 64)}, r"score.weight.*unused_weights=ignore"),
        (
            lambda tensors: {name: tensor.to(torch.int8) for name, tensor in tensors.items()},
            r"30 weights of .* are stored as whole numbers \(lm_head.weight, .*no quantization_config",
        ),
        (with_one(float("nan")), r"1 weight of .* hold NaN or infinity: model.layers.1.mlp.up_proj.weight"),
        (with_one(float("-inf")), r"hold NaN or infinity: model.layers.1.mlp.up_proj.weight"),
    ],
)
def test_weights_that_are_not_those_of_the_model_are_one_error_that_names_them(
    change: Callable[[Tensors], Tensors], said: str, llama_folder: Path, tmp_path: Path
) -> None:
    model = spoil(llama_folder, tmp_path, change)
    with pytest.raises(ModelError, match=said) as raised:
        next(model.generate([QUESTION]))
    assert "\n" not in str(raised.value)


def test_weights_without_a_place_can_be_left_out_by_name_but_none_may_be_missing(
    llama_folder: Path, tmp_path: Path
) -> None:
    model = spoil(llama_folder, tmp_path, lambda tensors: tensors | {"score.weight": torch.ones(2, 64)})
    ignoring = HuggingFace(model.path, dtype="float32", device="cpu", unused_weights="ignore")
    whole = HuggingFace(str(llama_folder), dtype="float32", device="cpu")
    assert list(ignoring.generate([QUESTION])) == list(whole.generate([QUESTION]))
    missing = spoil(llama_folder, tmp_path / "b", renamed)
    with pytest.raises(ModelError, match="upproj"):
        next(HuggingFace(missing.path, device="cpu", unused_weights="ignore").generate([QUESTION]))


@pytest.mark.parametrize("name", ["vision_tower.blocks.0.weight", "model.visual.merger.weight", "mtp.layers.0.weight"])
def test_parts_for_other_modalities_are_left_out(name: str, llama_folder: Path, tmp_path: Path) -> None:
    model = spoil(llama_folder, tmp_path, lambda tensors: tensors | {name: torch.ones(2)})
    assert next(model.generate([QUESTION])).output_tokens == 3


def test_a_tied_head_is_not_missing(llama_folder: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    config = model.config
    config.tie_word_embeddings = True
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(llama_folder).save_pretrained(tmp_path)
    assert next(HuggingFace(str(tmp_path), device="cpu").generate([QUESTION])).output_tokens


def test_logits_beyond_the_type_are_an_error_that_names_a_wider_one(llama_folder: Path, tmp_path: Path) -> None:
    huge = spoil(llama_folder, tmp_path, lambda tensors: tensors | {"model.norm.weight": torch.full((64,), 6e4)})
    model = HuggingFace(huge.path, dtype="float16", device="cpu")
    with pytest.raises(ModelError, match=r"NaN or infinite in float16; .* try dtype=float32 or bfloat16"):
        next(model.generate([QUESTION]))


def test_a_notebook_model_with_a_nan_is_refused(llama_folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama_folder).eval()
    adapter = InMemory(model, AutoTokenizer.from_pretrained(llama_folder))
    check_finite("it", model)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        next(adapter.generate([QUESTION]))


def test_an_architecture_that_sdpa_cannot_do_gets_its_own_attention_and_says_so(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LlamaForCausalLM, "_supports_sdpa", False)
    answer = next(HuggingFace(str(llama_folder), dtype="float32", device="cpu").generate([QUESTION]))
    assert "cannot be computed by sdpa; its own default attention is used" in capsys.readouterr().err
    with pytest.raises(ModelError, match="scaled_dot_product_attention"):
        next(HuggingFace(str(llama_folder), device="cpu", attention="sdpa").generate([QUESTION]))
    monkeypatch.undo()
    assert next(HuggingFace(str(llama_folder), dtype="float32", device="cpu").generate([QUESTION])) == answer
    assert "sdpa" not in capsys.readouterr().err


def test_a_token_beyond_the_embedding_is_named(llama_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(llama_folder, tmp_path / "copy")
    tokenizer = AutoTokenizer.from_pretrained(copy)
    tokenizer.add_tokens(["[extra]"])
    tokenizer.save_pretrained(copy)
    model = HuggingFace(str(copy), device="cpu")
    beyond = Sample("s", "t", "a [extra] b", (), {}, 64, 4, 3)
    with pytest.raises(ValueError, match=r"token \d+ \('\[extra\]'\) is beyond the model's \d+ embeddings"):
        next(model.generate([beyond]))
    with pytest.raises(ValueError, match="beyond"):
        next(model.token_loglikelihoods([beyond]))


def test_an_adapter_is_merged_and_part_of_the_identity(llama_folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32)
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    plain = HuggingFace(str(llama_folder), dtype="float32", device="cpu")
    model = HuggingFace(str(llama_folder), dtype="float32", device="cpu", adapter=str(tmp_path / "adapter"))
    merged = InMemory(adapted.merge_and_unload().eval(), AutoTokenizer.from_pretrained(llama_folder))
    expected = merged._model(torch.tensor([[5, 6, 7]])).logits[:, -1:]
    assert torch.allclose(last_logits(model), expected, atol=1e-5)
    assert not torch.allclose(last_logits(plain), expected, atol=1e-2)
    assert plain.identity().adapter == "" != model.identity().adapter
    before = model.identity().adapter
    (weights,) = (tmp_path / "adapter").glob("*.safetensors")
    save_file({name: 2 * tensor for name, tensor in load_file(weights).items()}, weights)
    assert model.identity().adapter != before


def test_an_adapter_that_lacks_weights_is_refused(llama_folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = AutoModelForCausalLM.from_pretrained(llama_folder)
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path)
    (weights,) = tmp_path.glob("*.safetensors")
    save_file(without("layers.1.")(load_file(weights)), weights)
    with pytest.raises(ModelError, match="missing adapter keys"):
        next(HuggingFace(str(llama_folder), device="cpu", adapter=str(tmp_path)).generate([QUESTION]))


def test_an_adapter_of_a_model_with_more_layers_is_refused(llama_folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    config = LlamaConfig.from_pretrained(llama_folder)
    config.num_hidden_layers += 1
    larger = LlamaForCausalLM(config)
    get_peft_model(larger, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"is not one of this model: 2 of its weights have no place .*layers\.3"):
        next(HuggingFace(str(llama_folder), device="cpu", adapter=str(tmp_path)).generate([QUESTION]))


def test_quantised_weights_need_their_package(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match="pip install bitsandbytes"):
        next(HuggingFace(str(llama_folder), device="cpu", quantization="4bit").generate([QUESTION]))


def test_choices_look_at_the_weights_once_and_again_after_a_change(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr("mta_eval.models.in_memory.check_finite", lambda name, _: looked.append(name))
    model = AutoModelForCausalLM.from_pretrained(llama_folder).eval()
    adapter = InMemory(model, AutoTokenizer.from_pretrained(llama_folder))
    for _ in range(3):
        adapter.loglikelihood([(QUESTION, " runs")])
    assert len(looked) == 1
    with torch.no_grad():
        model.model.norm.weight[0] += 1
    adapter.loglikelihood([(QUESTION, " runs")])
    assert len(looked) == 2
    for _ in range(2):
        next(adapter.generate([QUESTION]))
    assert len(looked) == 4

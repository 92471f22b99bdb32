"""LoRA and kernels of the attention family: what is trained, and that an adapter loads again to the same logits."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tiny_models import KERNELS, build, family
from transformers import AutoModelForCausalLM, AutoTokenizer

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.checkpoints.lora import PROJECTIONS, kernel_parameters, save_lora, with_lora
from mta_eval.models.hf import HuggingFace

IDS = torch.arange(1, 25)[None]
OWN = {
    "mta": ["convolve_before", "mix_before", "convolve_after", "mix_after", "norm.weight", "gate.weight", "gate.bias"],
    "diff": ["lambda_vectors", "norm.weight"],
    "talking_heads": ["mix_before", "mix_after"],
    "transformer": [],
}


def model(attention: str) -> Any:
    torch.manual_seed(0)
    kernels = KERNELS if attention == "mta" else {}
    return family(attention, **kernels).eval()


def train(adapted: PeftModel, steps: int = 2) -> None:
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        adapted(IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def logits(any_model: Any) -> torch.Tensor:
    result: torch.Tensor = any_model(IDS).logits
    return result


@pytest.mark.parametrize("attention", OWN)
def test_the_attentions_own_parameters_are_named(attention: str) -> None:
    expected = {f"model.layers.{layer}.self_attn.{name}" for layer in (0, 1) for name in OWN[attention]}
    assert set(kernel_parameters(model(attention))) == expected


@pytest.mark.parametrize("attention", ["mta", "diff", "talking_heads"])
def test_it_begins_as_the_same_model_and_trains_lora_and_kernels_alone(attention: str) -> None:
    base = model(attention)
    before = logits(base)
    adapted = with_lora(base, 3, kernels=True)
    assert torch.equal(logits(adapted), before)
    trained = [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
    own = kernel_parameters(adapted)
    assert {name for name in trained if "lora_" not in name} == set(own)
    assert len(own) == 2 * len(OWN[attention])
    matrices = {name.split(".lora_")[0] for name in trained if "lora_" in name}
    assert {name.split(".")[-1] for name in matrices} == set(PROJECTIONS)
    assert len(matrices) == 2 * len(PROJECTIONS)
    assert adapted.peft_config["default"].r == 3


def test_without_kernels_lora_alone_is_trained() -> None:
    adapted = with_lora(model("mta"), 2, kernels=False)
    assert all("lora_" in name for name, parameter in adapted.named_parameters() if parameter.requires_grad)


@pytest.mark.parametrize(
    ("attention", "kernels"), [("mta", True), ("mta", False), ("diff", True), ("talking_heads", True)]
)
def test_a_saved_adapter_loads_to_the_same_logits(attention: str, kernels: bool, tmp_path: Path) -> None:
    base = model(attention)
    base.save_pretrained(tmp_path / "base")
    before = logits(base)
    adapted = with_lora(base, 4, kernels)
    train(adapted)
    save_lora(adapted.eval(), tmp_path / "adapter")
    after = logits(adapted)
    assert not torch.allclose(after, before, atol=0.1)
    there = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    own = {name for name in there if "lora_" not in name}
    assert own == (set(kernel_parameters(adapted)) if kernels else set())
    by_peft = PeftModel.from_pretrained(MTAForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "adapter")
    assert torch.equal(logits(by_peft.eval()), after)
    by_transformers = MTAForCausalLM.from_pretrained(tmp_path / "base").eval()
    by_transformers.load_adapter(str(tmp_path / "adapter"))
    assert torch.equal(logits(by_transformers), after)


def test_hf_opens_a_checkpoint_with_its_adapter_and_kernels(llama_folder: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    options: dict[str, Any] = {"num_attention_heads": 2, "kernel_init": "uniform", "bos_token_id": None}
    MTAForCausalLM(MTAConfig(vocab_size=len(tokenizer), **sizes, **options)).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    before = logits(base)
    adapted = with_lora(base, 2, kernels=True)
    train(adapted)
    save_lora(adapted.eval(), tmp_path / "adapter")
    opened = HuggingFace(str(tmp_path / "base"), "float32", "cpu", adapter=str(tmp_path / "adapter")).weights
    found = opened(input_ids=IDS).logits.detach()
    assert torch.allclose(found, logits(adapted), atol=1e-5)  # LoRA was merged into the weights
    assert not torch.allclose(found, before, atol=0.1)
    mixing = "layers.0.self_attn.mix_after"
    assert torch.equal(
        opened.get_parameter(f"model.{mixing}"), adapted.get_parameter(f"base_model.model.model.{mixing}")
    )


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(ModelError, match="is there already"):
        save_lora(with_lora(model("mta"), 1, kernels=True), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(SpecError, match="transformer attention has no kernels"):
        with_lora(model("transformer"), 2, kernels=True)
    with pytest.raises(SpecError, match="from 1 to 4096, not 0"):
        with_lora(model("mta"), 0, kernels=True)
    with_lora(model("transformer"), 2, kernels=False)


@pytest.mark.parametrize("config", [LoraConfig(task_type="CAUSAL_LM"), IA3Config(task_type="CAUSAL_LM")])
def test_peft_chooses_layers_as_of_a_llama(config: Any) -> None:
    def adapted_layers(any_model: Any) -> set[str]:
        adapted = get_peft_model(any_model, type(config)(task_type=config.task_type))
        marks = (".lora_A.default", ".ia3_l.default")
        return {name.split(mark)[0] for name, _ in adapted.named_parameters() for mark in marks if mark in name}

    ours = adapted_layers(model("mta"))
    with torch.inference_mode(False):
        theirs = adapted_layers(type(build("llama"))(build("llama").config))
    assert ours == theirs
    assert "base_model.model.model.layers.1.self_attn.v_proj" in ours

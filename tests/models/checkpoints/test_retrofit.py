"""A Llama-type model with identity kernels is the same model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.checkpoints.retrofit import convert, open_checkpoint, retrofit

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
IDS = torch.randint(97, (2, 60), generator=torch.Generator().manual_seed(0))


def originals() -> dict[str, Any]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = {
            "llama": LlamaForCausalLM(LlamaConfig(**SIZES)),
            "llama with biases, tied": LlamaForCausalLM(
                LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)
            ),
            "llama 3 rope, wide heads": LlamaForCausalLM(LlamaConfig(**SIZES, rope_parameters=LLAMA3, head_dim=16)),
            "mistral": MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None)),
            "qwen2": Qwen2ForCausalLM(Qwen2Config(**SIZES)),
        }
        for model in made.values():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    torch.nn.init.normal_(parameter)
    return {name: model.double().eval() for name, model in made.items()}


@pytest.mark.parametrize("name", originals())
@pytest.mark.parametrize("attention", ["mta", "talking_heads", "transformer"])
def test_it_begins_as_the_same_model(name: str, attention: Any) -> None:
    original = originals()[name]
    made = convert(original, attention, {})
    assert made.config.attention == attention
    assert (made(IDS).logits - original(IDS).logits).abs().max() < 1e-10


def test_mta_has_its_kernels_and_no_norm_unless_asked() -> None:
    made = convert(originals()["llama"], "mta", {})
    layers = [layer.self_attn for layer in made.model.layers]
    assert [layer.convolve_before is not None for layer in layers] == [False, False, True, False]
    assert layers[2].convolve_before.shape == layers[2].convolve_after.shape == (4, 6, 11)
    assert all(layer.mix_before.shape == (1, 4, 4) for layer in layers)
    assert all(layer.norm is None and layer.gate is None for layer in layers)


def test_options_choose_the_kernels(llama_folder: Path, tmp_path: Path) -> None:
    options = {"convolution_layers": 1, "query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_after": 2}
    assert retrofit(f"hf:{llama_folder}", "mta", tmp_path / "made", options) < 1e-4
    config = AutoModelForCausalLM.from_pretrained(tmp_path / "made").config
    assert (config.convolution_layers, config.query_kernel_before, config.head_kernel_after) == ([1], 6, 2)


def test_a_norm_or_a_gate_changes_what_it_says(llama_folder: Path, tmp_path: Path) -> None:
    assert retrofit(str(llama_folder), "mta", tmp_path / "gate", {"gate": "scalar"}) > 0.1
    assert retrofit(str(llama_folder), "mta", tmp_path / "norm", {"norm": "plain"}) > 0.1


def test_the_folder_opens_as_any_other(llama_folder: Path, tmp_path: Path) -> None:
    retrofit(str(llama_folder), "mta", tmp_path / "made", {})
    assert (tmp_path / "made" / "model.safetensors").exists()
    model, original = (AutoModelForCausalLM.from_pretrained(path) for path in (tmp_path / "made", llama_folder))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "made")
    assert isinstance(model, MTAForCausalLM)
    inputs = tokenizer("The magic number of", return_tensors="pt")
    answer = model.generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=0)
    plain = original.generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=0)
    uncached = model.generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=0, use_cache=False)
    assert torch.equal(answer, plain)
    assert torch.equal(answer, uncached)


def test_a_sliding_window_bounds_the_length() -> None:
    model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=64)).double().eval()
    made = convert(model, "mta", {})
    assert made.config.max_position_embeddings == 64
    assert (made(IDS).logits - model(IDS).logits).abs().max() < 1e-10


def test_the_dtype_is_kept() -> None:
    assert convert(originals()["llama"].bfloat16(), "mta", {}).dtype == torch.bfloat16


def test_a_checkpoint_is_opened_as_a_plain_transformer(llama_folder: Path, tmp_path: Path) -> None:
    assert open_checkpoint(str(llama_folder)).config.attention == "transformer"
    retrofit(str(llama_folder), "talking_heads", tmp_path / "made", {})
    assert open_checkpoint(str(tmp_path / "made")).config.attention == "talking_heads"


@pytest.mark.parametrize(
    ("attention", "options", "line"),
    [
        ("diff", {}, "diff"),
        ("mta", {"nrm": "plain"}, "did you mean 'norm'"),
        ("mta", {"head_kernel_after": 3}, "does not divide the 4 heads"),
        ("mta", {"convolution_layers": [9]}, "layers are 0 to 3"),
        ("transformer", {"head_kernel_after": 2}, "transformer attention has no head_kernel_after"),
    ],
)
def test_options_that_do_not_fit_are_one_line(attention: Any, options: dict[str, Any], line: str) -> None:
    with pytest.raises(SpecError, match=line) as raised:
        convert(originals()["llama"], attention, options)
    assert "\n" not in str(raised.value)


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2, n_positions=32)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="gpt2 model cannot be retrofitted; these can: llama"):
        open_checkpoint(str(tmp_path))


def test_a_checkpoint_without_a_tokenizer_is_one_line(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(tmp_path / "bare")
    with pytest.raises(ModelError, match="cannot load tokenizer"):
        retrofit(str(tmp_path / "bare"), "mta", tmp_path / "made", {})
    assert not (tmp_path / "made").exists()


def test_a_folder_in_use_is_left_alone(llama_folder: Path) -> None:
    with pytest.raises(ModelError, match="is there already"):
        retrofit(str(llama_folder), "mta", llama_folder, {})
    assert open_checkpoint(str(llama_folder)).config.attention == "transformer"


@torch.no_grad()
def test_without_gradients_identity_kernels_are_left_out_and_others_are_not() -> None:
    original = originals()["llama"]
    made = convert(original, "mta", {})
    assert torch.equal(made(IDS).logits, original(IDS).logits)
    made.model.layers[2].self_attn.convolve_after[1, 3, 4] = 0.5
    changed = made(IDS).logits
    assert (changed - original(IDS).logits).abs().max() > 1e-3
    mixed = convert(original, "mta", {"kernel_init": "normal"})(IDS).logits
    assert (mixed - original(IDS).logits).abs().max() > 1e-3


def test_a_cache_filled_with_gradients_is_read_without_them() -> None:
    made = convert(originals()["llama"], "mta", {})
    cache = made(IDS[:, :30]).past_key_values
    with torch.no_grad():
        found = [made(IDS[:, 30:50], past_key_values=cache).logits]
    found.append(made(IDS[:, 50:], past_key_values=cache).logits)
    assert (torch.cat(found, 1) - made(IDS).logits[:, 30:]).abs().max() < 1e-10

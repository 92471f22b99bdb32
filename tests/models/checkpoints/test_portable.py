"""Checkpoints for those who have no mta-eval: with code, or a plain one as a Llama with the same logits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import SIZES
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import ModelError
from mta_eval.models.checkpoints import portable
from mta_eval.models.checkpoints.portable import as_llama, write_as_llama, write_with_code

IDS = torch.arange(1, 25)[None]
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
PLAIN: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": {"tie_word_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "biases of q, k and v alone": {"attention_bias": True, "output_bias": False},
    "a bias of the output alone": {"attention_bias": False, "output_bias": True},
    "scaled positions, wide heads": {
        "rope_parameters": {**LLAMA3, "original_max_position_embeddings": 64},
        "head_dim": 16,
    },
    "another theta and eps": {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}, "rms_norm_eps": 1e-2},
}


def made(attention: str = "transformer", **options: Any) -> Any:
    torch.manual_seed(0)
    model = MTAForCausalLM(MTAConfig(**SIZES, attention=attention, eos_token_id=None, pad_token_id=0, **options)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return model


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    found: torch.Tensor = model(IDS).logits
    return found


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_model_is_a_llama_with_the_same_logits(case: str, tmp_path: Path) -> None:
    model = made(**PLAIN[case])
    model.save_pretrained(tmp_path / "ours")
    assert write_as_llama(str(tmp_path / "ours"), tmp_path / "llama") < 1e-4
    llama = AutoModelForCausalLM.from_pretrained(tmp_path / "llama")
    assert type(llama) is LlamaForCausalLM
    assert llama.is_backend_compatible()  # what vLLM's transformers backend asks of a class
    assert torch.allclose(logits(llama), logits(model), atol=1e-5)
    tokens = [m.generate(IDS, max_new_tokens=6, do_sample=False) for m in (llama, model)]
    assert torch.equal(*tokens)
    written = json.loads((tmp_path / "llama/config.json").read_text())
    assert (written["model_type"], "attention" in written) == ("llama", False)


def test_weights_keep_their_dtype_and_values(tmp_path: Path) -> None:
    model = made().to(torch.bfloat16)
    model.save_pretrained(tmp_path / "ours")
    write_as_llama(str(tmp_path / "ours"), tmp_path / "llama")
    llama = AutoModelForCausalLM.from_pretrained(tmp_path / "llama", dtype="auto")
    assert llama.dtype == torch.bfloat16
    assert all(torch.equal(llama.state_dict()[name], value) for name, value in model.state_dict().items())


NOT_PLAIN: dict[str, tuple[dict[str, Any], str]] = {
    "mta": ({"attention": "mta"}, "this model has mta attention"),
    "diff": ({"attention": "diff"}, "this model has diff attention"),
    "normed heads": ({"norm": "plain"}, "this model has norm=plain on its heads"),
    "gated heads": ({"gate": "scalar"}, "this model has gate=scalar on its heads"),
}


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_no_llama_computes_is_refused(case: str, tmp_path: Path) -> None:
    options, message = NOT_PLAIN[case]
    made(**options).save_pretrained(tmp_path / "ours")
    with pytest.raises(ModelError, match=message):
        write_as_llama(str(tmp_path / "ours"), tmp_path / "llama")
    assert not (tmp_path / "llama").exists()


def test_other_logits_are_found_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made().save_pretrained(tmp_path / "ours")

    def wrong(model: MTAForCausalLM) -> LlamaForCausalLM:
        llama = as_llama(model)
        llama.model.rotary_emb.inv_freq *= 0.5
        return llama

    monkeypatch.setattr(portable, "as_llama", wrong)
    with pytest.raises(ModelError, match="as a Llama the model has other logits"):
        write_as_llama(str(tmp_path / "ours"), tmp_path / "llama")
    assert not (tmp_path / "llama").exists()


def test_the_tokenizer_and_the_card_go_along(llama_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {**SIZES, "vocab_size": len(AutoTokenizer.from_pretrained(llama_folder))}
    MTAForCausalLM(MTAConfig(**sizes, attention="transformer")).save_pretrained(tmp_path / "ours")
    AutoTokenizer.from_pretrained(llama_folder).save_pretrained(tmp_path / "ours")
    (tmp_path / "ours/README.md").write_text("the card")
    write_with_code(str(tmp_path / "ours"), tmp_path / "code")
    write_as_llama(str(tmp_path / "ours"), tmp_path / "llama")
    assert (tmp_path / "code/README.md").read_text() == "the card"
    assert "auto_map" in json.loads((tmp_path / "code/config.json").read_text())
    assert not (tmp_path / "llama/README.md").exists()  # it says how to open ours
    for folder in ("code", "llama"):
        ids = [AutoTokenizer.from_pretrained(path)("a b c")["input_ids"] for path in (llama_folder, tmp_path / folder)]
        assert ids[0] == ids[1]


def test_a_model_of_another_family_is_refused(llama_folder: Path, tmp_path: Path) -> None:
    for write in (write_as_llama, write_with_code):
        with pytest.raises(ModelError, match="is a llama model, which transformers opens as it is"):
            write(str(llama_folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()

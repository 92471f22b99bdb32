"""The decoder in Hugging Face form: caches, masks, files, training, and one layer against the oracle's formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from mta_eval.attention import naive, tiles
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.kernels import Kernels

VARIANTS: dict[str, dict[str, Any]] = {
    "transformer": {"attention": "transformer"},
    "mta": {"attention": "mta"},
    "diff": {"attention": "diff"},
    "talking_heads": {"attention": "talking_heads"},
    "mta v1": {"query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_before": 0, "head_kernel_after": 2}
    | {"norm": "depth_scaled", "gate": "none"},
    "mta in one layer": {"convolution_layers": [1], "gate": "vector", "key_padding": "left"},
    "letter blocks": {"query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_before": 0, "head_kernel_after": 0}
    | {"query_kernel_before": 2, "key_kernel_before": 5, "norm": "none", "gate": "none"},
    "biases": {"attention_bias": True, "output_bias": False, "norm": "depth_scaled", "gate": "vector"},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)
KERNELS = {"convolve_before", "mix_before", "convolve_after", "mix_after"}


def tiny(variant: str = "mta", **options: Any) -> MTAConfig:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    tokens = {"vocab_size": 40, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    plain = {"num_key_value_heads": 2, "kernel_init": "uniform", "initializer_range": 0.3}
    if variant in ("mta", "mta in one layer", "biases"):
        plain |= {"query_kernel_before": 3, "key_kernel_before": 5, "query_kernel_after": 2, "key_kernel_after": 3}
    return MTAConfig(**{**sizes, **tokens, **plain, **VARIANTS[variant], **options})


def build(variant: str = "mta", **options: Any) -> MTAForCausalLM:
    """Every weight random, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = MTAForCausalLM(tiny(variant, **options)).double().eval()
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def ids(batch: int, tokens: int) -> torch.Tensor:
    return torch.randint(1, 40, (batch, tokens), generator=torch.Generator().manual_seed(tokens))


def logits(model: MTAForCausalLM, tokens: torch.Tensor, *mask: torch.Tensor, **options: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(tokens, *mask, **options).logits


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) < 1e-10 * float(wanted.abs().max())


@every_variant
def test_decoding_in_pieces_is_one_pass(variant: str) -> None:
    model, tokens = build(variant), ids(2, 60)
    wanted, cache, parts = logits(model, tokens), None, []
    for part in tokens.split([6, 1, 1, 37, 1, 2, 12], 1):
        with torch.no_grad():
            out = model(part, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        parts.append(out.logits)
    close(torch.cat(parts, 1), wanted)


@every_variant
@pytest.mark.parametrize("beams", [1, 3])
def test_generation_with_and_without_a_cache(variant: str, beams: int) -> None:
    model, tokens = build(variant), ids(2, 9)
    mask = torch.ones_like(tokens)
    mask[0, :4] = 0
    options = {"attention_mask": mask, "max_new_tokens": 12, "num_beams": beams, "do_sample": False}
    found, wanted = (model.generate(tokens, use_cache=use, **options) for use in (True, False))
    assert torch.equal(found, wanted)
    assert found.shape == (2, 21)
    for row, first in ((0, 4), (1, 0)) if beams == 1 else ():
        alone = tokens[row : row + 1, first:]
        for _ in range(12):
            alone = torch.cat((alone, logits(model, alone)[:, -1:].argmax(-1)), 1)
        assert torch.equal(found[row, first:], alone[0])


@every_variant
def test_rows_of_a_padded_batch_are_as_alone(variant: str) -> None:
    model, tokens = build(variant), ids(3, 50)
    mask = torch.ones_like(tokens)
    mask[0, :7] = mask[1, 40:] = mask[2, 3:6] = 0
    found = logits(model, tokens, mask)
    for row in range(3):
        real = mask[row] > 0
        close(found[row : row + 1, real], logits(model, tokens[row : row + 1, real]))
    changed = torch.where(mask > 0, tokens, tokens % 39 + 1)
    assert torch.equal(logits(model, changed, mask)[mask > 0], found[mask > 0])


@every_variant
def test_packed_documents_are_as_alone(variant: str) -> None:
    model, tokens = build(variant), ids(2, 60)
    mask = torch.tensor([[1] * 10 + [2] * 35 + [3] * 15, [0] * 5 + [4] * 20 + [2] * 35])
    found = logits(model, tokens, mask)
    for row, first, last in ((0, 0, 10), (0, 10, 45), (0, 45, 60), (1, 5, 25), (1, 25, 60)):
        close(found[row : row + 1, first:last], logits(model, tokens[row : row + 1, first:last]))


@every_variant
def test_a_saved_model_is_the_same(variant: str, tmp_path: Path) -> None:
    model = build(variant)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    found = MTAForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    assert torch.equal(logits(found, ids(2, 40)), logits(model, ids(2, 40)))


def test_kernels_found_in_a_checkpoint_stay_when_others_are_missing(tmp_path: Path) -> None:
    model = build("letter blocks")
    model.save_pretrained(tmp_path)
    found = MTAForCausalLM.from_pretrained(tmp_path, dtype=torch.float64, head_kernel_after=4, kernel_init="identity")
    close(logits(found, ids(2, 10)), logits(model, ids(2, 10)))


@every_variant
def test_all_paths_agree(variant: str) -> None:
    model, tokens = build(variant), ids(2, 45)
    mask = torch.tensor([[0] * 5 + [1] * 40, [1] * 45])
    assert model.config._attn_implementation == "sdpa"
    wanted = logits(model, tokens, mask)[mask > 0]
    model.set_attn_implementation("eager")
    close(logits(model, tokens, mask)[mask > 0], wanted)


def test_flex_attention_is_one_line() -> None:
    model = build()
    with pytest.raises(ValueError, match="has no flex_attention; leave attn_implementation out"):
        model.set_attn_implementation("flex_attention")
    with pytest.raises(ValueError, match="has no flex_attention; leave attn_implementation out"):
        MTAForCausalLM._from_config(tiny(), attn_implementation="flex_attention")


def gradients(model: MTAForCausalLM, tokens: torch.Tensor, half: bool = False, **options: Any) -> dict[str, Any]:
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        loss = model(tokens, labels=tokens, **options).loss
    assert torch.isfinite(loss)
    loss.backward()
    found = {name: weight.grad for name, weight in model.named_parameters()}
    assert all(grad is not None and grad.isfinite().all() and grad.any() for grad in found.values())
    return found


@every_variant
@pytest.mark.parametrize("recompute_from", [0, tiles.RECOMPUTE_FROM])
def test_training_with_and_without_gradient_checkpointing(
    variant: str, recompute_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "RECOMPUTE_FROM", recompute_from)
    wanted, model = gradients(build(variant), ids(2, 45)), build(variant, attention_dropout=0.0)
    model.gradient_checkpointing_enable()
    torch.testing.assert_close(gradients(model, ids(2, 45)), wanted, rtol=1e-8, atol=1e-12)


@every_variant
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight:UserWarning")  # torch's RMSNorm: slower
@pytest.mark.parametrize("cached", [False, True])
def test_training_in_mixed_precision(variant: str, cached: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "RECOMPUTE_FROM", 0)
    options = {"attention_mask": torch.tensor([[0] * 5 + [1] * 35, [1] * 40]), "use_cache": cached}
    found, wanted = (gradients(build(variant).float(), ids(2, 40), half, **options) for half in (True, False))
    pairs = [torch.cat([grad.flatten() for grad in grads.values()]) for grads in (found, wanted)]
    assert float(F.cosine_similarity(*pairs, dim=0)) > 0.95


@every_variant
def test_a_layer_is_the_oracles_formulas(variant: str) -> None:
    model, seen = build(variant), []
    layer, config = model.model.layers[1].self_attn, model.config
    layer.register_forward_hook(lambda *call: seen.append((call[2], call[3][0])), with_kwargs=True)
    logits(model, ids(2, 30))
    options, found = seen[0]
    assert (layer.q_proj.bias is None, layer.o_proj.bias) == (not config.attention_bias, None)
    q, k, v = (
        F.linear(options["hidden_states"], part.weight, part.bias).view(2, 30, -1, 8).transpose(1, 2)
        for part in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    q, k = apply_rotary_pos_emb(q, k, *options["position_embeddings"])
    out = naive.attention(q, k, v, getattr(layer, "kernels", Kernels()))
    if variant == "diff":
        q1, k1, q2, k2 = layer.lambda_vectors
        scale = naive.differential_scale(q1, k1, q2, k2, layer=1)
        out = naive.differential_attention(q, k, torch.cat((v[:, 0::2], v[:, 1::2]), -1), scale)
    out = out.transpose(1, 2)
    if config.norm != "none":
        out = naive.group_norm(out, layer.norm.weight)
    if config.norm == "depth_scaled":
        out = out * (1 - naive.initial_scale(1))
    if config.gate != "none":
        assert layer.gate.weight.shape[0] == (8 if config.gate == "vector" else 1)
        out = naive.gate(out, layer.gate.weight, layer.gate.bias)
    torch.testing.assert_close(found, F.linear(out.flatten(2), layer.o_proj.weight), rtol=1e-6, atol=1e-8)


def test_identity_kernels_leave_the_transformer() -> None:
    model = build("transformer")
    other = MTAForCausalLM(tiny("mta", kernel_init="identity", norm="none", gate="none")).double().eval()
    missing, unexpected = other.load_state_dict(model.state_dict(), strict=False)
    assert not unexpected
    assert {name.split(".")[-1] for name in missing} == KERNELS
    close(logits(other, ids(2, 50)), logits(model, ids(2, 50)))


def test_hidden_states_and_inputs_as_vectors() -> None:
    model, tokens = build(), ids(2, 12)
    with torch.no_grad():
        out = model.model(tokens, output_hidden_states=True)
        assert torch.equal(out.hidden_states[0], model.model.embed_tokens(tokens))
    assert [state.shape for state in out.hidden_states] == [(2, 12, 32)] * 3
    assert torch.equal(out.hidden_states[-1], out.last_hidden_state)
    assert torch.equal(logits(model, None, inputs_embeds=out.hidden_states[0]), logits(model, tokens))
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        model(tokens, inputs_embeds=out.hidden_states[0])


@pytest.mark.parametrize("mask", [torch.zeros(2, 1, 9, 9), torch.ones(2, 1, 9, 9).bool(), torch.full((2, 9), -9.0)])
def test_masks_of_another_form_are_refused(mask: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="attention mask"):
        build()(ids(2, 9), attention_mask=mask)


@every_variant
def test_positions_that_start_again_part_documents(variant: str) -> None:
    model, tokens = build(variant), ids(1, 14)
    places = torch.tensor([[*range(6), *range(8)]])
    found = logits(model, tokens, position_ids=places, use_cache=False)
    alone = torch.cat([logits(model, tokens[:, :6]), logits(model, tokens[:, 6:])], 1)
    close(found, alone)


def test_generate_refuses_packed_documents() -> None:
    with pytest.raises(ValueError, match="one document a row"):
        build().generate(ids(1, 6), attention_mask=torch.tensor([[1, 1, 1, 2, 2, 2]]), max_new_tokens=2)


def test_attention_matrices_are_refused_rather_than_left_out() -> None:
    with pytest.raises(ValueError, match="never made as a whole"):
        build()(ids(1, 6), output_attentions=True)

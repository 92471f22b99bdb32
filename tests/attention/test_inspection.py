"""What a look inside shows is what the model multiplies its values with."""

import pytest
import torch

from mta_eval import registry
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.inspection import attention_of_last
from mta_eval.attention.layer import AttentionLayer


def tiny(attention: str) -> MTAForCausalLM:
    config = MTAConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        attention=attention,
        convolution_layers=[1] if attention == "mta" else None,
        kernel_init="normal",
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MTAForCausalLM(config).eval()


@pytest.mark.parametrize("attention", registry.names("attention"))
def test_the_weights_are_the_oracles(attention: str) -> None:
    model, ids = tiny(attention), list(range(40))
    seen: list[torch.Tensor] = []

    def watch(layer: torch.nn.Module, _: object, given: dict[str, torch.Tensor]) -> None:
        assert isinstance(layer, AttentionLayer)
        q, k, _v = layer.project(given["hidden_states"], given["position_embeddings"])  # type: ignore[arg-type]
        seen.append(layer.definition(q, k)[0])

    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(watch, with_kwargs=True)
    maps = attention_of_last(model, ids, 7)
    assert len(maps) == 2
    for found, expected in zip(maps, seen, strict=True):
        assert found.shape == (2 if attention == "diff" else 4, 7, 40)
        torch.testing.assert_close(found, expected[:, -7:], rtol=1e-4, atol=1e-5)


def test_all_rows_may_be_asked_for() -> None:
    (first, _) = attention_of_last(tiny("mta"), list(range(9)), 9)
    assert first.shape == (4, 9, 9)


def test_a_look_leaves_the_model_as_it_was() -> None:
    model = tiny("mta")
    attention_of_last(model, [1, 2, 3], 1)
    assert not any(module._forward_pre_hooks for module in model.modules())

"""Caches of transformers that a decoder of the family takes, for every variant in the registry: all answer alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from tiny_variants import ALIBI, VARIANTS, build, ids
from transformers import CompileConfig, DynamicCache, StaticCache
from transformers.cache_utils import Cache, DynamicSlidingWindowLayer, QuantizedLayer

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM

every_variant = pytest.mark.parametrize("variant", VARIANTS)
ROOM = 40


class Halves(QuantizedLayer):
    """A quantised layer whose numbers are float32 halved and doubled again: it stores them in another form, exactly."""

    def _quantize(self, tensor: torch.Tensor, axis: int) -> torch.Tensor:
        return tensor / 2

    def _dequantize(self, q_tensor: torch.Tensor) -> torch.Tensor:
        return q_tensor * 2


class Offloaded(DynamicCache):  # type: ignore[misc]
    """Moves layers away and back as an offloaded cache does, without the CUDA streams."""

    def __init__(self, inner: Cache) -> None:
        super().__init__()
        self.layers, self.layer_class_to_replicate, self.moves = inner.layers, inner.layer_class_to_replicate, 0

    def update(self, key_states: Any, value_states: Any, layer_idx: int, **options: Any) -> Any:
        layer = self.layers[layer_idx]
        layer.prefetch()
        returned = layer.update(key_states, value_states, **options)
        layer.offload()
        self.moves += 1
        return returned


KINDS: dict[str, Callable[[Any], Cache]] = {
    "dynamic": lambda config: DynamicCache(config=config),
    "dynamic, lazy": lambda _: DynamicCache(),
    "static": lambda config: StaticCache(config=config, max_cache_len=ROOM),
    "quantised": lambda config: Cache(layers=[Halves(residual_length=6) for _ in range(config.num_hidden_layers)]),
    "offloaded": lambda config: Offloaded(DynamicCache(config=config)),
    "offloaded static": lambda config: Offloaded(StaticCache(config=config, max_cache_len=ROOM)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def alibi(plugin: Any) -> None:
    plugin(*ALIBI)


@pytest.fixture
def model(variant: str) -> MTAForCausalLM:
    """In float32, as models are used."""
    return copy.deepcopy(build(variant)).float()


def mask_of(tokens: torch.Tensor) -> torch.Tensor:
    """Padding of five tokens on the left of the first row."""
    mask = torch.ones_like(tokens)
    mask[0, :5] = 0
    return mask


@torch.no_grad()
def in_pieces(model: MTAForCausalLM, tokens: torch.Tensor, cache: Cache, sizes: list[int]) -> torch.Tensor:
    """Logits of all tokens, read piece by piece with a padded row."""
    mask, parts, first = mask_of(tokens), [], 0
    for size in sizes:
        last = first + size
        out = model(tokens[:, first:last], attention_mask=mask[:, :last], past_key_values=cache, use_cache=True)
        assert int(cache.get_seq_length()) == last
        parts.append(out.logits)
        first = last
    return torch.cat(parts, 1)


@every_variant
@every_kind
def test_read_in_pieces_and_decoded_it_is_one_pass_without_a_cache(
    variant: str, kind: str, model: MTAForCausalLM
) -> None:
    tokens = ids(2, 31)
    with torch.no_grad():
        wanted = model(tokens, attention_mask=mask_of(tokens), use_cache=False).logits
    cache = KINDS[kind](model.config)
    found = in_pieces(model, tokens, cache, [9, 1, 1, 12, 2, *[1] * 6])
    seen = mask_of(tokens) > 0
    torch.testing.assert_close(found[seen], wanted[seen], rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    assert variant == model.config.attention
    assert getattr(cache, "moves", 22) == 22


@every_kind
def test_where_one_layer_convolves_the_others_keep_no_queries(kind: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        config = MTAConfig(**{**build("mta").config.to_dict(), "convolution_layers": [1]})
        model = MTAForCausalLM(config).double().eval()
    assert [layer.self_attn.halo for layer in model.model.layers] == [0, 10]
    tokens, seen = ids(2, 31), mask_of(ids(2, 31)) > 0
    with torch.no_grad():
        wanted = model(tokens, attention_mask=mask_of(tokens), use_cache=False).logits
    found = in_pieces(model, tokens, KINDS[kind](config), [9, 1, 1, 12, 2, *[1] * 6])
    torch.testing.assert_close(found[seen], wanted[seen], rtol=1e-9, atol=1e-9)


@every_variant
@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"prefill_chunk_size": 4}], ids=str)
def test_generate_gives_the_same_tokens_with_a_static_cache(
    variant: str, options: dict[str, Any], model: MTAForCausalLM
) -> None:
    tokens = ids(2, 11, seed=len(variant))
    common = {"attention_mask": mask_of(tokens), "max_new_tokens": 14, "do_sample": False, **options}
    found = model.generate(tokens, cache_implementation="static", **common)
    assert torch.equal(found, model.generate(tokens, **common))
    if "prefill_chunk_size" not in options:
        assert torch.equal(found, model.generate(tokens, use_cache=False, **common))


@pytest.mark.parametrize("variant", ["mta"])
def test_steps_with_a_static_cache_are_not_compiled(
    variant: str, model: MTAForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(*_args: object) -> None:
        raise AssertionError(f"{variant} would be compiled for every length")

    monkeypatch.setattr(type(model), "get_compiled_call", compiled)
    everywhere = CompileConfig()
    everywhere._compile_all_devices = True  # as on a GPU
    made = model.generate(
        ids(1, 5), max_new_tokens=3, cache_implementation="static", compile_config=everywhere, do_sample=False
    )
    assert made.shape == (1, 8)


@every_variant
@every_kind
@pytest.mark.parametrize("beams", [1, 2])
def test_generate_gives_the_same_tokens_with_a_cache_of_ones_own(
    variant: str, kind: str, beams: int, model: MTAForCausalLM
) -> None:
    tokens = ids(2, 9, seed=len(variant))
    common = {"attention_mask": mask_of(tokens), "max_new_tokens": 9, "do_sample": False, "num_beams": beams}
    cache = KINDS[kind](model.config)
    assert torch.equal(model.generate(tokens, past_key_values=cache, **common), model.generate(tokens, **common))


@every_variant
@pytest.mark.parametrize("kind", ["static", "quantised", "offloaded static"])
def test_after_a_reset_a_cache_is_as_new(variant: str, kind: str, model: MTAForCausalLM) -> None:
    cache, tokens = KINDS[kind](model.config), ids(2, 20)
    first = in_pieces(model, ids(2, 20, seed=5), cache, [15, 5])
    cache.reset()
    found = in_pieces(model, tokens, cache, [15, 5])
    assert torch.equal(found, in_pieces(model, tokens, KINDS[kind](model.config), [15, 5])), variant
    assert not torch.equal(found, first)


@every_variant
def test_a_static_cache_keeps_its_room_where_it_is(variant: str, model: MTAForCausalLM) -> None:
    cache, tokens = StaticCache(config=model.config, max_cache_len=ROOM), ids(2, 20)
    cache.early_initialization(2, 2, 8, torch.float32, model.device)
    places = [layer.keys.data_ptr() for layer in cache.layers]
    in_pieces(model, tokens, cache, [10, 10])
    assert [layer.keys.data_ptr() for layer in cache.layers] == places
    assert [tuple(layer.keys.shape) for layer in cache.layers] == [(2, 2, ROOM, 8)] * 2
    assert variant == model.config.attention


@every_variant
def test_more_tokens_than_a_static_cache_has_room_for_are_one_line(variant: str, model: MTAForCausalLM) -> None:
    cache, tokens = StaticCache(config=model.config, max_cache_len=20), ids(2, 21)
    in_pieces(model, tokens, cache, [12, 8])
    with pytest.raises(ValueError, match="a static cache of 20 tokens has no room for 21; make it larger") as raised:
        model(tokens[:, 20:], past_key_values=cache, use_cache=True)
    assert "\n" not in str(raised.value)
    assert int(cache.get_seq_length()) == 20, variant


@every_variant
@pytest.mark.parametrize("implementation", ["offloaded", "offloaded_static"])
def test_offloading_without_a_gpu_is_one_line(variant: str, implementation: str, model: MTAForCausalLM) -> None:
    assert variant == model.config.attention
    with pytest.raises(ValueError, match="moves keys from a CUDA device to the CPU, but this model is on cpu"):
        model.generate(ids(1, 5), max_new_tokens=2, cache_implementation=implementation)


@every_variant
def test_a_sliding_cache_is_refused(variant: str, model: MTAForCausalLM) -> None:
    assert variant == model.config.attention
    cache = Cache(layers=[DynamicSlidingWindowLayer(sliding_window=4) for _ in range(2)])
    with pytest.raises(ValueError, match="not a DynamicSlidingWindowLayer"):
        model(ids(1, 9), past_key_values=cache, use_cache=True)


@pytest.mark.parametrize(("variant", "kind"), [("mta", "static"), *((variant, "quantised") for variant in VARIANTS)])
def test_what_queries_that_are_gone_would_be_needed_for_is_refused(
    variant: str, kind: str, model: MTAForCausalLM
) -> None:
    cache = KINDS[kind](model.config)
    in_pieces(model, ids(2, 9), cache, [9])
    assert not cache.is_croppable, variant
    for change in (cache.crop, cache.batch_repeat_interleave, lambda _: cache.batch_select_indices(torch.tensor([0]))):
        with pytest.raises(ValueError, match="use a dynamic cache"):
            change(-2)


@every_variant
@pytest.mark.skipif(find_spec("optimum") is None, reason="optimum-quanto, which quantises caches, is not installed")
def test_quanto_answers(variant: str, model: MTAForCausalLM) -> None:
    made = model.generate(ids(2, 9), max_new_tokens=5, cache_implementation="quantized", do_sample=False)
    assert made.shape == (2, 14), variant

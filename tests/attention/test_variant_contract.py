"""What holds of every attention variant in the registry, and of one that another package adds in a single file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_variants import ALIBI, VARIANTS, build, ids

from mta_eval import registry
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.inspection import attention_of_last
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import for_every_head

Plugin = Callable[[str, str, str], None]
every_variant = pytest.mark.parametrize("variant", VARIANTS)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def alibi(plugin: Plugin) -> None:
    plugin(*ALIBI)


def layers(model: MTAForCausalLM) -> list[AttentionLayer]:
    return [module for module in model.modules() if isinstance(module, AttentionLayer)]


def logits(model: MTAForCausalLM, tokens: torch.Tensor, **options: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(tokens, **options).logits


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


def qkv(layer: AttentionLayer, tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    size = layer.head_dim
    shapes = [(1, 4, tokens, size), (1, 2, tokens, size), (1, 2, tokens, size)]
    q, k, v = (torch.randn(shape, generator=drawn, dtype=torch.float64) for shape in shapes)
    return q, k, v


@every_variant
@few
@given(tokens=st.integers(1, 70), seed=st.integers(0, 999))
def test_the_fast_path_is_the_definition(variant: str, tokens: int, seed: int) -> None:
    for layer in layers(build(variant)):
        q, k, v = qkv(layer, tokens, seed)
        with torch.no_grad():
            weights = layer.definition(q, k)
            values = for_every_head(layer.values(v), weights.shape[1])
            close(layer.attend_document(q, k, v, 0, 0.0), weights @ values)


@every_variant
@few
@given(tokens=st.integers(2, 50), data=st.data())
def test_the_last_rows_of_the_weights_are_the_definitions(variant: str, tokens: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, tokens))
    for layer in layers(build(variant)):
        q, k, _ = qkv(layer, tokens, tokens)
        with torch.no_grad():
            close(layer.weights(q, k, rows), layer.definition(q, k)[:, :, tokens - rows :])


@every_variant
@few
@given(tokens=st.integers(2, 40), data=st.data())
def test_later_tokens_change_nothing_before_them(variant: str, tokens: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, tokens - 1))
    model, read = build(variant), ids(1, tokens, tokens)
    changed = read.clone()
    changed[:, cut:] = 1 + changed[:, cut:] % 39
    close(logits(model, changed)[:, :cut], logits(model, read)[:, :cut])
    assert not torch.equal(logits(model, changed)[:, cut:], logits(model, read)[:, cut:])


@every_variant
@few
@given(before=st.integers(0, 9), after=st.integers(0, 9), tokens=st.integers(1, 20))
def test_padded_is_alone(variant: str, before: int, after: int, tokens: int) -> None:
    model, read = build(variant), ids(2, before + tokens + after)
    mask = torch.tensor([[0] * before + [1] * tokens + [0] * after, [1] * read.shape[1]])
    found = logits(model, read, attention_mask=mask)
    close(found[0, before : before + tokens], logits(model, read[:1, before : before + tokens])[0])
    close(found[1:], logits(model, read[1:]))


@every_variant
@few
@given(lengths=st.lists(st.integers(1, 12), min_size=2, max_size=4))
def test_packed_is_alone(variant: str, lengths: list[int]) -> None:
    model, read = build(variant), ids(1, sum(lengths))
    mask = torch.tensor([[number for number, length in enumerate(lengths, 1) for _ in range(length)]])
    alone = [logits(model, part) for part in read.split(lengths, 1)]
    close(logits(model, read, attention_mask=mask), torch.cat(alone, 1))


@every_variant
@few
@given(pieces=st.lists(st.integers(1, 15), min_size=1, max_size=6))
def test_read_in_pieces_and_decoded_with_a_cache_is_one_pass(variant: str, pieces: list[int]) -> None:
    model, read = build(variant), ids(2, sum(pieces))
    cached: Any = None
    parts = []
    for part in read.split(pieces, 1):
        with torch.no_grad():
            out = model(part, past_key_values=cached, use_cache=True)
        cached = out.past_key_values
        parts.append(out.logits)
    close(torch.cat(parts, 1), logits(model, read))


@every_variant
def test_every_parameter_has_the_gradient_of_the_definition(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, read = build(variant), ids(2, 12)

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        model(read, labels=read).loss.backward()
        return {
            name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
        }

    found = gradients()
    assert found.keys() == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    monkeypatch.setattr(type(layers(model)[0]), "attend_document", AttentionLayer.attend_document)
    for name, wanted in gradients().items():
        assert bool(wanted.abs().sum() > 0), name
        close(found[name], wanted, 1e-7)


@every_variant
def test_saved_and_loaded_by_transformers_it_is_the_same(variant: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    model = build(variant)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    assert AutoConfig.from_pretrained(tmp_path).attention == loaded.config.attention == variant
    close(logits(loaded, ids(1, 20)), logits(model, ids(1, 20)), 1e-12)
    made = AutoModelForCausalLM.from_config(loaded.config)
    assert type(made) is type(model)
    assert {name for name, _ in made.named_parameters()} == {name for name, _ in model.named_parameters()}


@every_variant
def test_it_begins_the_same_for_a_seed(variant: str) -> None:
    config = build(variant).config
    states = []
    for _ in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            states.append(MTAForCausalLM(config).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert all(bool(value.isfinite().all()) for value in states[0].values())


@every_variant
def test_it_says_what_it_is(variant: str) -> None:
    kind = registry.find("attention", variant)
    assert kind.kind == variant
    assert kind.title
    assert kind.source
    assert (kind.__doc__ or "").strip()
    assert kind.__doc__ != AttentionLayer.__doc__


def test_an_added_variants_picture_is_its_own() -> None:
    """Near tokens weigh more in ALiBi, the more the steeper its slopes: a map of plain softmax would not change."""
    read, model, nearness = ids(1, 40)[0].tolist(), build("alibi"), []
    for exponent in (-2.0, 8.0, 99.0):
        model.config.alibi_exponent = exponent
        (first, _) = attention_of_last(model, read, 8)
        near = torch.stack([first[:, row, 29 + row : 33 + row].sum(-1) for row in range(8)])  # the last four tokens
        nearness.append(float(near.mean()))
    model.config.alibi_exponent = 8.0
    assert nearness[0] > 0.8
    assert nearness[0] > nearness[1] > nearness[2]


def test_an_added_variants_options_are_saved_and_change_it(tmp_path: Path) -> None:
    config = build("alibi").config
    assert config.alibi_exponent == 8.0
    steeper = MTAConfig(**{**config.to_dict(), "alibi_exponent": 2.0})
    steeper.save_pretrained(tmp_path)
    assert MTAConfig.from_pretrained(tmp_path).alibi_exponent == 2.0

"""Steps with a static cache that wait for nothing on the device: the numbers of before, at the places of before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from test_query_cache_kinds import mask_of
from tiny_variants import ALIBI, build, ids
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache, StaticCache

from mta_eval.attention import static_steps
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.step import step_attention
from mta_eval.attention.tiles import full_matrix_attention
from mta_eval.attention.transformer import TransformerAttention

VARIANTS = ("mta", "transformer", "diff", "talking_heads")
ROOM, PROMPT, ALL = 24, 12, 17
WAITS = ("_local_scalar_dense", "equal", "nonzero", "is_nonzero", "unique", "masked_select")


class WaitedError(AssertionError):
    """The host asked for a number."""


class NoWaiting(TorchDispatchMode):
    """Raises WaitedError where the host needs a number that a device would hold."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in WAITS:
            raise WaitedError(func)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_steps, "stays_on_device", lambda _: True)


def prompt(model: MTAForCausalLM, tokens: torch.Tensor, mask: torch.Tensor | None) -> StaticCache:
    """A static cache after the prompt."""
    cache = StaticCache(config=model.config, max_cache_len=ROOM)
    mask = None if mask is None else mask[:, :PROMPT]
    model(tokens[:, :PROMPT], attention_mask=mask, past_key_values=cache)
    return cache


def steps(model: MTAForCausalLM, tokens: torch.Tensor, cache: Any, **options: Any) -> Iterator[torch.Tensor]:
    """Logits (B, 1, V) of one token after another."""
    for token in tokens[:, PROMPT:].split(1, 1):
        yield model(token, past_key_values=cache, **options).logits


@pytest.mark.usefixtures("on_a_card")
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_a_step_asks_for_no_number_and_is_that_of_one_pass(variant: str, padded: bool) -> None:
    model, tokens = build(variant), ids(2, ALL)
    mask = mask_of(tokens) if padded else None
    wanted = model(tokens, attention_mask=mask, use_cache=False).logits[:, PROMPT:]
    cache, options = prompt(model, tokens, mask), {"row_starts": torch.tensor([5, 0])} if padded else {}
    places = [(layer.keys.data_ptr(), getattr(layer, "queries", layer.keys).data_ptr()) for layer in cache.layers]
    with NoWaiting():
        found = torch.cat(list(steps(model, tokens, cache, **options)), 1)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    assert places == [
        (layer.keys.data_ptr(), getattr(layer, "queries", layer.keys).data_ptr()) for layer in cache.layers
    ]


@pytest.mark.usefixtures("on_a_card")
@torch.no_grad()
def test_after_a_reset_queries_lie_where_they_lay() -> None:
    model, tokens = build("mta"), ids(2, ALL)
    cache = prompt(model, ids(2, ALL, seed=5), None)
    place = cache.layers[0].queries.data_ptr()
    cache.reset()
    assert not cache.layers[0].queries.any()
    model(tokens[:, :PROMPT], past_key_values=cache)
    assert cache.layers[0].queries.data_ptr() == place
    wanted = model(tokens, use_cache=False).logits[:, PROMPT:]
    torch.testing.assert_close(torch.cat(list(steps(model, tokens, cache)), 1), wanted, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_elsewhere_row_starts_are_a_mask() -> None:
    model, tokens, starts = build("mta"), ids(2, ALL), torch.tensor([5, 0])
    wanted = model(tokens, attention_mask=mask_of(tokens), use_cache=False).logits
    found = model(tokens, row_starts=starts, use_cache=False).logits
    assert torch.equal(found, wanted)
    cache = prompt(model, tokens, mask_of(tokens))
    with pytest.raises(WaitedError), NoWaiting():
        next(steps(model, tokens, cache, row_starts=starts))
    found = torch.cat(list(steps(model, tokens, cache, row_starts=starts)), 1)
    torch.testing.assert_close(found, wanted[:, PROMPT:], rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("on_a_card")
@torch.no_grad()
def test_other_caches_masks_and_variants_are_read_on_the_host(plugin: Any) -> None:
    model, tokens = build("mta"), ids(2, ALL)
    cache = DynamicCache()
    model(tokens[:, :PROMPT], past_key_values=cache)
    assert static_steps.step_on_device(cache, 1, None, tokens.device) is None
    cache = prompt(model, tokens, None)
    assert static_steps.step_on_device(cache, 2, None, tokens.device) is None
    assert (
        static_steps.step_on_device(StaticCache(config=model.config, max_cache_len=4), 1, None, tokens.device) is None
    )
    mask = torch.ones(2, PROMPT + 1, dtype=torch.long)
    with pytest.raises(WaitedError), NoWaiting():
        model(tokens[:, PROMPT : PROMPT + 1], attention_mask=mask, past_key_values=cache)
    plugin(*ALIBI)
    alibi = build("alibi")
    cache = prompt(alibi, tokens, None)
    wanted = alibi(tokens, use_cache=False).logits[:, PROMPT:]
    found = torch.cat(list(steps(alibi, tokens, cache)), 1)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_variant_that_changes_the_attention_has_no_step_of_another() -> None:
    class Other(TransformerAttention):
        def attend_document(self, *parts: Any) -> torch.Tensor:
            return -super().attend_document(*parts)

    class Same(TransformerAttention):
        title = "another name"

    config = build("transformer").config
    assert [kind(config, 0).has_step for kind in (Same, Other)] == [True, False]


def test_softmax_taken_twice_and_half_precision_have_a_step() -> None:
    q, k, v = (torch.randn(2, 4, 9, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    kernels = Kernels(torch.randn(4, 3, 3), softmax_again=True)
    wanted = full_matrix_attention(q, k, v, kernels)[:, :, -1:]
    room = [torch.nn.functional.pad(one, (0, 0, 0, 3)) for one in (k, v)]
    found = step_attention(q, *room, kernels, None, torch.tensor(9))
    assert found is not None
    torch.testing.assert_close(found, wanted)
    half = step_attention(q.bfloat16(), *(one.bfloat16() for one in room), kernels, None, torch.tensor(9))
    assert half is not None
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), wanted, rtol=0.05, atol=0.05)


@pytest.mark.slow
@torch.no_grad()
def test_a_step_is_one_graph() -> None:
    from torch._dynamo.testing import CompileCounter

    model, tokens, counter = build("mta"), ids(2, ALL), CompileCounter()
    wanted = model(tokens, use_cache=False).logits[:, PROMPT:]
    cache = prompt(model, tokens, None)
    step = torch.compile(lambda token: model(token, past_key_values=cache).logits, backend=counter, fullgraph=True)
    found = torch.cat([step(token.contiguous()) for token in tokens[:, PROMPT:].split(1, 1)], 1)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    assert counter.frame_count == 1

"""The cache's layer that keeps queries, alone and within a DynamicCache."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, StaticCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer, StaticLayer

from mta_eval.attention.documents import read_mask
from mta_eval.attention.query_cache import QueryLayer, query_layer


def tokens(first: int, last: int, batch: int = 2) -> torch.Tensor:
    """Queries (B, H, T, D) that say which row, head and token they are."""
    row, head = torch.arange(batch)[:, None, None] * 1000, torch.arange(2)[:, None] * 100
    return (row + head + torch.arange(first, last) + 1)[..., None].double().expand(-1, -1, -1, 3)


def add(layer: QueryLayer, first: int, last: int, halo: int = 3, mask: torch.Tensor | None = None) -> None:
    """The tokens [first, last), of which keys are the numbers of the queries and values their negatives."""
    new, kept = tokens(first, last), read_mask(mask, last - first, last, halo).kept
    keys, values = layer.update(new, -new, queries=new, halo=halo, kept=kept)
    assert torch.equal(keys, tokens(0, last))
    assert torch.equal(values, -tokens(0, last))


def kept_tokens(layer: QueryLayer) -> list[list[float]]:
    """Which tokens are kept, from 1, per row; each head and number in a vector must agree."""
    assert layer.queries is not None
    zero = layer.queries == 0
    plain = layer.queries % 100
    assert torch.equal(plain, plain[:, :1, :, :1].expand_as(plain))
    assert torch.equal((layer.queries // 100 % 10)[:, 1], (~zero[:, 1]).double())
    found: list[list[float]] = plain[:, 0, :, 0].tolist()
    return found


@pytest.fixture
def filled() -> QueryLayer:
    layer = QueryLayer()
    add(layer, 0, 7)
    return layer


def test_the_last_queries_are_kept_right_aligned() -> None:
    layer = QueryLayer()
    assert layer.queries is None
    for first, last, wanted in ((0, 1, [0, 0, 1]), (1, 2, [0, 1, 2]), (2, 7, [5, 6, 7]), (7, 8, [6, 7, 8])):
        add(layer, first, last)
        assert kept_tokens(layer) == [wanted] * 2
    assert layer.get_seq_length() == 8


def test_what_is_kept_is_no_view_of_all_queries() -> None:
    layer, new = QueryLayer(), tokens(0, 500).contiguous()
    layer.update(new, new, queries=new, halo=3, kept=None)
    assert layer.queries is not None
    assert layer.queries.untyped_storage().nbytes() == 2 * 2 * 3 * 3 * 8


def test_padding_is_not_kept() -> None:
    layer, mask = QueryLayer(), torch.tensor([[1, 1, 1, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 0, 0, 1, 1, 1]])
    for first, last, wanted in (
        (0, 3, [[1, 2, 3], [0, 0, 0]]),
        (3, 7, [[3, 4, 5], [0, 4, 7]]),
        (7, 8, [[4, 5, 8], [4, 7, 8]]),
        (8, 9, [[5, 8, 9], [7, 8, 9]]),
    ):
        add(layer, first, last, mask=mask[:, :last])
        assert kept_tokens(layer) == wanted


def test_beams_are_reordered(filled: QueryLayer) -> None:
    filled.reorder_cache(torch.tensor([1, 1, 0]))
    wanted = tokens(0, 7)[[1, 1, 0]]
    assert torch.equal(filled.keys, wanted)
    assert filled.queries is not None
    assert torch.equal(filled.queries, wanted[:, :, 4:])


def test_rows_are_selected_and_repeated(filled: QueryLayer) -> None:
    filled.batch_repeat_interleave(2)
    wanted = tokens(0, 7)[[0, 0, 1, 1]]
    assert torch.equal(filled.values, -wanted)
    assert filled.queries is not None
    assert torch.equal(filled.queries, wanted[:, :, 4:])
    filled.batch_select_indices(torch.tensor([3]))
    assert torch.equal(filled.keys, wanted[3:])
    assert torch.equal(filled.queries, wanted[3:, :, 4:])


def test_a_layer_without_tokens_may_be_reordered_and_repeated() -> None:
    layer = QueryLayer()
    layer.reorder_cache(torch.tensor([0]))
    layer.batch_repeat_interleave(2)
    assert layer.queries is None
    assert layer.get_seq_length() == 0


def test_after_a_reset_it_starts_afresh(filled: QueryLayer) -> None:
    filled.reset()
    assert filled.queries is None
    assert filled.get_seq_length() == 0
    assert filled.recent == 0
    add(filled, 0, 2)
    assert kept_tokens(filled) == [[0, 1, 2]] * 2


def test_it_is_cropped_to_the_queries_that_were_last_then() -> None:
    layer = QueryLayer()
    for first, last in ((0, 50), (50, 63), (63, 64), (64, 65), (65, 200)):
        add(layer, first, last)
    for left in (192, 128, 64):
        layer.crop(left - layer.get_seq_length())
        assert layer.get_seq_length() == left
        assert torch.equal(layer.keys, tokens(0, left))
        assert layer.queries is not None
        assert torch.equal(layer.queries, tokens(left - 3, left))
    add(layer, 64, 140)
    layer.crop(-12)
    assert layer.queries is not None
    assert torch.equal(layer.queries, tokens(125, 128))


def test_elsewhere_it_cannot_be_cropped() -> None:
    assert not QueryLayer.is_croppable
    layer = QueryLayer()
    add(layer, 0, 70)
    layer.crop(0)
    for count in (-1, -70, -5, -100, 64, 3):
        with pytest.raises(ValueError, match="the queries before the cut are gone"):
            layer.crop(count)
    assert layer.get_seq_length() == 70
    layer.crop(-6)
    with pytest.raises(ValueError, match="the queries before the cut are gone"):
        layer.crop(-64)


def test_any_of_the_last_few_tokens_can_be_removed() -> None:
    layer = QueryLayer()
    add(layer, 0, 70)
    for first, last, left in ((70, 79, 76), (76, 140, 77), (77, 78, 77), (77, 79, 78)):
        add(layer, first, last)
        layer.crop(left - last)
        assert layer.get_seq_length() == left
        assert layer.queries is not None
        assert torch.equal(layer.queries, tokens(left - 3, left))
    layer.crop(-1)
    with pytest.raises(ValueError, match="the queries before the cut are gone"):
        layer.crop(-1)
    layer.crop(64 - 77)
    assert layer.queries is not None
    assert torch.equal(layer.queries, tokens(61, 64))


def test_it_is_not_cropped_behind_padding() -> None:
    layer = QueryLayer()
    mask = torch.ones(2, 130, dtype=torch.long)
    mask[1, 70] = 0
    add(layer, 0, 70, mask=mask[:, :70])
    add(layer, 70, 130, mask=mask)
    with pytest.raises(ValueError, match="the queries before the cut are gone"):
        layer.crop(-2)
    layer.crop(-66)
    assert layer.queries is not None
    assert torch.equal(layer.queries, tokens(61, 64))


def test_rows_that_were_selected_and_repeated_are_cropped_too() -> None:
    layer = QueryLayer()
    add(layer, 0, 70)
    add(layer, 70, 75)
    layer.batch_repeat_interleave(2)
    layer.batch_select_indices(torch.tensor([3, 0]))
    layer.crop(-2)
    assert layer.queries is not None
    assert torch.equal(layer.queries, tokens(70, 73).flip(0))
    layer.crop(64 - 73)
    assert layer.queries is not None
    assert torch.equal(layer.queries, tokens(61, 64).flip(0))


@pytest.mark.parametrize("cache", [DynamicCache(), DynamicCache(config=LlamaConfig(num_hidden_layers=4))])
def test_an_empty_layer_of_a_dynamic_cache_is_replaced_once(cache: DynamicCache) -> None:
    found = query_layer(cache, 2)
    assert type(found) is QueryLayer
    assert cache.layers[2] is found
    assert query_layer(cache, 2) is found
    assert type(cache.layers[0]) is type(cache.layers[1]) is DynamicLayer
    new = tokens(0, 4)
    keys, _ = cache.update(new, -new, 2, queries=new, halo=3, kept=None)
    assert torch.equal(keys, new)
    assert kept_tokens(found) == [[2, 3, 4]] * 2
    assert query_layer(cache, 2) is found


def test_a_layer_with_tokens_is_refused() -> None:
    cache = DynamicCache()
    cache.update(tokens(0, 4), tokens(0, 4), 0)
    with pytest.raises(ValueError, match="layer 0 needs a cache that it fills itself"):
        query_layer(cache, 0)
    assert query_layer(cache, 1).get_seq_length() == 0


def test_a_static_layer_is_replaced_by_one_with_its_room() -> None:
    cache = StaticCache(config=LlamaConfig(num_hidden_layers=2), max_cache_len=8)
    before = cache.layers[1]
    found = query_layer(cache, 1)
    assert isinstance(found, StaticLayer)
    assert (cache.layers[1], query_layer(cache, 1)) == (found, found)
    assert found.max_cache_len == before.max_cache_len
    assert type(cache.layers[0]) is StaticLayer
    assert type(found) is type(query_layer(cache, 0))
    new = tokens(0, 4)
    keys, values = cache.update(new, -new, 1, queries=new, halo=3, kept=None)
    assert torch.equal(keys[:, :, :4], new)
    assert torch.equal(values[:, :, :4], -new)
    assert found.queries is not None
    assert torch.equal(found.queries, new[:, :, 1:])


def test_a_static_layer_with_tokens_is_refused() -> None:
    static = StaticCache(config=LlamaConfig(num_hidden_layers=2), max_cache_len=8)
    static.update(tokens(0, 4), tokens(0, 4), 0)
    with pytest.raises(ValueError, match="layer 0 needs a cache that it fills itself"):
        query_layer(static, 0)


def test_a_sliding_layer_is_refused() -> None:
    sliding = DynamicCache()
    sliding.layers.append(DynamicSlidingWindowLayer(sliding_window=4))
    with pytest.raises(ValueError, match="not a DynamicSlidingWindowLayer"):
        query_layer(sliding, 0)

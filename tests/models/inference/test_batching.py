"""Which prompts are read batching, and that it is what each says alone."""

from __future__ import annotations

import pytest
import torch
from tiny_models import build, prompt

from mta_eval.models.inference import batching
from mta_eval.models.inference.batching import (
    is_faster_padded,
    logits_of_suffixes,
    new_shared_rows,
    rows_that_fit,
    suffixes_fit,
)
from mta_eval.models.inference.prefill import Prefill


def test_rows_take_no_more_memory_than_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    one = build("llama")
    with torch.inference_mode():
        cache = one(torch.tensor([prompt(1, 5)]), use_cache=True).past_key_values
    numbers = 2 * 2 * 2 * 8  # layers, keys and values, heads, size
    prompts = [prompt(1, 50) + prompt(number, 10) for number in (2, 3, 4)]
    monkeypatch.setattr(batching, "WEIGHTS_SHARE", 0)
    for tokens, count in ((64, 0), (65, 1), (79, 1), (80, 2), (95, 3), (1000, 3)):
        monkeypatch.setattr(batching, "ROWS_MEMORY", 8 * numbers * tokens)  # float64
        assert rows_that_fit(one, cache, prompts, [5, 5, 5]) == count
    for tokens, count in ((64, 0), (65, 1), (129, 1), (130, 2), (195, 3)):
        monkeypatch.setattr(batching, "ROWS_MEMORY", 8 * numbers * tokens)  # float64
        assert rows_that_fit(one, cache, prompts, [5, 5, 5], separate=True) == count


@pytest.mark.parametrize("separate", [True, False])
def test_the_longest_prompt_and_the_longest_answer_are_counted(separate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one = build("llama")
    with torch.inference_mode():
        cache = one(torch.tensor([prompt(1, 5)]), use_cache=True).past_key_values
    prompts = [[1, *prompt(1, 90)], [2, *prompt(2, 9)]]
    monkeypatch.setattr(batching, "WEIGHTS_SHARE", 0)
    for tokens, count in ((2 * (91 + 80), 2), (2 * (91 + 80) - 1, 1)):
        monkeypatch.setattr(batching, "ROWS_MEMORY", 8 * 2 * 2 * 2 * 8 * tokens)
        assert rows_that_fit(one, cache, prompts, [1, 80], separate) == count
    assert new_shared_rows(one, prompts, 80)._room == 91 + 80


def test_short_prompts_with_little_in_common_are_better_padded() -> None:
    unlike = [[number, *prompt(number, 100)] for number in range(6)]
    assert is_faster_padded(unlike)
    assert not is_faster_padded([prompt(1, 100) + prompt(number, 9) for number in range(6)])
    assert not is_faster_padded([[*unlike[0], *prompt(1, 500)], *unlike[1:]])


def test_what_follows_on_shared_tokens_is_read_at_once_where_it_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    one = build("llama")
    prompts = [[*prompt(1, 100), number, *prompt(number, 9)] for number in range(4)]
    rows = new_shared_rows(one, prompts, 5)
    assert rows.shared == 100
    assert suffixes_fit(one, prompts, rows)
    for name, value, fits in (("MAX_SUFFIX_TOKENS", 40, True), ("MAX_SUFFIX_TOKENS", 39, False)):
        monkeypatch.setattr(batching, name, value)
        assert suffixes_fit(one, prompts, rows) == fits
    monkeypatch.setattr(batching, "MAX_SUFFIX_TOKENS", 256)
    for scores, fits in ((4 * 4 * 110 * 40, True), (4 * 4 * 110 * 40 - 1, False)):  # bytes, heads, keys, tokens
        monkeypatch.setattr(batching, "SCORES_MEMORY", scores)
        assert suffixes_fit(one, prompts, rows) == fits
    assert not suffixes_fit(one, [[0], [1]], new_shared_rows(one, [[0], [1]], 5))


@torch.inference_mode()
def test_ends_of_prompts_that_share_the_rest_are_what_each_says() -> None:
    one, reader = build("llama"), Prefill(build("llama"))
    prompts = [prompt(1, 100) + prompt(number, length) for number, length in ((2, 3), (3, 9), (4, 1))]
    wanted = [2, 10, 5]
    found = logits_of_suffixes(one, reader, prompts, wanted)
    assert reader.prefilled_tokens < 100 + 3 * 20
    for logits, ids, count in zip(found, prompts, wanted, strict=True):
        torch.testing.assert_close(logits, one(torch.tensor([ids])).logits[0, -count:], atol=1e-9, rtol=0)


@torch.inference_mode()
def test_prompts_that_share_little_or_a_model_without_rows_are_left_to_be_read_alone() -> None:
    unlike = [[number, *prompt(number, 100)] for number in range(3)]
    assert logits_of_suffixes(build("llama"), Prefill(build("llama")), unlike, [2, 2, 2]) == []
    alike = [[*prompt(1, 100), number] for number in range(3)]
    assert logits_of_suffixes(build("mta"), Prefill(build("mta")), alike, [2, 2, 2]) == []
    assert logits_of_suffixes(build("llama"), Prefill(build("llama")), alike[:1], [2]) == []

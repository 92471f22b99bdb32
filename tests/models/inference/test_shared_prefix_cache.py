"""SharedPrefixRows over what their prompts share: what they say is what one pass over a row alone says."""

from __future__ import annotations

import pytest
import torch
from tiny_models import build, prompt

from mta_eval.models.inference.replaced_attention import attend_by_definition
from mta_eval.models.inference.shared_prefix_cache import SharedPrefixRows

KINDS = pytest.mark.parametrize("kind", ["llama", "gpt2", "yarn"])
LENGTHS = ((2, 30), (3, 7), (4, 19))  # what each row has of its own: a seed, tokens


def filled(kind: str, prompts: list[list[int]], shared: int, room: int) -> SharedPrefixRows:
    one = build(kind)
    made = SharedPrefixRows(one, shared, len(prompts), max(map(len, prompts)) - shared + room)
    for row, ids in enumerate(prompts):
        made.fill(row, one(torch.tensor([ids]), use_cache=True).past_key_values, len(ids))
    return made


@KINDS
@pytest.mark.parametrize("shared", [0, 1, 90])
@torch.inference_mode()
def test_logits_in_rows_are_those_of_one_pass(kind: str, shared: int) -> None:
    prompts = [prompt(1, shared) + prompt(number, length) for number, length in LENGTHS]
    following = [prompt(number, 5) for number in (5, 6, 7)]
    made, left = filled(kind, prompts, shared, 5), [0, 1, 2]
    for at in range(5):
        found = made.step([[following[row][at]] for row in left])
        made.advance([1] * len(left))
        for row, logits in zip(left, found, strict=True):
            wanted = build(kind)(torch.tensor([prompts[row] + following[row][: at + 1]])).logits[0, -1]
            torch.testing.assert_close(logits[0], wanted, atol=1e-9, rtol=0)
        if at == 2:
            left = [2, 0]
            made.select(left)
    assert build(kind).config._attn_implementation == "sdpa"


@KINDS
@pytest.mark.parametrize("shared", [0, 90])
@pytest.mark.parametrize("plainly", [True, False])
@torch.inference_mode()
def test_of_several_tokens_a_row_keeps_the_first_ones(
    kind: str, shared: int, plainly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plainly:  # as on a GPU
        monkeypatch.setattr("mta_eval.models.inference.shared_prefix_cache.attend_part", attend_by_definition)
    prompts = [prompt(1, shared) + prompt(number, length) for number, length in LENGTHS]
    made, lengths = filled(kind, prompts, shared, 40), (7, 1, 4)
    said: list[list[int]] = [[], [], []]
    for at in range(5):
        tokens = [prompt(10 * at + row, length) for row, length in enumerate(lengths)]
        found = made.step(tokens)
        for row, ids in enumerate(prompts):
            wanted = build(kind)(torch.tensor([ids + said[row] + tokens[row]])).logits[0, -lengths[row] :]
            torch.testing.assert_close(found[row, : lengths[row]], wanted, atol=1e-9, rtol=0)
        kept = [1 + (at + row) % length for row, length in enumerate(lengths)]
        said = [before + new[:count] for before, new, count in zip(said, tokens, kept, strict=True)]
        made.advance(kept)


@KINDS
@torch.inference_mode()
def test_what_follows_on_the_shared_tokens_is_read_in_one_step(kind: str) -> None:
    shared, tails = prompt(1, 90), [prompt(number, length) for number, length in LENGTHS]
    one = build(kind)
    made = SharedPrefixRows(one, 90, 3, 40)
    made.share(one(torch.tensor([shared]), use_cache=True).past_key_values)
    found = made.step(tails, last_only=True)
    assert found.shape == (3, 1, 40)
    for logits, tail in zip(found, tails, strict=True):
        torch.testing.assert_close(logits[0], one(torch.tensor([shared + tail])).logits[0, -1], atol=1e-9, rtol=0)


@torch.inference_mode()
def test_no_place_beyond_the_last_token_is_asked_for() -> None:
    """gpt2 has a vector for each of 400 places, and none for a place beyond."""
    made = filled("gpt2", [prompt(1, 398), prompt(2, 90)], 0, 10)
    assert made.step([[1, 2], prompt(3, 9)]).shape[:2] == (2, 9)


@torch.inference_mode()
def test_rows_do_not_keep_the_rest_of_a_prompt_in_memory() -> None:
    one = build("llama")
    cache = one(torch.tensor([prompt(1, 90)]), use_cache=True).past_key_values
    for shared, rows in ((5, SharedPrefixRows(one, 5, 2, 99)), (90, SharedPrefixRows(one, 90, 2, 9))):
        rows.share(cache)
        for layer in rows._layers:
            for part in layer.shared:
                assert part.untyped_storage().nbytes() == part.numel() * 8 == 2 * shared * 8 * 8

"""Rows with a cache each: what is decoded together is what one pass says, and no row touches another's cache."""

from __future__ import annotations

import pytest
import torch
from tiny_models import build, prompt

from mta_eval.models.inference.separate_rows import SeparateRows

KINDS = ("mta", "mta in one layer", "diff", "talking heads", "longheads")


@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_separate_rows_are_those_of_one_row(kind: str) -> None:
    prompts = [prompt(number, length) for number, length in ((2, 90), (3, 37), (4, 64))]
    following = [prompt(number, 40) for number in (5, 6, 7)]
    one = build(kind)
    with torch.inference_mode():
        made, alone = SeparateRows(one, 3), []
        for row, ids in enumerate(prompts):
            cache = one(torch.tensor([ids]), use_cache=True).past_key_values
            made.fill(row, cache, len(ids))
            alone.append(cache)  # goes on too, and must not be seen by the rows
        left = [0, 1, 2]
        for at in range(40):
            found = made.step([[following[row][at]] for row in left])[:, 0]
            made.advance([1] * len(left))
            for row, logits in zip(left, found, strict=True):
                step = one(torch.tensor([[following[row][at]]]), past_key_values=alone[row], use_cache=True)
                torch.testing.assert_close(logits, step.logits[0, -1], atol=1e-9, rtol=0)
            if at == 20:
                left = [2, 0]
                made.select(left)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_not_changed_by_what_becomes_of_the_cache_it_was_copied_from(kind: str) -> None:
    one, ids, others = build(kind), prompt(1, 130), prompt(2, 50)
    with torch.inference_mode():
        cache = one(torch.tensor([ids]), use_cache=True).past_key_values
        made = SeparateRows(one, 1)
        made.fill(0, cache, len(ids))
        cache.crop(64 - 130)
        one(torch.tensor([others]), past_key_values=cache, use_cache=True)
        wanted = one(torch.tensor([[*ids, 9]])).logits[0, -1]
        torch.testing.assert_close(made.step([[9]])[0, 0], wanted, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_is_not_changed_by_what_becomes_of_a_row_copied_from_it(kind: str) -> None:
    one, ids, others, more = build(kind), prompt(1, 120), prompt(2, 20), prompt(3, 30)
    with torch.inference_mode():
        cache = one(torch.tensor([ids]), use_cache=True).past_key_values
        made = SeparateRows(one, 1)
        made.fill(0, cache, len(ids))
        one(torch.tensor([others]), past_key_values=cache, use_cache=True)
        for token in prompt(4, 20):
            made.step([[token]])
        cache.crop(128 - 140)  # between the two, where queries are kept
        found = one(torch.tensor([more]), past_key_values=cache, use_cache=True).logits[0, -1]
        wanted = one(torch.tensor([[*ids, *others[:8], *more]])).logits[0, -1]
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "longheads"])
def test_of_several_tokens_a_row_keeps_the_first_ones(kind: str) -> None:
    prompts = [prompt(number, length) for number, length in ((2, 61), (3, 37), (4, 5))]
    one, lengths = build(kind), (7, 1, 12)
    said: list[list[int]] = [[], [], []]
    with torch.inference_mode():
        made = SeparateRows(one, 3)
        for row, ids in enumerate(prompts):
            made.fill(row, one(torch.tensor([ids]), use_cache=True).past_key_values, len(ids))
        for at in range(8):
            tokens = [prompt(10 * at + row, length) for row, length in enumerate(lengths)]
            found = made.step(tokens)
            for row, ids in enumerate(prompts):
                wanted = one(torch.tensor([ids + said[row] + tokens[row]])).logits[0, -lengths[row] :]
                torch.testing.assert_close(found[row, : lengths[row]], wanted, atol=1e-9, rtol=0)
            kept = [1 + (at + row) % length for row, length in enumerate(lengths)]
            said = [before + new[:count] for before, new, count in zip(said, tokens, kept, strict=True)]
            made.advance(kept)


def test_a_row_is_filled_from_a_cache_of_its_length() -> None:
    one = build("mta")
    with torch.inference_mode():
        cache = one(torch.tensor([prompt(1, 20)]), use_cache=True).past_key_values
    with pytest.raises(ValueError, match="a row of 19 tokens is filled from a cache of 20"):
        SeparateRows(one, 2).fill(0, cache, 19)

"""Rows with a cache each: what is decoded together is what one pass says, and no row touches another's cache."""

from __future__ import annotations

import pytest
import torch
from tiny_models import build, prompt

from mta_eval.models.row_caches import SeparateRows

KINDS = ("mta", "mta in one layer", "diff", "talking heads", "longheads")


@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_separate_rows_are_those_of_one_row(kind: str) -> None:
    prompts = [prompt(number, length) for number, length in ((2, 90), (3, 37), (4, 64))]
    following = [prompt(number, 40) for number in (5, 6, 7)]
    one = build(kind)
    with torch.inference_mode():
        made, alone = SeparateRows(one), []
        for ids in prompts:
            cache = one(torch.tensor([ids]), use_cache=True).past_key_values
            made.add(cache)
            alone.append(cache)  # goes on too, and must not be seen by the rows
        left = [0, 1, 2]
        for at in range(40):
            found = made.step([following[row][at] for row in left])
            for row, logits in zip(left, found, strict=True):
                step = one(torch.tensor([[following[row][at]]]), past_key_values=alone[row], use_cache=True)
                torch.testing.assert_close(logits, step.logits[0, -1], atol=1e-9, rtol=0)
            if at == 20:
                left = [2, 0]
                made.keep(left)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_not_changed_by_what_becomes_of_the_cache_it_was_copied_from(kind: str) -> None:
    one, ids, others = build(kind), prompt(1, 130), prompt(2, 50)
    with torch.inference_mode():
        cache = one(torch.tensor([ids]), use_cache=True).past_key_values
        made = SeparateRows(one)
        made.add(cache)
        cache.crop(64 - 130)
        one(torch.tensor([others]), past_key_values=cache, use_cache=True)
        wanted = one(torch.tensor([[*ids, 9]])).logits[0, -1]
        torch.testing.assert_close(made.step([9])[0], wanted, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_is_not_changed_by_what_becomes_of_a_row_copied_from_it(kind: str) -> None:
    one, ids, others, more = build(kind), prompt(1, 120), prompt(2, 20), prompt(3, 30)
    with torch.inference_mode():
        cache = one(torch.tensor([ids]), use_cache=True).past_key_values
        made = SeparateRows(one)
        made.add(cache)
        one(torch.tensor([others]), past_key_values=cache, use_cache=True)
        for token in prompt(4, 20):
            made.step([token])
        cache.crop(128 - 140)  # between the two, where queries are kept
        found = one(torch.tensor([more]), past_key_values=cache, use_cache=True).logits[0, -1]
        wanted = one(torch.tensor([[*ids, *others[:8], *more]])).logits[0, -1]
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)

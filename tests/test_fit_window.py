"""Prompts that are cut to a model's window: special tokens count, and needles are where the record says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mta_eval import runner
from mta_eval.core import Cell
from mta_eval.errors import LengthError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.tasks.niah import Niah


@pytest.fixture(params=["byte_bpe", "unigram"], ids=["with BOS", "with EOS"])
def special(request: pytest.FixtureRequest) -> FastTokenizer:
    found: FastTokenizer = request.getfixturevalue(request.param)
    assert sum(found.specials) == 1
    return found


def window(tokenizer: FastTokenizer, length: int) -> Any:
    return SimpleNamespace(max_length=length, tokenizer=tokenizer)


def test_a_cut_prompt_fits_the_window_with_its_special_tokens(special: FastTokenizer) -> None:
    sample = Niah(needles=4).sample(Cell(600, 0.9, 0), 0, special)
    cut, was_cut = runner.fit_window(sample, window(special, 300), "mark")
    count = len(special._backend.encode(cut.prompt).ids)
    assert was_cut
    assert cut.prompt_tokens == count
    assert 296 <= count + cut.max_new_tokens <= 300
    assert sample.prompt.endswith(cut.prompt)


def test_the_needles_of_a_cut_prompt_are_where_it_has_them(special: FastTokenizer) -> None:
    sample = Niah(needles=8).sample(Cell(900, 0.9, 0), 0, special)
    cut, _ = runner.fit_window(sample, window(special, 400), "mark")
    assert 0 < len(cut.needles) < len(sample.needles)
    offsets = special._backend.encode(cut.prompt).offsets
    for needle in cut.needles:
        begin = cut.prompt.index(needle.text)
        end = begin + len(needle.text)
        touching = [
            place for place, (first, last) in enumerate(offsets) if first < end and last > begin and first < last
        ]
        assert (needle.token_start, needle.token_end) == (touching[0], touching[-1] + 1)


def test_a_window_that_the_answer_fills_is_refused(special: FastTokenizer) -> None:
    sample = Niah().sample(Cell(600, 0.9, 0), 0, special)
    with pytest.raises(LengthError, match="its answer alone fills the window"):
        runner.fit_window(sample, window(special, sample.max_new_tokens + 1), "mark")

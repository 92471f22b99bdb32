"""Prompts that are cut to a model's window: special tokens count, and needles are where the record says."""

from __future__ import annotations

from dataclasses import replace
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


def test_a_prompt_that_just_fits_is_left_as_it_is(special: FastTokenizer) -> None:
    sample = Niah().sample(Cell(600, 0.9, 0), 0, special)
    for over_length in ("mark", "refuse"):
        length = sample.prompt_tokens + sample.max_new_tokens
        assert runner.fit_window(sample, window(special, length), over_length) == (sample, False)  # type: ignore[arg-type]


def test_a_prompt_that_must_not_be_cut_is_refused(special: FastTokenizer) -> None:
    sample = Niah().sample(Cell(600, 0.9, 0), 0, special)
    with pytest.raises(LengthError, match="do not fit the window of 500; --over-length mark cuts"):
        runner.fit_window(sample, window(special, 500), "refuse")


def test_one_token_of_a_prompt_may_be_left(byte_bpe: FastTokenizer) -> None:
    sample = Niah().sample(Cell(600, 0.9, 0), 0, byte_bpe)
    cut, _ = runner.fit_window(sample, window(byte_bpe, sample.max_new_tokens + 2), "mark")
    assert cut.prompt_tokens == 2  # BOS is the other


def test_a_window_in_which_a_word_and_the_token_before_it_do_not_fit_is_refused(unigram: FastTokenizer) -> None:
    """T5's build begins every text with a token of no characters."""
    sample = Niah().sample(Cell(600, 0.9, 0), 0, unigram)
    with pytest.raises(LengthError, match="its answer alone fills the window"):
        runner.fit_window(sample, window(unigram, sample.max_new_tokens + 2), "mark")


def test_a_chat_that_is_cut_has_no_special_tokens_added(special: FastTokenizer) -> None:
    sample = Niah(needles=4).sample(Cell(600, 0.9, 0), 0, special)
    messages = ({"role": "user", "content": sample.prompt},)
    chat = replace(sample, chat=messages, prompt_tokens=sample.prompt_tokens - 1)
    cut, _ = runner.fit_window(chat, window(special, 300), "mark")
    assert cut.prompt_tokens == len(special.encode(cut.prompt).ids)
    assert 296 <= cut.prompt_tokens + cut.max_new_tokens <= 300


def test_a_prompt_is_cut_in_few_steps(special: FastTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Niah().sample(Cell(900, 0.9, 0), 0, special)
    encode, encoded = type(special).encode, []
    monkeypatch.setattr(type(special), "encode", lambda self, text: encoded.append(text) or encode(self, text))
    runner.fit_window(sample, window(special, 300), "mark")
    assert len(encoded) < 10

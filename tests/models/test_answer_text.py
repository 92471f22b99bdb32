"""Thoughts, budgets and stop strings of texts that another program decoded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from thinking_folders import OPENS, SWITCH, THINKS, chat_sample, folder_with

from mta_eval.core import PromptSettings, Sample
from mta_eval.models.answer_text import GivenText, answer_of, early_stops, without_special_tokens
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> FastTokenizer:
    return load_tokenizer(str(folder_with(SWITCH, tokenizer_folder, tmp_path_factory.mktemp("f") / "switch")))


@pytest.fixture(scope="module")
def sample(tokenizer: FastTokenizer) -> Sample:
    return replace(chat_sample(tokenizer, THINKS), max_new_tokens=6, stop=(".",))


def read(given: GivenText, sample: Sample, tokenizer: FastTokenizer) -> tuple[str, str, str]:
    answer = answer_of(given, sample, tokenizer)
    return answer.text, answer.thought, answer.finish


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GivenText(" 4711", "stop"), (" 4711", "", "stop")),
        (GivenText("", "stop"), ("", "", "stop")),
        (GivenText("", "stop", "Hm."), ("", "Hm.", "length")),  # whatever ended it
        (GivenText("\n", "stop", " Hm. "), ("\n", "Hm.", "stop")),  # it did end
        (GivenText(" 4711", "length", "Hm."), (" 4711", "Hm.", "length")),
        (GivenText("<think>I see.</think> 4711", "stop", "Hm."), (" 4711", "Hm.\nI see.", "stop")),
        (GivenText("<think>I see.", "stop"), ("", "I see.", "length")),
        (GivenText(" 4. 7", "length"), (" 4", "", "stop")),
        (GivenText(" 4</s>. 7", "stop", special_tokens=True), (" 4", "", "stop")),
        (GivenText(" 4</s>7", "stop", special_tokens=True), (" 47", "", "stop")),
        (GivenText(" 4</s>7", "stop"), (" 4</s>7", "", "stop")),
    ],
)
def test_a_text_becomes_an_answer(
    given: GivenText, expected: tuple[str, str, str], sample: Sample, tokenizer: FastTokenizer
) -> None:
    assert read(given, sample, tokenizer) == expected


def test_the_answer_ends_at_its_budget_as_counted_here(sample: Sample, tokenizer: FastTokenizer) -> None:
    text = " 4711" * 9
    spans = tokenizer.encode(text).spans
    assert len(spans) > 6
    cut = (text[: spans[5][1]], "", "length")
    assert read(GivenText(text, "stop"), sample, tokenizer) == cut
    assert read(GivenText(text, "stop", output_tokens=7), sample, tokenizer) == cut
    # the backend knows how many tokens it made, which may be others than these
    assert read(GivenText(text, "stop", output_tokens=6), sample, tokenizer) == (text, "", "stop")
    exact = replace(sample, max_new_tokens=len(spans))
    assert read(GivenText(text, "stop"), exact, tokenizer) == (text, "", "length")  # its end came too late
    assert read(GivenText(text, "stop"), replace(exact, max_new_tokens=len(spans) + 1), tokenizer) == (text, "", "stop")
    unthinking = replace(sample, settings=PromptSettings())
    assert read(GivenText(text, "stop"), unthinking, tokenizer) == (text, "", "stop")  # it had no more to begin with
    assert read(GivenText(text, "stop", output_tokens=99), unthinking, tokenizer) == cut


def test_a_stop_string_counts_within_the_budget_alone(sample: Sample, tokenizer: FastTokenizer) -> None:
    text = " 4711" * 9 + "."
    late = read(GivenText(text, "stop"), sample, tokenizer)
    assert late[2] == "length"
    whole = replace(sample, max_new_tokens=len(tokenizer.encode(text).ids))
    assert read(GivenText(text, "length"), whole, tokenizer) == (" 4711" * 9, "", "stop")


def test_a_character_that_the_budget_ends_in_is_left_out(sample: Sample, tokenizer: FastTokenizer) -> None:
    text = " 1東京"
    spans = tokenizer.encode(text).spans
    inside = next(place for place in range(1, len(spans)) if spans[place][0] < spans[place - 1][1])
    shown, _, finish = read(GivenText(text, "stop"), replace(sample, max_new_tokens=inside), tokenizer)
    assert (shown, finish) == (text[: spans[inside - 1][0]], "length")


def test_white_space_is_not_counted(sample: Sample, tokenizer: FastTokenizer) -> None:
    """Some tokenizers make no tokens of it."""
    blank: Any = type("Blank", (), {"encode": None, "thought_formats": tokenizer.thought_formats})()
    assert read(GivenText(" \n" * 9, "stop"), sample, blank) == (" \n" * 9, "", "stop")
    assert without_special_tokens(" \n", blank) == " \n"


def test_a_thought_that_the_backend_keeps_was_not_opened_in_the_text(tokenizer_folder: Path, tmp_path: Path) -> None:
    opens = load_tokenizer(str(folder_with(OPENS, tokenizer_folder, tmp_path / "opens")))
    sample = chat_sample(opens, THINKS)
    assert read(GivenText(" 4711", "stop"), sample, opens) == ("", "4711", "length")
    assert read(GivenText(" 4711", "stop", thought_elsewhere=True), sample, opens) == (" 4711", "", "stop")
    assert read(GivenText(" 4711", "stop", "Hm."), sample, opens) == (" 4711", "Hm.", "stop")
    plain = replace(sample, chat=None)  # no template wrote that prompt
    assert read(GivenText(" 4711", "stop"), plain, opens) == (" 4711", "", "stop")


def test_stop_strings_are_sent_where_no_thought_may_come(sample: Sample, tokenizer: FastTokenizer) -> None:
    plain = replace(sample, chat=None)
    assert early_stops(sample, tokenizer) == early_stops(plain, tokenizer) == []
    for settings in (PromptSettings(), PromptSettings(thinking="keep")):
        assert early_stops(replace(sample, settings=settings), tokenizer) == []  # its template has a switch
        assert early_stops(replace(plain, settings=settings), tokenizer) == ["."]
    assert early_stops(replace(sample, settings=PromptSettings(thinking="off")), tokenizer) == ["."]

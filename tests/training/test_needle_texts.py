"""Rows of prose with numbers in it: what stands where, what is asked, and what counts."""

import re
from functools import cache
from random import Random
from typing import Any

import pytest

from mta_eval.core import generator
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.tasks.prompts import pools
from mta_eval.training.needle_texts import NeedleTexts, made_up_name, needle_corpus
from mta_eval.training.word_pieces import learn_tokenizer

LENGTH, NEEDLES, QUESTIONS = 200, 4, 5


@cache
def tokenizer() -> Any:
    return learn_tokenizer(needle_corpus(generator(0, "test"), 2), 600)


def rows(**changes: Any) -> NeedleTexts:
    given = {"length": LENGTH, "needles": NEEDLES, "questions": QUESTIONS, "seed": 3, "text_weight": 0.02}
    return NeedleTexts(tokenizer(), **{**given, **changes})


ROWS = rows()


def text_of(tokens: list[int]) -> str:
    return FastTokenizer(tokenizer().backend_tokenizer, "test").decode_all(tokens)


def test_every_needle_is_told_once_and_asked_before_one_is_asked_again() -> None:
    counts = set()
    for index in range(12):
        tokens, _, _ = ROWS.row("training", index)
        assert len(tokens) == LENGTH
        prose, *questions = text_of(tokens).rsplit("\n\n", QUESTIONS)
        told = re.findall(r"The magic number of ([\w ]+) is (\d{7})\.", prose)
        asked = [re.fullmatch(r"The magic number of ([\w ]+) is (\d{7})\.", question) for question in questions]
        pairs = [match.groups() for match in asked if match]
        assert len(pairs) == len(questions) == QUESTIONS
        assert set(pairs) == set(told)
        assert len(set(pairs[: len(told)])) == len(told)
        counts.add(len(told))
    assert counts == {2, 3, 4}


def test_answers_are_the_numbers_and_count_most() -> None:
    tokens, weights, answers = ROWS.row("training", 1)
    for number in range(1, QUESTIONS + 1):
        says = text_of([token for token, answer in zip(tokens, answers, strict=True) if answer == number])
        assert re.fullmatch(r" \d{7}\.", says)
    assert [number for number in answers if number] == sorted(number for number in answers if number)
    first = answers.index(1)
    assert weights[0] == 0.0  # BOS
    assert {weight for weight, answer in zip(weights, answers, strict=True) if answer} == {1.0}
    assert set(weights[first:]) == {0.0, 1.0}
    assert set(weights[1:first]) == {0.02, 0.0}
    assert weights[1] == 0.02
    assert weights[first - 1] == 0.0  # the words of the question


def test_needles_stand_anywhere_in_the_prose() -> None:
    depths = [text_of(ROWS.row("training", index)[0]).index("The magic") for index in range(12)]
    assert max(depths) > 3 * min(depths)


def test_rows_hang_on_the_seed_and_those_that_are_held_out_on_their_prose_alone() -> None:
    other = rows(seed=4)
    assert ROWS.row("training", 0) == rows().row("training", 0) != other.row("training", 0)
    pattern = re.compile(r"The magic number of [\w ]+ is \d{7}\.")
    for stream in ("validation", "test"):
        one, two = (pattern.findall(text_of(each.row(stream, 0)[0])) for each in (ROWS, other))  # type: ignore[arg-type]
        assert sorted(one) == sorted(two)
    assert ROWS.row("validation", 0) != ROWS.row("test", 0) != ROWS.row("training", 0)


def test_a_batch_is_its_rows() -> None:
    batch = ROWS.batch("training", [4, 2])
    for place, index in enumerate((4, 2)):
        tokens, weights, answers = ROWS.row("training", index)
        assert (batch.tokens[place].tolist(), batch.answers[place].tolist()) == (tokens, answers)
        assert batch.weights[place].tolist() == pytest.approx(weights)
    assert batch.documents is None


def test_made_up_names_have_one_or_two_words_and_are_no_cities() -> None:
    random = Random(1)
    names = [made_up_name(random) for _ in range(400)]
    assert len(set(names)) > 380
    assert 0.2 < sum(" " in name for name in names) / 400 < 0.4
    assert all(re.fullmatch(r"[A-Z][a-z]+( [A-Z][a-z]+)?", name) for name in names)
    assert not set(names) & set(pools.CITIES)


def test_the_tokenizer_learns_from_prose_and_needles() -> None:
    texts = needle_corpus(Random(1), 3)
    assert len(texts) == 33
    assert all(re.fullmatch(r"The magic number of [\w ]+ is \d{7}\.", text) for text in texts[3:])
    assert needle_corpus(Random(1), 3) == texts


@pytest.mark.parametrize("changes", [{"length": 179}, {"needles": 1}, {"questions": 0}])
def test_rows_that_cannot_be_are_one_line(changes: dict[str, int]) -> None:
    with pytest.raises(SpecError, match=r"too short for \d needles \(2 at least\) and \d questions; \d+ would"):
        rows(**changes)


def test_what_would_do_does() -> None:
    assert len(rows(length=180).row("training", 0)[0]) == 180

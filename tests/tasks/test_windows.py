from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from mta_eval.core import Encoding, generator
from mta_eval.errors import LengthError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.models.window import Window
from mta_eval.tasks.prompts import prose
from mta_eval.tasks.windows import TextWindow, cut_windows

PROSE = "".join("".join(prose.write_prose(generator(3, "windows", index))) for index in range(2))
ODD = (
    "Zoë’s naïve café…\n\n\n\t  tabs,   spaces \u00a0and 12345678901234567890 digits; 中文没有空格的一句话。"
    "🙂🙃 👩‍👩‍👧‍👦 Pneumonoultramicroscopicsilicovolcanoconiosis x=1;y=2;\r\n#include <stdio.h>\n" * 6 + "   \n"
)
TEXTS = {"prose": PROSE, "odd": ODD, "one word": "a" * 700, "short": "Hello there."}


def check(text: str, tokenizer: FastTokenizer, length: int, stride: int) -> list[TextWindow]:
    """Every promise of `cut_windows`, by encoding each window as the model does."""
    windows = list(cut_windows(text, tokenizer, length, stride))
    bos = tokenizer.specials[0]
    most = max(stride, 8) if "🙂" in text else stride  # some characters are several tokens
    for window in windows:
        ids = tokenizer.prompt_ids(text[window.start : window.end], plain=True)
        assert len(ids) == window.tokens <= length
        assert 1 <= window.predicted <= window.tokens - 1
        spans = tokenizer.encode(text[window.start : window.end]).spans
        first = window.tokens - window.predicted - bos
        assert all(end <= window.border - window.start for _, end in spans[:first])
        assert all(start >= window.border - window.start for start, _ in spans[first:]) or first + bos == 1
        assert not stride or window is windows[0] or window.predicted <= most
    assert windows[-1].end == len(text)
    for before, after in pairwise(windows):
        assert before.end == after.border, "characters are predicted twice or never"
    if bos:
        assert windows[0].border == 0
    return windows


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(("length", "stride"), [(64, 0), (200, 0), (64, 16), (64, 63), (100, 1)])
def test_every_character_is_predicted_once_in_windows_that_fit(
    name: str, length: int, stride: int, tokenizer: FastTokenizer
) -> None:
    text = TEXTS[name] if stride != 1 else TEXTS[name][:400].strip()
    check(text, tokenizer, length, stride)


def test_windows_are_filled_but_for_the_last_word(local_tokenizer: FastTokenizer) -> None:
    windows = check(PROSE, local_tokenizer, 256, 0)
    assert all(window.tokens > 256 - 16 for window in windows[:-1])
    assert len(windows) > 5


def test_fixed_windows_of_a_model_with_bos_are_the_text_cut_apart(byte_bpe: FastTokenizer) -> None:
    windows = check(PROSE, byte_bpe, 128, 0)
    assert "".join(PROSE[window.start : window.end] for window in windows) == PROSE
    assert all(window.predicted == window.tokens - 1 for window in windows)


def test_without_bos_a_window_begins_with_the_last_token_of_the_one_before() -> None:
    text = "one two three four five six seven eight nine ten"
    windows = check(text, Window(1).tokenizer, 4, 0)
    read = [text[window.start : window.end].split() for window in windows]
    assert read == [
        ["one", "two", "three", "four"],
        ["four", "five", "six", "seven"],
        ["seven", "eight", "nine", "ten"],
    ]
    assert [window.predicted for window in windows] == [3, 3, 3]


def test_sliding_windows_predict_the_last_stride_tokens_alone() -> None:
    text = "one two three four five six seven eight nine ten"
    windows = check(text, Window(1).tokenizer, 5, 2)
    read = [(text[window.start : window.end].split(), window.predicted) for window in windows]
    assert read == [
        (["one", "two", "three", "four", "five"], 4),
        (["three", "four", "five", "six", "seven"], 2),
        (["five", "six", "seven", "eight", "nine"], 2),
        (["seven", "eight", "nine", "ten"], 1),
    ]


def test_the_longest_stride_is_no_overlap(local_tokenizer: FastTokenizer) -> None:
    assert check(PROSE, local_tokenizer, 100, 99) == check(PROSE, local_tokenizer, 100, 0)


@pytest.mark.parametrize("text", ["a b c d \n\n  ", "a b c d e \n\n  ", "a b c d e f  "])
def test_white_space_at_the_end_is_no_window_of_its_own(text: str) -> None:
    windows = check(text, Window(1).tokenizer, 4, 0)
    assert sum(window.predicted for window in windows) == len(text.split()) - 1


def test_a_text_of_one_token_without_bos_has_nothing_to_predict() -> None:
    assert list(cut_windows("word", Window(1).tokenizer, 8, 0)) == []


def test_a_character_of_more_tokens_than_a_window_is_one_line(byte_bpe: FastTokenizer) -> None:
    with pytest.raises(LengthError, match="windows of 4 tokens are too small for this text: '🙂"):
        list(cut_windows("🙂🙃🙂", byte_bpe, 4, 0))


def test_a_long_text_is_encoded_about_twice(byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    encode: Callable[[str], object] = byte_bpe.encode

    def count(text: str) -> object:
        nonlocal read
        read += len(text)
        return encode(text)

    monkeypatch.setattr(byte_bpe, "encode", count)
    text = PROSE * 20
    list(cut_windows(text, byte_bpe, 512, 0))
    assert read < 2.5 * len(text)


class Made(FastTokenizer):
    """A tokenizer by a rule: where the tokens of a text end."""

    def __init__(self, rule: Callable[[str], list[int]], bos: int) -> None:
        self._rule = rule
        self.specials = bos, 0  # type: ignore[misc]

    def encode(self, text: str) -> Encoding:
        ends = self._rule(text)
        return Encoding([1] * len(ends), list(pairwise([0, *ends])))

    def prompt_ids(self, prompt: str, plain: bool) -> list[int]:
        assert plain
        return [0] * self.specials[0] + self.encode(prompt).ids


def last_word_by_letters(text: str) -> list[int]:
    words = [match.end() for match in re.finditer(r"\s*\w+|\s+$", text)]
    head = words[-2] if len(words) > 1 else 0
    return [end for end in words if end <= head] + list(range(head + 1, len(text) + 1))


def threes_from_the_end(text: str) -> list[int]:
    return [end for end in range(1, len(text) + 1) if (len(text) - end) % 3 == 0]


@pytest.mark.parametrize("stride", [0, 16])
@pytest.mark.parametrize("bos", [0, 1])
def test_a_window_that_has_more_tokens_alone_is_made_shorter(bos: int, stride: int) -> None:
    text = "some words are long and others unreasonably elongated " * 8
    check(text.strip(), Made(last_word_by_letters, bos), 30, stride)


@pytest.mark.parametrize("stride", [0, 4])
def test_a_token_that_reaches_over_every_border_is_not_predicted_twice(stride: int) -> None:
    text = "abcdefghijklmnopqrstuvwxyz" * 4
    check(text, Made(threes_from_the_end, 1), 9, stride)
    told: list[int] = []
    for window in cut_windows(text, Made(threes_from_the_end, 0), 9, stride):
        told += range(window.border, window.end)
    assert len(set(told)) == len(told) > len(text) / 2


def test_windows_end_where_a_word_does(byte_bpe: FastTokenizer) -> None:
    text = "".join(unit for unit in prose.write_prose(generator(0, "words", 0)))
    windows = list(cut_windows(text, byte_bpe, 61, 0))
    assert len(windows) > 10
    assert all(text[window.end].isspace() and not text[window.end - 1].isspace() for window in windows[:-1])

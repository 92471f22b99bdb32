from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_task, spec_of
from mta_eval.tasks.passkey import Passkey

Audit = Callable[[Sample, FastTokenizer], None]


@pytest.mark.parametrize("haystack", ["noise", "prose"])
def test_every_length_is_filled_and_the_key_is_where_it_says(
    haystack: str, tokenizer: FastTokenizer, audit: Audit
) -> None:
    task = Passkey(haystack=haystack)
    for length in [*range(300, 342, 5), 1024, 4096]:
        for depth in (0.0, 0.4, 1.0):
            audit(task.sample(Cell(length, depth, length % 5), 0, tokenizer), tokenizer)


def test_the_smallest_length_that_an_error_names_is_truly_the_smallest(tokenizer: FastTokenizer, audit: Audit) -> None:
    task = Passkey()
    for repeat in range(3):
        with pytest.raises(LengthError) as error:
            task.sample(Cell(1, 0.5, repeat), 0, tokenizer)
        least = int(re.findall(r"\d+", str(error.value))[-1])
        audit(task.sample(Cell(least, 0.5, repeat), 0, tokenizer), tokenizer)
        with pytest.raises(LengthError, match=f"needs {least} tokens"):
            task.sample(Cell(least - 1, 0.5, repeat), 0, tokenizer)


@pytest.mark.parametrize("depth", [0.0, 0.4, 1.0])
def test_the_key_stands_on_a_line_of_its_own_in_one_long_line(depth: float, tokenizer: FastTokenizer) -> None:
    sample = Passkey().sample(Cell(1024, depth, 0), 0, tokenizer)
    _, context = sample.prompt.split("\n\n")
    lines = context.split("\n")
    assert lines.index(sample.needles[0].text) == (0 if depth == 0 else 1)
    assert len(lines) == (4 if depth == 0.4 else 3)
    assert lines[-1] == "What is the pass key? The pass key is"


@pytest.mark.parametrize("digits", [2, 5, 30])
def test_the_key_has_its_digits_and_is_said_twice_only(digits: int, byte_bpe: FastTokenizer) -> None:
    keys = set()
    for repeat in range(10):
        sample = Passkey(digits=digits).sample(Cell(512, 0.5, repeat), 0, byte_bpe)
        (key,) = sample.targets
        keys.add(key)
        assert re.fullmatch(rf"[1-9]\d{{{digits - 1}}}", key)
        assert sample.prompt.count(key) == 2
        assert key in sample.choices
        assert len(set(sample.choices)) == len(sample.choices) == 4
        assert [other for other in sample.choices if other in sample.prompt] == [key]
    assert len(keys) > 7


def test_the_target_is_no_fixed_one_of_the_choices(byte_bpe: FastTokenizer) -> None:
    samples = [Passkey().sample(Cell(256, 0.5, repeat), 0, byte_bpe) for repeat in range(40)]
    assert {sample.choices.index(sample.targets[0]) for sample in samples} == {0, 1, 2, 3}


def test_answers_are_marked_by_their_first_integer(byte_bpe: FastTokenizer) -> None:
    sample = Passkey().sample(Cell(256, 0.5, 0), 0, byte_bpe)
    assert Passkey().score(sample, f" is {sample.targets[0]}, I think, not 3") == 1
    assert Passkey().score(sample, f" 3, no {sample.targets[0]}") == 0


RIGHT = [
    "The 5-digit pass key is {}",
    "1. The pass key is {}",
    "**{}**",
    "{}.",
    "{}, that is {}",
    "$\\boxed{{{}}}$",
]
WRONG = ["{}0", "1{}", "-{}", "{}.5", "{}th", "", "It is either {} or 12345."]


def test_a_chat_answer_is_marked_by_the_one_number_of_the_keys_size(tokenizer_folder: Path) -> None:
    task = Passkey(prompt="chat")
    sample = task.sample(Cell(300, 0.5, 0), 0, load_tokenizer(str(tokenizer_folder)))
    (key,) = sample.targets
    for written in (key, f"{key[:2]},{key[2:]}", f"{key[:2]}\u202f{key[2:]}"):
        assert [task.score(sample, text.format(written, written)) for text in RIGHT] == [1] * len(RIGHT)
        assert [task.score(sample, text.format(written)) for text in WRONG] == [0] * len(WRONG)
    as_published = Passkey(prompt="chat", rule="infinitebench_passkey")
    assert [as_published.score(sample, text.format(key, key)) for text in RIGHT] == [0, 0, 1, 1, 1, 1]


def test_the_rule_that_auto_stands_for_is_called_auto() -> None:
    assert spec_of(Passkey(rule="infinitebench_passkey")) == "passkey"
    assert spec_of(Passkey(prompt="chat", rule="one_number")) == "passkey:prompt=chat"
    for spec in ("passkey:rule=one_number", "passkey:prompt=chat,rule=infinitebench_passkey"):
        assert spec_of(build_task(spec)) == spec


@pytest.mark.parametrize("digits", [0, 1, 31, -5])
def test_digits_out_of_range_are_refused(digits: int) -> None:
    with pytest.raises(SpecError, match="2 to 30"):
        Passkey(digits=digits)


def test_a_haystack_that_holds_every_key_is_refused_not_searched_for_ever(
    byte_bpe: FastTokenizer, tmp_path: Path
) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text(" ".join(f"It costs {number} coins." for number in range(10, 100)))

    def give_up(*_: object) -> None:
        raise TimeoutError("still drawing after 3 seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(3)
    try:
        with pytest.raises(SpecError):
            Passkey(digits=2, haystack=f"file:{file}").sample(Cell(512, 0.5, 0), 0, byte_bpe)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_an_answer_has_room_for_the_key_and_in_a_chat_for_a_sentence(
    byte_bpe: FastTokenizer, tokenizer_folder: Path
) -> None:
    for prompt, tokenizer, slack in (("completion", byte_bpe, 4), ("chat", load_tokenizer(str(tokenizer_folder)), 24)):
        sample = build_task(f"passkey:prompt={prompt}").sample(Cell(512, 0.5, 0), 0, tokenizer)
        assert sample.max_new_tokens == len(tokenizer.encode(f" {sample.targets[0]}").ids) + slack
        assert (sample.chat is not None) == (prompt == "chat")

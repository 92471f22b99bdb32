from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mta_eval.core import Cell, Needle, Sample
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.window import NEW, SEEN, Window
from mta_eval.registry import build_task
from mta_eval.tasks.niah import Niah
from mta_eval.tasks.passkey import Passkey


def test_a_window_sees_exactly_the_tail() -> None:
    for task in (Niah(), Passkey(), Niah(needles=5)):
        for depth in (0.0, 0.3, 0.5, 0.8, 1.0):
            sample = task.sample(Cell(700, depth, 0), 0, Window(1).tokenizer)
            asked = next(needle for needle in sample.needles if needle.asked)
            reach = sample.prompt_tokens - asked.token_start
            (sees,) = Window(reach).generate([sample])
            (misses,) = Window(reach - 1).generate([sample])
            assert task.score(sample, sees.text) == 1
            assert task.score(sample, misses.text) == 0


def test_a_window_of_300_makes_a_staircase() -> None:
    model, task = Window(300), Niah()
    for length in (256, 512, 1024, 2048):
        for depth in (0.0, 0.25, 0.5, 0.75, 1.0):
            sample = task.sample(Cell(length, depth, 0), 0, model.tokenizer)
            (answer,) = model.generate([sample])
            inside = sample.prompt_tokens - sample.needles[0].token_start <= 300
            assert task.score(sample, answer.text) == float(inside)
            assert inside or depth < 1


def test_all_asked_needles_must_be_in_sight() -> None:
    task = Niah(needles=4, asked=2)
    sample = task.sample(Cell(900, 0.5, 0), 0, Window(1).tokenizer)
    starts = [needle.token_start for needle in sample.needles if needle.asked]
    answers = [next(Window(sample.prompt_tokens - start).generate([sample])) for start in starts]
    assert [task.score(sample, answer.text) for answer in answers] == [1.0, 0.0]


def test_one_token_is_one_word_or_sign() -> None:
    text = "It's 12 o'clock; näive, isn't_it?\n\nYes."
    encoding = Window(1).tokenizer.encode(text)
    tokens = [text[start:end] for start, end in encoding.spans]
    assert tokens == ["It", "'", "s", "12", "o", "'", "clock", ";", "näive", ",", "isn", "'", "t_it", "?", "Yes", "."]


def test_the_widest_window_sees_everything_and_may_take_any_length() -> None:
    sample = Niah().sample(Cell(3000, 0.0, 0), 0, Window(1).tokenizer)
    assert next(Window(10**6).generate([sample])).text.strip() == sample.targets[0]
    assert Window(1).max_length > 10**9


@pytest.mark.parametrize("text", ["a " * 400, "incomprehensibilities " * 400, "x" * 3000 + " b" * 90, "y" * 3000])
def test_only_the_end_is_read_and_yet_the_same_tokens_are_seen(text: str) -> None:
    for width in (1, 7, 80, 100, 1000):
        spans = Window(1).tokenizer.encode(text).spans
        assert Window(width)._read(text) == text[spans[-width:][0][0] :]


def test_a_window_may_read_with_another_tokenizer(tokenizer_folder: Path) -> None:
    model = Window(200, tokenizer_path=str(tokenizer_folder))
    task = Niah()
    assert model.tokenizer.specials == (1, 0)
    for depth in (0.0, 0.5, 1.0):
        sample = task.sample(Cell(500, depth, 0), 0, model.tokenizer)
        inside = sample.prompt_tokens - sample.needles[0].token_start <= 200
        assert task.score(sample, next(model.generate([sample])).text) == float(inside)


def test_only_a_target_in_sight_is_likely() -> None:
    task = Niah(needles=3)
    near, far = (task.sample(Cell(600, depth, 0), 0, Window(1).tokenizer) for depth in (1.0, 0.0))
    wrong = next(choice for choice in near.choices if choice not in near.targets)
    pairs = [(near, " " + near.targets[0]), (near, " " + wrong), (far, " " + far.targets[0]), (far, " " + wrong)]
    assert Window(100).loglikelihood(pairs) == [0.0, -1.0, -1.0, -1.0]


def test_a_token_is_likely_where_it_stood_within_the_last_width_tokens() -> None:
    sample = Sample("x", "x", "a b a c d b e", (), {}, 10, 7, 0)
    for width, seen in ((1, []), (2, [2]), (3, [2]), (4, [2, 5])):
        (found,) = Window(width).token_loglikelihoods([sample])
        assert found == [SEEN if place in seen else NEW for place in range(1, 7)]


def test_with_bos_the_first_word_is_told_too(tokenizer_folder: Path) -> None:
    model = Window(9, tokenizer_path=str(tokenizer_folder))
    prompt = "The miller polished the copper lamp."
    sample = Sample("x", "x", prompt, (), {}, 10, len(model.tokenizer.prompt_ids(prompt, plain=True)), 0)
    (found,) = model.token_loglikelihoods([sample])
    assert len(found) == sample.prompt_tokens - 1


def test_a_sample_without_needles_or_prompt_is_no_crash() -> None:
    needle = Needle("a", "7", "The a is 7.", 0, 6, 0.0, True)
    sample = Sample("x", "x", "", ("7",), {}, 10, 0, 4, needles=(needle,))
    assert "7" not in next(Window(5).generate([sample])).text
    seen = replace(sample, prompt="The a is 7.")
    assert "7" in next(Window(5).generate([seen])).text
    assert "7" not in next(Window(4).generate([seen])).text


def test_a_window_without_width_or_with_a_missing_tokenizer_is_refused() -> None:
    for width in (0, -1):
        with pytest.raises(SpecError, match="at least 1"):
            Window(width)
    with pytest.raises(ModelError, match="/no/such"):
        Window(3, tokenizer_path="/no/such").tokenizer.encode("a")


def test_a_chat_needs_a_template() -> None:
    with pytest.raises(ModelError, match="template"):
        build_task("niah:prompt=chat").sample(Cell(500, 0.5, 0), 0, Window(3).tokenizer)

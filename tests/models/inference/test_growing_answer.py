"""Where an answer ends, why, and how many tokens were generated for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from number_tokenizer import Numbers, ask_for, model

from mta_eval.core import Encoding, PromptSettings, Sample
from mta_eval.models.inference.decoding import likeliest
from mta_eval.models.inference.growing_answer import NO_TOKEN, GrowingAnswer, NonFiniteLogitsError, settled
from mta_eval.models.thoughts import THINK

END = 9


def grow(tokens: list[int], budget: int, stop: tuple[str, ...] = ()) -> GrowingAnswer:
    tokenizer: Any = Numbers()
    answer = GrowingAnswer(ask_for([1, 2, 3], budget, stop), tokenizer, {END})
    for token in tokens:
        answer.append(token)
    return answer


@pytest.mark.parametrize(
    ("tokens", "stop", "text", "finish", "made"),
    [
        ([4, 5, 6, 7, 8], (), " 4 5 6 7", "length", 4),  # the budget
        ([4, 5, END, 6], (), " 4 5", "stop", 3),  # an end token, which was generated too
        ([4, 5, 6, END], (), " 4 5 6", "stop", 4),  # an end token as the last of the budget
        ([4, 5, 6, 7, END], (), " 4 5 6 7", "length", 4),  # one token too late
        ([END, 4], (), "", "stop", 1),
        ([4, 5, 6, 7], (" 5",), " 4", "stop", 2),  # a stop string
        ([4, 5, 6, 7], (" 7",), " 4 5 6", "stop", 4),  # a stop string as the last of the budget
    ],
)
def test_it_says_why_it_ended_and_how_many_tokens_it_took(
    tokens: list[int], stop: tuple[str, ...], text: str, finish: str, made: int
) -> None:
    answer = grow(tokens, 4, stop)
    assert answer.done
    given = answer.result()
    assert (given.text, given.finish, given.output_tokens) == (text, finish, made)
    assert (given.prompt_tokens, given.thought) == (3, "")


def test_an_answer_of_no_tokens_is_done_at_once() -> None:
    answer = grow([], 0)
    assert answer.done
    assert (answer.result().finish, answer.result().output_tokens) == ("length", 0)


def test_one_that_is_begun_anew_has_forgotten_its_end() -> None:
    answer = grow([4, END], 4)
    answer.restart()
    assert not answer.done
    for token in (4, 5, 6, 7):
        answer.append(token)
    assert (answer.result().finish, answer.result().output_tokens) == ("length", 4)


@pytest.mark.parametrize("reuse", [True, False])
def test_a_model_gives_the_same_end_however_it_decodes(reuse: bool) -> None:
    samples = [ask_for([7, *range(10, 20 + number)], 8) for number in range(3)]
    free = list(model(reuse=reuse).generate(samples))
    assert {(given.finish, given.output_tokens) for given in free} == {("length", 8)}
    last = int(free[0].text.split()[-1])
    ended = next(model(reuse=reuse, ends=frozenset({last})).generate(samples[:1]))
    tokens = free[0].text.split()
    assert (ended.finish, ended.output_tokens) == ("stop", tokens.index(str(last)) + 1)


class Words:
    """A tokenizer of whole words; those in angle brackets are special."""

    WORDS = ("<eos>", "<turn>", "<think>", "</think>", "it", "is", "42", "17", "look", "\n")
    turn_end = WORDS.index("<turn>")
    thought_formats = (THINK,)

    def prompt_ids(self, prompt: str, plain: bool) -> list[int]:
        return [0] * len(prompt.split())

    def decode_all(self, ids: list[int]) -> str:
        return " ".join(self.WORDS[index] for index in ids)

    def encode(self, text: str) -> Encoding:
        found = [(self.WORDS.index(match[0]), match.span()) for match in re.finditer(r"\S+", text)]
        return Encoding([index for index, _ in found], [span for _, span in found])

    def decode(self, ids: list[int]) -> str:
        return " ".join(word for word in (self.WORDS[index] for index in ids) if word[0] != "<")


def think(
    words: str, thinking: int = 6, budget: int = 3, prompt: str = "q", chat: bool = True, stop: tuple[str, ...] = ()
) -> tuple[str, str, str, int | None]:
    """The answer that these words are: text, thought, finish and tokens generated."""
    tokenizer: Any = Words()
    messages = ({"role": "user", "content": "q"},) if chat else None
    settings = PromptSettings(thinking_tokens=thinking)
    sample = Sample("s", "t", prompt, (), {}, 0, 1, budget, chat=messages, stop=stop, settings=settings)
    tokens = [Words.WORDS.index(word) for word in words.split(" ")]
    answer = settled(tokens, sample, tokenizer, {0})
    return answer.text, answer.thought, answer.finish, answer.output_tokens


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("it is 42 <eos>", ("it is 42", "", "length", 3)),
        ("is 42 <eos> 17", ("is 42", "", "stop", 3)),
        ("<think> look </think> is 42 <eos>", ("is 42", "look", "stop", 6)),
        ("<think> look </think> it is 42 17 17", ("it is 42", "look", "length", 6)),
        ("<think> it is 42 look look look </think> 17", ("", "it is 42 look look", "length", 6)),  # budget of a thought
        ("<think> look <eos> 42", ("", "look", "length", 3)),
        ("<think> look <turn> </think> 42 <turn> 17", ("42", "look <turn>", "stop", 6)),  # a turn ends no thought
        ("<think> look \n look </think> 42 \n 17", ("42 ", "look \n look", "stop", 7)),  # a stop string ends no thought
        ("<think> </think> 42 <eos>", ("42", "", "stop", 4)),
        ("look </think> 42 <eos>", ("42", "look", "stop", 4)),  # closed, but opened nowhere
        ("42 <turn> 17", ("42", "", "stop", 2)),
        ("42 <think> look </think> <eos>", ("42 ", "look", "stop", 5)),  # a thought after the answer
        ("it is <think> look </think> 42 <eos>", ("it is  42", "look", "stop", 7)),  # and amid it
    ],
)
def test_a_thought_is_no_part_of_the_answer_and_has_a_budget_of_its_own(
    words: str, answer: tuple[str, str, str, int]
) -> None:
    assert think(words, stop=("\n",)) == answer


def test_a_thought_that_the_prompt_opened_begins_with_the_first_token() -> None:
    assert think("look </think> 42 <eos>", prompt="q <think>") == ("42", "look", "stop", 4)
    assert think("it is 42 <eos>", prompt="q <think>") == ("", "it is 42", "length", 4)
    assert think("is 42 <eos>", prompt="q <think>", chat=False) == ("is 42", "", "stop", 3)


class Pieces:
    """A tokenizer whose marks of thoughts are several tokens and not special."""

    PIECES = ("<eos>", "<think", "</think", ">", "42", " it", "word ")
    turn_end = None
    thought_formats = (THINK,)

    def prompt_ids(self, prompt: str, plain: bool) -> list[int]:
        return [0]

    def encode(self, text: str) -> Encoding:
        return Encoding([], [])

    def decode_all(self, ids: list[int]) -> str:
        return "".join(self.PIECES[index] for index in ids)

    decode = decode_all


@pytest.mark.parametrize(
    ("tokens", "text", "thought"),
    [
        ([1, 3, 5, 2, 3, 0], "", " it"),  # nothing but a thought
        ([4, 1, 3, 5, 2, 3, 0], "42", " it"),  # a thought after the answer
        ([*[6] * 26, 1, 3, 5, 2, 3, 4, 0], "word " * 26 + "42", " it"),  # and where none is looked for any more
    ],
)
def test_a_mark_of_several_tokens_leaves_nothing_in_the_answer(tokens: list[int], text: str, thought: str) -> None:
    tokenizer: Any = Pieces()
    settings = PromptSettings(thinking_tokens=40)
    sample = Sample("s", "t", "q", (), {}, 0, 1, 40, chat=({"role": "user", "content": "q"},), settings=settings)
    answer = settled(tokens, sample, tokenizer, {0})
    assert (answer.text, answer.thought) == (text, thought.strip())


def test_a_thought_without_a_budget_is_cut_at_once() -> None:
    assert think("<think> look </think> 42 <eos>", thinking=0) == ("", "", "length", 1)


def test_the_end_of_a_turn_ends_answers_in_chats_alone() -> None:
    assert think("42 <turn> 17 <eos>", chat=False) == ("42 17", "", "length", 3)


def test_logits_that_are_no_numbers_choose_no_token() -> None:
    logits = torch.tensor([[0.0, 1.0], [float("nan"), 1.0], [float("inf"), 1.0], [float("-inf"), float("-inf")]])
    assert likeliest(logits) == [1, NO_TOKEN, NO_TOKEN, NO_TOKEN]
    assert likeliest(logits[None]) == [likeliest(logits)]
    with pytest.raises(NonFiniteLogitsError, match="not finite"):
        grow([4, NO_TOKEN], 4)


def test_a_mark_of_several_tokens_is_no_answer_that_its_budget_cuts() -> None:
    class Letters:
        turn_end, thought_formats = None, (THINK,)

        def prompt_ids(self, prompt: str, plain: bool) -> list[int]:
            return [0] * len(prompt)

        def decode(self, ids: list[int]) -> str:
            return "".join(map(chr, ids))

        decode_all = decode

    tokenizer: Any = Letters()
    sample = Sample("s", "t", "q", (), {}, 0, 1, 2, settings=PromptSettings(thinking_tokens=20))
    answer = settled(map(ord, "<think>hm</think>42 or so"), sample, tokenizer, set())
    assert (answer.thought, answer.text, answer.finish) == ("hm", "42", "length")
    cut = settled(map(ord, "<three"), sample, tokenizer, set())
    assert (cut.text, cut.finish) == ("<t", "length")

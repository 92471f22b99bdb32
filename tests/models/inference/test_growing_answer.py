"""Where an answer ends, why, and how many tokens were generated for it."""

from __future__ import annotations

from typing import Any

import pytest
from number_tokenizer import Numbers, ask_for, model

from mta_eval.models.inference.growing_answer import GrowingAnswer

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

"""Each trick answers what it can and nothing else, whatever the model whose samples it is asked."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mta_eval.built_in import TASKS
from mta_eval.core import Cell, Model, ModelIdentity, Sample
from mta_eval.errors import ModelError
from mta_eval.models.baselines.bag import Bag
from mta_eval.models.baselines.baseline import question_and_context
from mta_eval.models.baselines.chance import Chance
from mta_eval.models.baselines.copier import Copier
from mta_eval.registry import build_model, build_task, find, spec_of

CELLS = tuple(Cell(1024, depth, repeat) for depth in (0.0, 0.5, 1.0) for repeat in range(6))


def made(prompt: str, choices: Sequence[str] = (), budget: int = 3, chat: bool = False) -> Sample:
    messages = ({"role": "user", "content": prompt},) if chat else None
    text = f"<user>{prompt}<end>" if chat else prompt
    return Sample("x/0/any/0", "x", text, (), {}, 0, 9, budget, tuple(choices), chat=messages)


def accuracy(model: Model, task_spec: str) -> float:
    task = build_task(task_spec)
    cells = [replace(cell, length=0) for cell in CELLS] if "characters" in task_spec else CELLS
    samples = [task.sample(cell, 0, model.tokenizer) for cell in cells]
    answers = model.generate(samples)
    return sum(task.score(sample, answer.text) for sample, answer in zip(samples, answers, strict=True)) / len(samples)


SOLVED_BY = {
    "niah": {"bag", "copier"},
    "niah:needles=4": {"bag", "copier"},
    "niah:needles=4,prompt=instruction": {"bag"},
    "passkey": {"bag", "copier"},
    "associative_recall": {"bag"},
    "conjunction": {"bag"},
    "conjunction:answer=number": {"bag"},
    "conjunction:clauses=2": set(),
    "induction": {"copier"},
    "copy": set(),
    "graph": set(),
    "sorted_needles": set(),
    "semantic": set(),
    "semantic:control=shared_words": {"bag"},
    "babilong:qa=1": {"bag"},
    "babilong:qa=2": set(),
    "letter_blocks:characters=120": set(),
    "multi_hop": set(),
    "variable_tracking": set(),
    "coreference_rounds:same=2,near=2": set(),
    "ruler_niah:single_1": set(),
}
"""What the cards of the tasks say that a baseline solves."""


@pytest.mark.parametrize("task", SOLVED_BY)
def test_baselines_solve_what_the_cards_say_and_no_more(task: str) -> None:
    scores = {model.name: accuracy(model, task) for model in (Bag(), Chance(), Copier())}
    assert {name for name, score in scores.items() if score > 0.8} == SOLVED_BY[task], scores


@pytest.mark.parametrize("name", [name for name in TASKS if name != "perplexity"])
def test_every_card_says_what_baselines_get(name: str) -> None:
    card = inspect.getdoc(inspect.getmodule(find("tasks", name))) or ""
    assert "\nBaselines: " in card


def test_words_do_not_solve_what_shares_none_with_the_question_or_all_with_every_sentence() -> None:
    assert accuracy(Bag(), "semantic") < 0.5
    assert accuracy(Bag(), "conjunction:clauses=2") < 0.5


def test_chance_has_the_score_of_one_in_as_many_choices() -> None:
    task = build_task("semantic")
    samples = [task.sample(Cell(0, 0.5, repeat), 0, Chance().tokenizer) for repeat in range(200)]
    answers = Chance().generate(samples)
    right = sum(task.score(sample, answer.text) for sample, answer in zip(samples, answers, strict=True))
    assert 32 <= right <= 68  # a quarter of 200, three standard errors around


def test_chance_answers_the_same_again_and_nothing_without_choices() -> None:
    sample = made("?", ["a", "b", "c"])
    assert {next(Chance().generate([sample])).text for _ in range(5)} <= set(sample.choices)
    assert len({next(Chance().generate([sample])).text for _ in range(5)}) == 1
    assert next(Chance().generate([made("?")])).text == ""


def test_the_copier_follows_the_longest_end_and_its_last_place() -> None:
    assert Copier().answer_to(made("a b c d . x b c e . z b c")) == "e . z"
    assert Copier().answer_to(made("a b c d . x b c e . z a b c", budget=1)) == "d"
    assert Copier().answer_to(made("one two three")) == ""
    assert Copier().answer_to(made("The key is 7. The KEY is", budget=99)) == "7. The KEY is"


def test_the_bag_takes_the_sentence_with_the_rare_words_and_says_what_the_question_lacks() -> None:
    text = "The key of Riga is 12. The key of Oslo is 34. The key is old.\n\nWhat is the key of Oslo? It is"
    assert Bag().answer_to(made(text)) == "34"
    assert Bag().answer_to(made("Riga: red. Oslo: blue.\nWhich colour has Oslo?", ["blue", "red"])) == "blue"
    assert Bag().answer_to(made("Where is Ann? home.\nAnn left for town.\nWhere is Ann?")) == "left town"
    assert Bag().answer_to(made("Where is Ann?")) == ""


@pytest.mark.parametrize("chat", [False, True])
def test_the_question_is_the_last_line_and_the_beginning_of_an_answer(chat: bool) -> None:
    assert question_and_context(made("Some text.\n\nWho is it?", chat=chat)) == ("Who is it?", "Some text.\n\n")
    found = question_and_context(made("Some text.\nQuestion: Who is it?\nAnswer: the", chat=chat))
    assert found == ("Who is it?\nthe", "Some text.\n")


@pytest.mark.parametrize("name", ["bag", "chance", "copier"])
def test_a_baseline_is_asked_the_very_samples_of_a_model(name: str) -> None:
    model = build_model(f"{name}:of=smollm2")
    other = build_model("smollm2")
    sample, same = (build_task("niah").sample(Cell(512, 0.5, 0), 0, one.tokenizer) for one in (model, other))
    assert sample == same
    assert spec_of(model) == f"{name}:of=smollm2"
    assert next(iter(model.generate([sample]))).prompt_tokens == sample.prompt_tokens
    assert model.max_length > 1 << 40
    assert (model.describe(), model.identity()) == ({}, ModelIdentity())


def test_choosing_prefers_what_would_be_answered() -> None:
    sample = made("The key is 7. The key is", ["7", "8"])
    assert Copier().loglikelihood([(sample, " 7"), (sample, " 8")]) == [0, -1]
    assert Copier().abilities == {"answers", "chooses"}
    with pytest.raises(ModelError, match="do not read"):
        Copier().token_loglikelihoods([sample])

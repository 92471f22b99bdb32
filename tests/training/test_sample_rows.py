"""Rows out of samples: the very prompt that a model is asked, its answer behind it, and nothing else counts."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tiny_language import texts_of, tokenizer_of

from mta_eval import registry
from mta_eval.core import Cell
from mta_eval.errors import LengthError, MtaEvalError, SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.training import sample_rows as module
from mta_eval.training.sample_rows import SEEDS, SampleRows

LENGTH = 400
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] | trim }}<eos>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@cache
def tokenizer(chat: bool = False) -> Any:
    made = tokenizer_of([*texts_of("note", 90, 20), "The magic number of Berlin is 1234567.\n"] * 20)
    if chat:
        made.chat_template = TEMPLATE
    return made


def rows(*tasks: str, seed: int = 5, chat: bool = False, **options: Any) -> SampleRows:
    return SampleRows(
        tasks or ("niah",), tokenizer(chat), **{"length": LENGTH, "windows": (LENGTH,), **options}, seed=seed
    )


def parts_of(row: tuple[list[int], list[float], list[int]]) -> tuple[str, str, list[int]]:
    """The text before the answer, the answer, and the padding."""
    tokens, _, answers = row
    first, count = answers.index(1), sum(answers)
    read = FastTokenizer(tokenizer().backend_tokenizer, "test")
    assert answers == [0] * first + [1] * count + [0] * (len(tokens) - first - count)
    return read.decode_all(tokens[:first]), read.decode_all(tokens[first : first + count]), tokens[first + count :]


@pytest.mark.parametrize("stream", ["training", "validation", "test"])
def test_a_row_is_the_prompt_of_a_sample_its_answer_and_what_ends_it(stream: Any) -> None:
    prompt, answer, padding = parts_of(rows().row(stream, 3))
    assert prompt.startswith("<bos>")
    assert prompt.endswith(" is")
    value = answer.strip()
    assert value.isdecimal()
    assert prompt.count(value) == 1
    assert answer == f" {value}\n"
    assert set(padding) == {tokenizer().eos_token_id}


def test_a_row_is_the_sample_of_its_seed() -> None:
    task = registry.build_task("niah")
    read = FastTokenizer(tokenizer().backend_tokenizer, "test", tokenizer())
    for index in range(3):
        prompt, answer, _ = parts_of(rows(windows=(200,)).row("training", index))
        wanted = task.sample(Cell(200, 0.5, index), SEEDS["training"] + 5, read)  # the depth changes no needle
        assert answer.strip() == wanted.targets[0]
        assert 150 < len(read.encode(prompt).ids) <= 200


def test_the_answer_counts_and_of_the_prompt_what_it_is_told_to() -> None:
    for weight in (0.0, 0.25):
        tokens, weights, answers = rows(text_weight=weight, answer_weight=3.0).row("training", 0)
        assert len(tokens) == len(weights) == len(answers) == LENGTH
        first, count = answers.index(1), sum(answers)
        padding = LENGTH - first - count
        assert weights == [0.0, *[weight] * (first - 1), *[3.0] * count, *[0.0] * padding]


def test_held_out_rows_are_those_of_every_seed_and_never_trained_on() -> None:
    for stream in ("validation", "test"):
        assert rows(seed=5).row(stream, 2) == rows(seed=6).row(stream, 2)  # type: ignore[arg-type]
    assert rows(seed=5).row("training", 2) != rows(seed=6).row("training", 2)
    for seed in (0, 42, -1, 10**9, 10**9 + 1, 2**63 - 1, -(2**63)):  # whatever the seed of the training
        assert SEEDS["training"] <= SEEDS["training"] + seed % module.OWN_SEEDS < SEEDS["validation"]
    one, other = rows(seed=10**9).row("training", 2), rows().row("validation", 2)
    assert parts_of(one)[1] != parts_of(other)[1]


def test_tasks_take_turns_and_windows_are_chosen_by_chance() -> None:
    mixed = rows("niah", "passkey", windows=(230, LENGTH))
    prompts = [parts_of(mixed.row("training", index)) for index in range(8)]
    assert ["pass key" in prompt for prompt, _, _ in prompts] == [False, True] * 4
    assert len({len(padding) > 120 for _, _, padding in prompts}) == 2


def test_depths_are_anywhere_and_lists_have_none() -> None:
    places = [(prompt := parts_of(rows().row("training", index)))[0].index(prompt[1].strip()) for index in range(8)]
    assert max(places) > 2 * min(places)
    prompt, answer, _ = parts_of(rows("common_words", length=1500, windows=(1500,)).row("training", 0))
    assert all(word in prompt for word in answer.replace(",", " ").split())


def test_a_batch_is_its_rows() -> None:
    batch = rows(text_weight=0.5).batch("training", [3, 1])
    for place, index in enumerate((3, 1)):
        row = rows(text_weight=0.5).row("training", index)
        assert (batch.tokens[place].tolist(), batch.weights[place].tolist(), batch.answers[place].tolist()) == row
    assert batch.documents is None


def test_a_chat_ends_with_the_turn() -> None:
    prompt, answer, _ = parts_of(rows("niah:prompt=chat", chat=True).row("training", 0))
    assert prompt.endswith("<|assistant|>\n")
    assert prompt.startswith("<bos><|user|>\n")
    assert answer.endswith("<eos>")
    assert not answer.startswith(" ")


def test_an_answer_without_a_stop_string_ends_with_the_text() -> None:
    task, made = registry.build_task("niah"), rows()

    def sample(cell: Any, seed: int, reader: Any) -> Any:
        return replace(task.sample(cell, seed, reader), stop=())

    built = type("Endless", (), {"sample": staticmethod(sample), "score": staticmethod(task.score)})()
    made.__dict__["_built"] = [(built, True)]
    assert parts_of(made.row("training", 0))[1].endswith("<eos>")


SCORES: dict[str, tuple[Callable[[str], float], tuple[str, ...], str]] = {
    "one is enough": (lambda output: float("a" in output or "b" in output), ("a", "b"), "a"),
    "all are wanted": (lambda output: ("a" in output) / 2 + ("b" in output) / 2, ("a", "b"), "a, b"),
}


@pytest.mark.parametrize("case", SCORES)
def test_the_answer_is_what_scores(case: str) -> None:
    score, targets, wanted = SCORES[case]
    task: Any = type("Scoring", (), {"score": staticmethod(lambda _, output: score(output))})()
    sample = replace(registry.build_task("niah").sample(Cell(300, 0.5, 0), 0, rows()._reader), targets=targets)
    assert module._answer(task, sample) == wanted


def test_facts_that_are_longer_than_the_row_are_told_at_its_length() -> None:
    tokens, _, answers = rows("babilong:qa=1", length=1100, windows=(0,)).row("training", 0)
    assert len(tokens) == 1100
    assert sum(answers)


@pytest.mark.parametrize("task", ["perplexity:text=prose"])
def test_a_task_without_answers_is_one_line(task: str) -> None:
    with pytest.raises(SpecError, match=r"^perplexity has no answers to train on; name another task"):
        rows(task).batch("training", [0])


def test_a_sample_without_a_right_answer_is_one_line() -> None:
    task: Any = type("Never", (), {"score": staticmethod(lambda *_: 0.0)})()
    sample = registry.build_task("niah").sample(Cell(300, 0.5, 0), 0, rows()._reader)
    for one in (sample, replace(sample, targets=()), replace(sample, targets=("",))):
        with pytest.raises(SpecError, match="has no answers to train on"):
            module._answer(task, one)


def test_rows_that_are_too_short_are_one_line() -> None:
    with pytest.raises((LengthError, SpecError)) as error:
        rows(length=20, windows=(20,)).batch("training", [0])
    assert "\n" not in str(error.value)


def test_a_task_that_cannot_be_asked_is_one_line() -> None:
    with pytest.raises(MtaEvalError, match="chat template"):
        rows("niah:prompt=chat", chat=False, seed=1).batch("training", [0])

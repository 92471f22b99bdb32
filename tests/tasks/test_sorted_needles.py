from __future__ import annotations

import re

import pytest

from mta_eval.core import Cell, Sample, Tokenizer
from mta_eval.errors import SpecError
from mta_eval.registry import build_task
from mta_eval.tasks.sorted_needles import SortedNeedles

SPECS = ("sorted_needles", "sorted_needles:by=value", "sorted_needles:needles=8,others=4,prompt=instruction")


def solve(sample: Sample) -> tuple[str, ...]:
    """The order, from the prompt's words alone."""
    context, _, question = sample.prompt.rpartition("\n\nQuestion: ")
    facts = re.findall(r"The magic number of (.+?) is (\d+)\.", context)
    if "magic numbers" in question:
        facts.sort(key=lambda fact: int(fact[1]))
    return tuple(city for city, _ in facts if city in question)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("repeats", [20, pytest.param(2000, marks=pytest.mark.slow)])
def test_the_order_is_that_of_the_text(spec: str, repeats: int, byte_bpe: Tokenizer) -> None:
    for repeat in range(repeats):
        sample = build_task(spec).sample(
            Cell((0, 1024, 900)[repeat % 3], (0.0, 0.5, 1.0)[repeat % 3], repeat), 3, byte_bpe
        )
        assert solve(sample) == sample.targets
        assert len(sample.targets) == sample.axes["needles"]
        assert sum(needle.asked for needle in sample.needles) == sample.axes["needles"]


def test_every_length_is_filled_and_a_needle_is_at_its_depth(tokenizer: Tokenizer) -> None:
    for length, depth in ((900, 0.0), (901, 0.3), (1024, 1.0)):
        sample = SortedNeedles().sample(Cell(length, depth, 1), 0, tokenizer)
        assert min(abs(needle.depth - depth) for needle in sample.needles) < 0.1
        assert len(tokenizer.encode(sample.prompt).ids) + sum(tokenizer.specials) == sample.prompt_tokens
        assert length - 4 <= sample.prompt_tokens + sample.max_new_tokens <= length


def test_the_question_does_not_give_the_order_away(byte_bpe: Tokenizer) -> None:
    same = 0
    for repeat in range(60):
        sample = SortedNeedles(needles=2).sample(Cell(0, 0.5, repeat), 0, byte_bpe)
        question = sample.prompt.rpartition("Question: ")[2]
        same += question.index(sample.targets[0]) < question.index(sample.targets[1])
    assert 15 <= same <= 45


@pytest.mark.parametrize("options", ["needles=1", "needles=21", "others=-1", "others=21"])
def test_impossible_options_are_refused(options: str) -> None:
    with pytest.raises(SpecError, match="must be"):
        build_task(f"sorted_needles:{options}")


def test_the_last_list_of_an_answer_counts(byte_bpe: Tokenizer) -> None:
    task = SortedNeedles()
    sample = task.sample(Cell(0, 0.5, 0), 0, byte_bpe)
    right, wrong = ", ".join(sample.targets), ", ".join(sample.targets[::-1])
    outputs = (right, wrong, f"Of {wrong} the order is: {right}.", ", ".join(sample.targets[:-1]), "")
    assert [task.score(sample, output) for output in outputs] == [1, 0, 1, 0, 0]

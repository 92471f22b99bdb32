from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample, Tokenizer
from mta_eval.errors import SpecError
from mta_eval.registry import build_task
from mta_eval.tasks.semantic import Semantic, content_words
from mta_eval.tasks.world_knowledge import DOMAINS

Audit = Callable[[Sample, Tokenizer], None]
SPECS = (
    *("semantic", "semantic:hops=2", "semantic:hops=2,needles=5", "semantic:control=shared_words"),
    *("semantic:hops=2,control=shared_words,prompt=instruction", "semantic:domain=animals,needles=1"),
)
TOLD = [(fact, domain) for domain in DOMAINS.values() for fact in domain.facts]


def knows(sentence: str, question: str) -> bool:
    """Whether the sentence of a person answers the question, by the table of facts alone."""
    for fact, domain in TOLD:
        for hop, meant in enumerate((fact.implied, fact.far)[: len(domain.questions)]):
            plainly = content_words(domain.plain[hop].format(name="", it=meant)) <= content_words(sentence)
            if question == domain.questions[hop].format(it=meant) and (plainly or f" {fact.told}" in sentence):
                return True
    return False


def solve(sample: Sample) -> set[str]:
    """Everyone whom the question may mean."""
    context, _, asked = sample.prompt.rpartition("\n\nQuestion: ")
    question = asked.partition("\n")[0]
    sentences = [text for text in re.split(r"(?<=\.)\s+", context) if text.split(" ")[0] in sample.choices]
    return {text.split(" ")[0] for text in sentences if knows(text, question)}


def check_answers(spec: str, repeats: int, tokenizer: Tokenizer) -> None:
    for repeat in range(repeats):
        sample = build_task(spec).sample(Cell(0 if repeat % 4 else 1024, 0.5, repeat), 3, tokenizer)
        assert solve(sample) == set(sample.targets), sample.prompt
        assert len(sample.choices) == sample.axes["needles"]


@pytest.mark.parametrize("spec", SPECS)
def test_one_person_alone_is_meant(spec: str, byte_bpe: Tokenizer) -> None:
    check_answers(spec, 24, byte_bpe)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_one_person_alone_is_meant_in_thousands(spec: str, byte_bpe: Tokenizer) -> None:
    check_answers(spec, 2000, byte_bpe)


def test_every_length_is_filled_and_the_needle_is_at_its_depth(tokenizer: Tokenizer, audit: Audit) -> None:
    for length, depth in ((300, 0.0), (301, 0.3), (1024, 1.0)):
        for hops in (1, 2):
            audit(build_task(f"semantic:hops={hops}").sample(Cell(length, depth, 1), 0, tokenizer), tokenizer)


@pytest.mark.parametrize("name", DOMAINS)
def test_no_fact_shares_a_word_with_its_question_and_every_control_does(name: str) -> None:
    domain = DOMAINS[name]
    for fact in domain.facts:
        for hop, meant in enumerate((fact.implied, fact.far)[: len(domain.questions)]):
            assert meant
            question = content_words(domain.questions[hop].format(it=meant))
            assert not question & content_words(domain.sentence.format(name="Joel", it=fact.told)), fact
            assert question & content_words(domain.plain[hop].format(name="Joel", it=meant)), fact


def test_the_words_that_needle_and_question_share_are_counted(byte_bpe: Tokenizer) -> None:
    for repeat in range(10):
        plain = Semantic().sample(Cell(0, 0.5, repeat), 0, byte_bpe)
        control = Semantic(control="shared_words").sample(Cell(0, 0.5, repeat), 0, byte_bpe)
        assert plain.axes["shared_words"] == 0
        assert control.axes["shared_words"] in (1, 2, 3, 4)
        assert plain.targets == control.targets  # the control asks the same of the same person
        assert plain.prompt.rpartition("Question")[2] == control.prompt.rpartition("Question")[2]


def test_words_are_compared_without_their_endings() -> None:
    assert content_words("Who lives in Germany?") == {"live", "germa"}
    assert content_words("Germans live beside rivers.") & content_words("Who lives in Germany?") == {"live", "germa"}


def test_a_domain_is_drawn_for_each_repeat_or_kept(byte_bpe: Tokenizer) -> None:
    drawn = {Semantic().sample(Cell(0, 0.5, repeat), 0, byte_bpe).axes["domain"] for repeat in range(40)}
    assert drawn == set(DOMAINS)
    two = {Semantic(hops=2).sample(Cell(0, 0.5, repeat), 0, byte_bpe).axes["domain"] for repeat in range(40)}
    assert two == set(DOMAINS) - {"animals"}
    assert Semantic(domain="books").sample(Cell(0, 0.5, 0), 0, byte_bpe).axes["domain"] == "books"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("needles=0", "needles must be 1 to 5"),
        ("needles=6", "needles must be 1 to 5"),
        ("hops=3", "hops cannot be '3'"),
        ("hops=2,domain=animals", "animals have no second hop"),
        ("rule=nothing", "no rule"),
    ],
)
def test_impossible_options_are_refused(options: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        build_task(f"semantic:{options}")


def test_naming_two_people_is_wrong(byte_bpe: Tokenizer) -> None:
    task = build_task("semantic:prompt=instruction")
    sample = task.sample(Cell(0, 0.5, 0), 0, byte_bpe)
    other = next(choice for choice in sample.choices if choice not in sample.targets)
    right = sample.targets[0]
    assert [task.score(sample, text) for text in (f"It is {right}.", f"{right}, {other}")] == [1, 0]

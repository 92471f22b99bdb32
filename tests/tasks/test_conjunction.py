from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample, Tokenizer
from mta_eval.errors import SpecError
from mta_eval.registry import build_task, spec_of
from mta_eval.tasks.conjunction import Conjunction
from mta_eval.tasks.facts import ADVERBS, COLOURS, DAYS, KINDS, PERSONS, VALUES, distances, tell
from mta_eval.tasks.prompts import prose
from mta_eval.tasks.prompts.pools import CITIES, WORDS

Audit = Callable[[Sample, Tokenizer], None]
PATTERNS = {
    "person": rf"\b({'|'.join(PERSONS)})\b",
    "object": rf"\bthe ({'|'.join(WORDS)})\b",
    "place": rf"\bin ({'|'.join(CITIES)})\b",
    "day": rf"\bon ({'|'.join(DAYS)})\b",
    "colour": rf"\bin a ({'|'.join(COLOURS)}) box\b",
}


def read(sentence: str) -> dict[str, str]:
    """The attributes of a sentence or a question, by the words around them."""
    found = {kind: re.findall(pattern, sentence, re.IGNORECASE) for kind, pattern in PATTERNS.items()}
    return {kind: values[0] for kind, values in found.items() if values}


def solve(sample: Sample) -> set[str]:
    """All answers that the text gives, from the prompt's words alone."""
    context, _, question = sample.prompt.rpartition("\n\n")
    question = question.removeprefix("Question: ")
    wanted = read(question)
    sentences = [text for text in re.split(r"(?<=\.)\s+", context) if " left" in text or "magic number" in text]
    facts = [(sentence, read(clause)) for sentence in sentences for clause in sentence.split(", and ")]
    hits = [(sentence, fact) for sentence, fact in facts if wanted.items() <= fact.items()]
    if question.startswith("Does"):
        return {"yes" if hits else "no"}
    if question.startswith("Which note"):
        return {re.findall(r"Note (\d+):", sentence)[0] for sentence, _ in hits}
    if "magic number" in question:
        clauses = [clause for sentence in sentences for clause in sentence.split(", and ")]
        return {re.findall(r"is (\d+)", clause)[0] for clause in clauses if wanted.items() <= read(clause).items()}
    kinds = {"Who": "person", "What": "object", "Where": "place"}
    kind = kinds.get(question.split()[0]) or completed(question)
    return {fact[kind] for _, fact in hits}


def completed(stem: str) -> str:
    """The kind of attribute that goes on where a sentence stops."""
    if stem.endswith(" the") or stem == "The":
        return "object"
    return "place" if stem.endswith((" left in", " in")) else "person"


SPECS = (
    *("conjunction", "conjunction:asked=1", "conjunction:asked=3", "conjunction:asked=3,shared=2,order=same"),
    *("conjunction:asked=4,distractors=2,shared=3", "conjunction:answer=note,asked=4", "conjunction:answer=yes_no"),
    *("conjunction:answer=yes_no,asked=3,shared=2,span=8", "conjunction:span=12,order=reversed,distractors=2"),
    *("conjunction:clauses=2", "conjunction:clauses=2,asked=3,answer=number", "conjunction:clauses=2,answer=yes_no"),
    *("conjunction:answer=number,shared=0", "conjunction:answer=number,asked=4,prompt=instruction"),
    *("conjunction:distractors=0", "conjunction:prompt=instruction,haystack=noise"),
)


def check_answers(spec: str, repeats: int, tokenizer: Tokenizer) -> None:
    for repeat in range(repeats):
        sample = build_task(spec).sample(Cell(0 if repeat % 4 else 2048, 0.5, repeat), 3, tokenizer)
        assert solve(sample) == set(sample.targets), sample.prompt
        assert sample.targets[0] in sample.choices
        assert len(set(sample.choices)) == len(sample.choices)


@pytest.mark.parametrize("spec", SPECS)
def test_the_text_gives_the_answer_and_no_other(spec: str, byte_bpe: Tokenizer) -> None:
    check_answers(spec, 24, byte_bpe)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_thousands_of_texts_give_the_answer_and_no_other(spec: str, byte_bpe: Tokenizer) -> None:
    check_answers(spec, 2000, byte_bpe)


def test_every_length_is_filled_and_the_fact_is_at_its_depth(tokenizer: Tokenizer, audit: Audit) -> None:
    for length, depth in ((700, 0.0), (701, 0.3), (1024, 1.0), (2048, 0.5)):
        for task in (Conjunction(), Conjunction(span=6, distractors=2), Conjunction(answer="yes_no", asked=3)):
            audit(task.sample(Cell(length, depth, 1), 0, tokenizer), tokenizer)


@pytest.mark.parametrize(("spec", "shares"), [("asked=2", 1), ("asked=3", 1), ("asked=3,shared=2", 2), ("asked=1", 0)])
def test_every_other_fact_has_as_many_of_the_attributes_asked_for(spec: str, shares: int, byte_bpe: Tokenizer) -> None:
    for repeat in range(10):
        sample = build_task(f"conjunction:{spec}").sample(Cell(0, 0.5, repeat), 0, byte_bpe)
        wanted = read(sample.prompt.rpartition("\n\n")[2])
        groups = [
            frozenset(wanted.items() & read(needle.text).items()) for needle in sample.needles if not needle.asked
        ]
        assert {len(group) for group in groups} == {shares}
        assert len(groups) == len(wanted) * 4
        counts = [groups.count(group) for group in set(groups)]
        assert max(counts) - min(counts) <= 1  # each attribute, or set of them, as often


def test_two_clauses_name_all_that_is_asked_for_without_tying_it_together(byte_bpe: Tokenizer) -> None:
    for repeat in range(10):
        sample = build_task("conjunction:clauses=2").sample(Cell(0, 0.5, repeat), 0, byte_bpe)
        wanted = read(sample.prompt.rpartition("\n\n")[2]).values()
        assert len(sample.needles) == 5
        assert all(value in needle.text for needle in sample.needles for value in wanted)


def test_half_of_the_answers_are_no_and_then_a_near_one_is_at_the_depth(byte_bpe: Tokenizer) -> None:
    samples = [build_task("conjunction:answer=yes_no").sample(Cell(0, 0.5, n), 0, byte_bpe) for n in range(80)]
    assert 25 <= sum(sample.targets == ("no",) for sample in samples) <= 55
    for sample in samples:
        wanted = read(sample.prompt.rpartition("\n\n")[2])
        (asked,) = [needle for needle in sample.needles if needle.asked]
        assert len(wanted.items() & read(asked.text).items()) == (2 if sample.targets == ("yes",) else 1)


@pytest.mark.parametrize("span", [5, 10, 20, 30])
def test_attributes_stand_as_many_tokens_apart_as_asked(span: int, tokenizer: Tokenizer) -> None:
    found = [
        float(Conjunction(span=span).sample(Cell(0, 0.5, repeat), 0, tokenizer).axes["distance"] or 0)
        for repeat in range(8)
    ]
    longest = max(len(tokenizer.encode(f", {adverb}").ids) for adverb in ADVERBS)
    assert all(abs(distance - span) <= longest for distance in found)
    plain = [Conjunction().sample(Cell(0, 0.5, repeat), 0, tokenizer).axes["distance"] for repeat in range(8)]
    assert sum(found) > sum(float(value or 0) for value in plain) or span == 5


def test_a_span_changes_the_sentences_and_not_the_facts(byte_bpe: Tokenizer) -> None:
    near, far = (Conjunction(span=span).sample(Cell(4096, 0.5, 0), 0, byte_bpe) for span in (0, 10))
    assert [needle.value for needle in near.needles] == [needle.value for needle in far.needles]
    assert near.targets == far.targets
    assert near.choices == far.choices


@pytest.mark.parametrize(("order", "same"), [("same", True), ("reversed", False)])
def test_the_order_of_the_attributes_is_that_of_the_question_or_its_reverse(
    order: str, same: bool, byte_bpe: Tokenizer
) -> None:
    for repeat in range(10):
        sample = build_task(f"conjunction:asked=3,order={order}").sample(Cell(0, 0.5, repeat), 0, byte_bpe)
        question = sample.prompt.rpartition("\n\n")[2]
        asked = sorted(read(question).values(), key=question.index)
        for needle in sample.needles:
            if needle.asked:
                said = sorted(asked, key=needle.text.index)
                assert said == (asked if same else asked[::-1])


def test_distance_counts_the_tokens_between_values(byte_bpe: Tokenizer) -> None:
    fact = {"person": "Nora", "object": "cello", "place": "Riga"}
    text = tell(fact, ("place", "person", "object"), ((), ("slowly",)))
    assert text == "In Riga, Nora left, slowly, the cello."
    between = [len(byte_bpe.encode(part).ids) for part in (",", " left, slowly, the")]
    assert distances(byte_bpe.encode(text), text, ["Nora", "cello", "Riga"]) == between


def test_a_sentence_says_each_attribute_once_in_any_order() -> None:
    fact = {"person": "Nora", "object": "cello", "place": "Riga", "day": "Monday", "colour": "red"}
    assert tell(fact, KINDS) == "Nora left the cello in Riga on Monday in a red box."
    assert tell(fact, KINDS[::-1]) == "In a red box, on Monday, in Riga, the cello was left by Nora."
    assert read(tell(fact, KINDS[::-1])) == fact


def test_no_value_stands_in_another_nor_in_the_prose() -> None:
    values = [value.lower() for kind in ("person", "object", "place") for value in VALUES[kind]]
    assert not [(a, b) for a in values for b in values if a != b and a in b.split()]
    assert not [value for value in values if prose.holds(value)]
    assert all(len(set(pool)) == len(pool) for pool in (*VALUES.values(), ADVERBS))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("asked=0", "asked must be 1 to 4"),
        ("asked=5", "asked must be 1 to 4"),
        ("shared=2", "less than asked=2"),
        ("shared=-2", "less than asked=2"),
        ("distractors=33", "must be 0 to 64, not 66"),
        ("distractors=-1", "must be 0 to 64"),
        ("span=41", "span must be 0 to 40"),
        ("answer=yes_no,asked=1", "needs asked of 2 or more"),
        ("answer=yes_no,distractors=0", "needs asked of 2 or more"),
        ("answer=yes_no,shared=0", "needs asked of 2 or more"),
        ("rule=nothing", "no rule"),
    ],
)
def test_impossible_options_are_refused(options: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        build_task(f"conjunction:{options}")


def test_a_haystack_that_names_everyone_is_refused(tmp_path: object, byte_bpe: Tokenizer) -> None:
    path = f"{tmp_path}/names.txt"
    with open(path, "w") as file:
        file.write("".join(f"{name} came. " for name in PERSONS))
    with pytest.raises(SpecError, match="names nearly every person"):
        Conjunction(haystack=f"file:{path}").sample(Cell(2048, 0.5, 0), 0, byte_bpe)


def test_answers_in_words_name_the_answer_and_no_other(byte_bpe: Tokenizer) -> None:
    task = build_task("conjunction:prompt=instruction")
    sample = task.sample(Cell(0, 0.5, 0), 0, byte_bpe)
    (right,) = sample.targets
    wrong = next(choice for choice in sample.choices if choice != right)
    assert task.score(sample, f"It was the {right.upper()}.") == 1
    assert task.score(sample, f"The {right} or the {wrong}.") == 0
    assert task.score(sample, wrong) == 0
    completion = Conjunction().sample(Cell(0, 0.5, 0), 0, byte_bpe)
    assert [Conjunction().score(completion, f" {text}") for text in (right, f"{right}s", wrong)] == [1, 0, 0]
    assert spec_of(task) == "conjunction:prompt=instruction"

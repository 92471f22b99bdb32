"""Each rule against the published one, written again here from its paper's code in other words."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mta_eval.tasks import scoring

PLACES = ["bathroom", "bedroom", "garden", "hallway", "kitchen", "office"]
THINGS = ["apple", "football", "milk", "nothing"]
TALK = st.lists(
    st.sampled_from(
        [*PLACES, *THINGS, "Mary", "is", "in", "the", ". ", "\n", "Office", "<context>", "<example>", ",", "and", "x"]
    ),
    max_size=12,
).map(" ".join)


def official(target: str, output: str, question: str, labels: list[str]) -> float:
    """BABILong, metrics.py: lower case; up to the first '.', '<context>' or '<example>'; labels of the question out."""
    head = output.lower()
    for mark in (".", "<context>", "<example>"):
        head = head.partition(mark)[0]
    found = {label.lower() for label in labels if label.lower() in head}
    found = {label for label in found if label not in question.lower()}
    return float(found == set(target.lower().split(",")))


@given(TALK, st.sampled_from(PLACES), st.sampled_from(["Where is Mary?", "Where was the football before the office?"]))
def test_one_label_only_is_the_official_rule_for_places(output: str, target: str, question: str) -> None:
    assert scoring.one_label_only(output, target, PLACES, question) == official(target, output, question, PLACES)


@given(TALK, st.sampled_from([*THINGS, "apple,milk", "milk,football,apple"]))
def test_one_label_only_is_the_official_rule_for_sets(output: str, target: str) -> None:
    question = "What is Daniel carrying?"
    assert scoring.one_label_only(output, target, THINGS, question) == official(target, output, question, THINGS)


@pytest.mark.parametrize(
    ("output", "target", "score"),
    [
        ("The kitchen.", "kitchen", 1.0),
        ("KITCHEN", "kitchen", 1.0),
        ("kitchen. Not the office.", "kitchen", 1.0),
        ("kitchen or office", "kitchen", 0.0),
        ("I do not know. Kitchen.", "kitchen", 0.0),
        ("the garden, then the kitchen", "kitchen", 1.0),  # the question names the garden
        ("garden", "garden", 0.0),  # never a target
        ("", "kitchen", 0.0),
    ],
)
def test_only_one_label_may_be_said_in_the_first_sentence(output: str, target: str, score: float) -> None:
    assert scoring.one_label_only(output, target, PLACES, "Where was Mary before the garden?") == score


def test_a_label_inside_a_longer_label_does_not_count() -> None:
    numbers = ["none", "one", "three", "two"]
    assert scoring.one_label_only("none", "none", numbers, "How many?") == 1
    assert scoring.one_label_only("one", "one", numbers, "How many?") == 1
    assert scoring.one_label_only("none", "one", numbers, "How many?") == 0
    assert scoring.one_label_only("one or none", "none", numbers, "How many?") == 0


def test_a_set_must_be_named_whole_in_any_order() -> None:
    assert scoring.one_label_only("milk and apple", "apple,milk", THINGS, "?") == 1
    assert scoring.one_label_only("milk", "apple,milk", THINGS, "?") == 0
    assert scoring.one_label_only("milk, apple, football", "apple,milk", THINGS, "?") == 0


NUMBER = st.integers(10, 99999).map(str)
BEFORE = st.sampled_from(["", " ", "\n", '"', "'", "*", "**", "(", "0", "x", "is ", "-x"])
AFTER = st.sampled_from(["", " ", ".", ",", "!", "\n", '"', "**", " is", ". Next", "0", "x", "-3", "_x", ".5", ",000"])


@given(NUMBER, BEFORE, AFTER)
@example("12", "", ".5")
@example("12", "", ",000")
def test_first_word_is_the_first_word_bare_of_its_punctuation(target: str, before: str, after: str) -> None:
    output = " " + before + target + after
    words = output.split()
    wanted = words[0].strip(string.punctuation) == target
    assert scoring.first_word(output, [target]) == float(wanted), output


@pytest.mark.parametrize("output", ["Cello", " cello.", '"cello"', "**cello**", "CELLO\nand", "(cello)", "cello, I"])
def test_first_word_takes_the_target_in_any_dress(output: str) -> None:
    assert scoring.first_word(output, ["cello"]) == 1


@pytest.mark.parametrize("output", ["", " ", "the cello", "cellos", "cello-player", "violoncello", "cell", "1cello"])
def test_first_word_takes_nothing_else(output: str) -> None:
    assert scoring.first_word(output, ["cello"]) == 0


TEXT = st.text(alphabet="aAbB1 2.,İß٣", max_size=30)
TARGETS = st.lists(st.text(alphabet="aAbB12", min_size=1, max_size=3), min_size=1, max_size=4)


@given(TEXT, TARGETS)
def test_contained_rules_are_rulers(output: str, targets: list[str]) -> None:
    """RULER's string_match_all (a share) and string_match_part (a maximum)."""
    hits = [1.0 if target.lower() in output.lower() else 0.0 for target in targets]
    assert scoring.share_contained(output, targets) == pytest.approx(sum(hits) / len(hits))
    assert scoring.any_contained(output, targets) == max(hits)
    assert scoring.all_contained(output, targets) == min(hits)


@given(st.text(alphabet="ab12 .-,³٣", max_size=20), st.sampled_from(["1", "2", "12", "121"]))
@example("٣ 12", "12")
def test_first_integer_is_infinite_benchs(output: str, target: str) -> None:
    """The first piece that is not empty when everything but 0-9 parts the answer."""
    first = next((piece for piece in re.split("[^0-9]", output) if piece), "")
    assert scoring.first_integer(output, [target]) == float(first == target)

"""Each rule against the published one, written again here from its paper's code in other words."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mta_eval.scoring import matching
from mta_eval.tasks.babi.worlds import LABELS

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
    assert matching.one_label_only(output, target, PLACES, question) == official(target, output, question, PLACES)


@given(TALK, st.sampled_from([*THINGS, "apple,milk", "milk,football,apple"]))
def test_one_label_only_is_the_official_rule_for_sets(output: str, target: str) -> None:
    question = "What is Daniel carrying?"
    assert matching.one_label_only(output, target, THINGS, question) == official(target, output, question, THINGS)


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
    assert matching.one_label_only(output, target, PLACES, "Where was Mary before the garden?") == score


def test_a_label_inside_a_longer_label_does_not_count() -> None:
    numbers = ["none", "one", "three", "two"]
    assert matching.one_label_only("none", "none", numbers, "How many?") == 1
    assert matching.one_label_only("one", "one", numbers, "How many?") == 1
    assert matching.one_label_only("none", "one", numbers, "How many?") == 0
    assert matching.one_label_only("one or none", "none", numbers, "How many?") == 0


def test_a_set_must_be_named_whole_in_any_order() -> None:
    assert matching.one_label_only("milk and apple", "apple,milk", THINGS, "?") == 1
    assert matching.one_label_only("milk", "apple,milk", THINGS, "?") == 0
    assert matching.one_label_only("milk, apple, football", "apple,milk", THINGS, "?") == 0


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
    assert matching.first_word(output, [target]) == float(wanted), output


@pytest.mark.parametrize("output", ["Cello", " cello.", '"cello"', "**cello**", "CELLO\nand", "(cello)", "cello, I"])
def test_first_word_takes_the_target_in_any_dress(output: str) -> None:
    assert matching.first_word(output, ["cello"]) == 1


@pytest.mark.parametrize("output", ["", " ", "the cello", "cellos", "cello-player", "violoncello", "cell", "1cello"])
def test_first_word_takes_nothing_else(output: str) -> None:
    assert matching.first_word(output, ["cello"]) == 0


def test_a_target_of_signs_alone_is_not_in_every_output() -> None:
    assert [matching.all_named(output, ["..."]) for output in ("hello", "well... no")] == [0, 1]


def test_a_word_goes_on_only_where_it_ends_in_a_letter_or_digit() -> None:
    assert [matching.all_named(output, ["a+"]) for output in ("a+x", "xa+", "a+")] == [1, 0, 1]


def test_one_number_reads_its_target_in_any_digits_and_no_word() -> None:
    assert [matching.one_number(output, "٣٤٥") for output in ("it is 345", "it is 346", "345 or 346")] == [1, 0, 0]
    assert matching.one_number("it is abc", "abc") == 0


TEXT = st.text(alphabet="aAbB1 2.,İß٣", max_size=30)
TARGETS = st.lists(st.text(alphabet="aAbB12", min_size=1, max_size=3), min_size=1, max_size=4)


@given(TEXT, TARGETS)
def test_contained_rules_are_rulers(output: str, targets: list[str]) -> None:
    """RULER's string_match_all (a share) and string_match_part (a maximum)."""
    hits = [1.0 if target.lower() in output.lower() else 0.0 for target in targets]
    assert matching.share_contained(output, targets) == pytest.approx(sum(hits) / len(hits))
    assert matching.any_contained(output, targets) == max(hits)
    assert matching.all_contained(output, targets) == min(hits)


@given(st.text(alphabet="ab12 .-,³٣", max_size=20), st.sampled_from(["1", "2", "12", "121"]))
@example("٣ 12", "12")
def test_first_integer_is_infinite_benchs(output: str, target: str) -> None:
    """The first piece that is not empty when everything but 0-9 parts the answer."""
    first = next((piece for piece in re.split("[^0-9]", output) if piece), "")
    assert matching.first_integer(output, [target]) == float(first == target)


def published(output: str, target: str, labels: list[str], question: str) -> bool:
    """BABILong, metrics.py, step by step: the sentence, the labels it says, the question's taken away, one rule for
    one label and one for sets, which are targets of more than three characters with a comma."""
    sentence = output.lower()
    for end in (".", "<context>", "<example>"):
        sentence = sentence.split(end)[0]
    lowered = {label.lower() for label in labels}
    named = {label for label in lowered if label in question.lower()}
    said = {label for label in lowered if label in sentence} - named
    wanted = target.lower()
    if "," in wanted and len(wanted) > 3:
        several = wanted.split(",")
        return all(one in said for one in several) and len(said) == len(several)
    return wanted in said and len(said) == 1


@st.composite
def babilong_answers(draw: st.DrawFn) -> tuple[int, str, str, str]:
    """A task's number, an output, a target, a question: of the task's labels, words that hold one, and marks."""
    qa = draw(st.sampled_from(sorted(matching.BABILONG_LABELS)))
    labels = list(matching.BABILONG_LABELS[qa])
    words = [
        *labels,
        ".",
        ",",
        "<context>",
        "<EXAMPLE>",
        "Question",
        "nobody",
        "someone",
        "None",
        "is",
        "\n",
        " ",
        "NO",
    ]
    said = draw(st.lists(st.sampled_from(words), max_size=6))
    target = ",".join(draw(st.lists(st.sampled_from(labels), min_size=1, max_size=3)))
    asked = " ".join(draw(st.lists(st.sampled_from([*words, "Where"]), max_size=3)))
    return qa, draw(st.sampled_from(["", " "])).join(said), target, asked


@given(babilong_answers())
def test_babilong_official_is_the_published_rule_for_every_task(answer: tuple[int, str, str, str]) -> None:
    qa, output, target, question = answer
    labels = list(matching.BABILONG_LABELS[qa])
    assert matching.babilong_official(output, target, labels, question) == published(output, target, labels, question)


def test_babilong_official_keeps_the_published_quirks() -> None:
    numbers, answers, things = (matching.BABILONG_LABELS[qa] for qa in (7, 6, 8))
    assert matching.babilong_official("none", "none", numbers, "How many?") == 0  # says "one" as well
    assert matching.one_label_only("none", "none", numbers, "How many?") == 1
    assert matching.babilong_official("nobody knows", "no", answers, "Is he?") == 1
    assert matching.babilong_official("milk, apple", "apple,milk", things, "What?") == 1
    assert matching.babilong_official("milk", "milk,milk", things, "What?") == 0  # two parts, one label
    assert matching.babilong_official("e,n", "e,n", matching.BABILONG_LABELS[19], "How?") == 1  # no set
    assert matching.babilong_official("kitchen Question: the office?", "kitchen", PLACES, "?") == 0  # no end of it


def test_the_published_labels_are_those_of_our_worlds() -> None:
    assert {qa: set(labels) for qa, labels in LABELS.items()} == {
        qa: set(labels) for qa, labels in matching.BABILONG_LABELS.items() if qa <= 10
    }


@given(st.text(alphabet="ab-1 \n\t:\"'.,?!{};(", max_size=20), st.sampled_from(["a", "a-1", "b1"]))
def test_word_contained_is_infinite_benchs(output: str, target: str) -> None:
    """Each of ten characters becomes a space; the words are what white space parts."""
    parted = output
    for mark in ("\n", ":", '"', "'", ".", ",", "?", "!", "{", "}"):
        parted = parted.replace(mark, " ")
    assert matching.word_contained(output, target) == float(target in parted.split())


@pytest.mark.parametrize(
    ("output", "score"), [('"ab-1"', 1), ("it is {ab-1}.", 1), ("(ab-1)", 0), ("ab-1;", 0), ("AB-1", 0), ("", 0)]
)
def test_word_contained_knows_ten_marks_and_the_case(output: str, score: int) -> None:
    assert matching.word_contained(output, "ab-1") == score


def test_without_controls_turns_them_into_newlines_and_bares_the_ends() -> None:
    assert matching.without_controls(" \x00a\tb\x1f ") == "a\nb"


@pytest.mark.parametrize(
    ("output", "target"),
    [
        ("It is **Cello**.", "cello"),
        ("cello", "Cello"),
        ("violoncello or cello", "cello"),  # the second place counts
        ("aaa-aa a", "aa"),
        ("Eat a\n sandwich, then sit", "eat a sandwich."),
        ("答案是大提琴。", "大提琴"),
        ("Rock’n’roll!", "rock'n'roll"),
        ("CAFE\u0301", "café"),
        ("at 3.5 km", "3.5 km"),
        ("it is ?!", "?!"),
        ("1,234", "1234"),
        ("1234", "1,234"),
    ],
)
def test_all_named_finds_words_of_their_own_in_any_dress(output: str, target: str) -> None:
    assert matching.all_named(output, [target]) == 1
    assert matching.all_named(output, [target, "and more"]) == 0


@pytest.mark.parametrize(
    ("output", "target"),
    [
        ("cellos", "cello"),
        ("violoncello", "cello"),
        ("eat sandwich", "eat a sandwich"),
        ("13.5 km", "3.5 km"),
        ("12345", "1234"),
        ("-1234", "1234"),
        ("1234.5", "1234"),
        ("", "cello"),
    ],
)
def test_all_named_finds_nothing_inside_other_words_and_numbers(output: str, target: str) -> None:
    assert matching.all_named(output, [target]) == 0


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("The 2-digit key is 37", 1),
        ("37, again 37 (of 120)", 1),
        ("37 or 38", 0),
        ("370", 0),
        ("", 0),
        ("38", 0),
    ],
)
def test_one_number_takes_the_only_number_of_its_size(output: str, score: int) -> None:
    assert matching.one_number(output, "37") == score


def test_one_number_of_three_digits_may_stand_in_a_list() -> None:
    assert matching.one_number("100 100", "100") == 1
    assert matching.one_number("100 200", "100") == 0

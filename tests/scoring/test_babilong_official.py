"""BABILong's own rule at the answers where each of its steps decides."""

from __future__ import annotations

import pytest

from mta_eval.scoring import matching

PLACES = matching.BABILONG_LABELS[1]
RULES = [matching.babilong_official, matching.one_label_only]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("Kitchen", 1),
        ("the kitchen. The office. The garden", 1),
        ("the kitchen<context>the office<context>the garden", 1),
        ("the kitchen <EXAMPLE> the office <example> the garden", 1),
        ("the kitchen <example> the office <context> the garden", 1),
        ("the kitchen, the office", 0),
        ("nobody knows. the kitchen", 0),
        ("<context>the kitchen", 0),
        ("<example>the kitchen", 0),
    ],
)
def test_only_what_stands_before_the_first_end_counts(rule: object, output: str, score: int) -> None:
    assert rule(output, "kitchen", PLACES, "Where is Mary?") == score  # type: ignore[operator]


@pytest.mark.parametrize("rule", RULES)
def test_labels_of_the_question_do_not_count_in_any_case(rule: object) -> None:
    question = "Where was Mary before the OFFICE?"
    assert rule("the kitchen, before the office", "kitchen", PLACES, question) == 1  # type: ignore[operator]
    assert rule("the office", "office", PLACES, question) == 0  # type: ignore[operator]


@pytest.mark.parametrize("rule", RULES)
def test_names_are_found_in_any_case(rule: object) -> None:
    people = matching.BABILONG_LABELS[5]
    assert rule("It was MARY", "Mary", people, "Who gave it to Fred?") == 1  # type: ignore[operator]
    assert rule("It was mary", "mary", people, "Who gave it to fred?") == 1  # type: ignore[operator]
    assert rule("It was Mary, not Jeff", "Mary", people, "Who gave it?") == 0  # type: ignore[operator]
    assert rule("Mary gave it to Jeff", "Jeff", people, "Who did Mary give it to?") == 1  # type: ignore[operator]


def test_a_target_of_more_than_three_characters_with_a_comma_is_a_set() -> None:
    assert matching.babilong_official("bc and a", "a,bc", ["a", "bc"], "?") == 1
    assert matching.babilong_official("c and a", "a,c", ["a", "c", "a,c"], "?") == 0


def test_a_target_that_names_a_part_twice_is_two_labels_as_published() -> None:
    things = matching.BABILONG_LABELS[8]
    assert matching.babilong_official("milk and apple", "milk,milk", things, "?") == 1


def test_a_longer_label_is_looked_for_first_in_whatever_order_they_are_given() -> None:
    assert matching.one_label_only("none", "none", ["one", "none", "three"], "?") == 1


@pytest.mark.parametrize(
    ("tasks", "labels"),
    [
        ((11, 12, 13), {"bathroom", "bedroom", "garden", "hallway", "kitchen", "office"}),
        ((14,), {"bedroom", "cinema", "kitchen", "office", "park", "school"}),
        ((15,), {"cat", "mouse", "sheep", "wolf"}),
        ((16,), {"gray", "green", "white", "yellow"}),
        ((17, 18), {"no", "yes"}),
        ((20,), {"bedroom", "bored", "garden", "hungry", "kitchen", "thirsty", "tired"}),
    ],
)
def test_tasks_beyond_our_worlds_have_the_published_labels(tasks: tuple[int, ...], labels: set[str]) -> None:
    for qa in tasks:
        assert set(matching.BABILONG_LABELS[qa]) == labels


def test_the_paths_of_qa19_are_two_steps_that_do_not_lead_back() -> None:
    back = {"n": "s", "s": "n", "e": "w", "w": "e"}
    steps = {f"{one},{other}" for one in "nesw" for other in "nesw" if other != back[one]}
    assert set(matching.BABILONG_LABELS[19]) == steps
    assert sorted(matching.BABILONG_LABELS) == list(range(1, 21))


def test_a_target_among_several_is_a_first_word_in_any_case() -> None:
    assert matching.first_word("34 and so on", ["12", "34"]) == 1
    assert matching.first_word("cello", ["Cello"]) == 1

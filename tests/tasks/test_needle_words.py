"""What needles say and how they are asked for, in a user's own words."""

from __future__ import annotations

import pytest

from mta_eval.errors import SpecError
from mta_eval.tasks.needle_words import NeedleWords

NEEDLE, QUESTION = "The best thing to do in {key} is {value}.", "What is the best thing to do in {key}?"


def words(needle: str = "", question: str = "", prompt: str = "completion", several: bool = False) -> NeedleWords:
    return NeedleWords(needle, question, "word", prompt, several)


def test_a_needle_fills_its_template_once() -> None:
    assert words(NEEDLE).say("Oslo", "ski") == "The best thing to do in Oslo is ski."
    assert words("{value}, {key}: {value}").say("{value}", "{key}") == "{key}, {value}: {key}"
    assert words().say("Oslo", "ski") == "The magic word of Oslo is ski."


@pytest.mark.parametrize(
    ("templates", "prompt", "after"),
    [
        ((), "completion", "\n\nThe magic word of Oslo is"),
        ((NEEDLE,), "completion", "\n\nThe best thing to do in Oslo is"),
        (
            (NEEDLE, QUESTION),
            "completion",
            "\n\nWhat is the best thing to do in Oslo? The best thing to do in Oslo is",
        ),
        (("", QUESTION), "completion", "\n\nWhat is the best thing to do in Oslo? The magic word of Oslo is"),
        ((NEEDLE, QUESTION), "instruction", "\n\nQuestion: What is the best thing to do in Oslo?\nAnswer:"),
        ((NEEDLE, QUESTION), "chat", "\n\nQuestion: What is the best thing to do in Oslo?"),
        (("", QUESTION), "chat", "\n\nQuestion: What is the best thing to do in Oslo?"),
    ],
)
def test_the_end_of_the_prompt_asks_for_the_key(templates: tuple[str, ...], prompt: str, after: str) -> None:
    asked = words(*templates, prompt=prompt)
    asked.check(4)
    assert asked.around(["Oslo"])[1] == after
    assert ("magic" in asked.around(["Oslo"])[0]) == (prompt != "completion" and not templates[0])


def test_several_keys_are_joined() -> None:
    assert words(NEEDLE, several=True).around(["Oslo", "Rome", "Lima"])[1].endswith("in Oslo, Rome and Lima is")


def test_a_value_may_not_stand_between_the_places_of_the_templates() -> None:
    fixed = words(NEEDLE, QUESTION).fixed
    assert "The best thing to do in " in fixed
    assert "What is the best thing to do in " in fixed
    assert "{" not in fixed
    assert fixed[0] == fixed[-1] == "\n"


@pytest.mark.parametrize(("needle", "named"), [("", True), (NEEDLE, True), ("It is {value}.", False)])
def test_a_needle_says_its_key_or_not(needle: str, named: bool) -> None:
    assert words(needle).names_keys is named


@pytest.mark.parametrize(
    ("templates", "prompt", "keys", "message"),
    [
        (("In {city}: {value}",), "completion", 1, r"needle has the place \{city\}; .* \{key\} and \{value\}"),
        (("{key}",), "completion", 1, r"needle lacks \{value\}, .*such as needle=\"The best"),
        (("4",), "completion", 1, "did you mean 'needles'"),
        (("It is {value}.",), "completion", 2, r"needle lacks \{key\}, which tells the 2 keys apart"),
        ((NEEDLE, "What is it?"), "chat", 2, r"question lacks \{key\}"),
        ((NEEDLE, "Is it {value}, {key}?"), "chat", 2, "gives the answer away"),
        ((NEEDLE,), "chat", 1, "prompt=chat asks in words"),
        ((NEEDLE,), "instruction", 1, "prompt=instruction asks in words"),
        ((" {value} is best in {key}",), "completion", 1, r"no words before \{value\}"),
        (("What is {value} in {key}",), "completion", 2, r"\{key\} only behind \{value\}"),
        (("a\n{value}",), "completion", 1, "needle has a line break"),
        ((NEEDLE, "a\r?"), "completion", 1, "question has a line break"),
    ],
)
def test_templates_that_cannot_be_asked_are_one_clear_line(
    templates: tuple[str, ...], prompt: str, keys: int, message: str
) -> None:
    with pytest.raises(SpecError, match=message) as error:
        words(*templates, prompt=prompt).check(keys)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("templates", "prompt", "keys"),
    [
        (("It is {value}.", "What?"), "chat", 1),
        (("It is {value} in {key}", QUESTION), "completion", 2),  # the question names the key
        (("{value} is best in {key}", QUESTION), "chat", 2),
        (('{"key": "{key}", "value": "{value}"}',), "completion", 2),
    ],
)
def test_templates_that_can_be_asked_pass(templates: tuple[str, ...], prompt: str, keys: int) -> None:
    words(*templates, prompt=prompt).check(keys)


def test_what_templates_say_between_their_places_is_fixed() -> None:
    own = words("In {key} do {value}, and {key}!", "What in {key}?")
    assert own.fixed.split("\n") == ["", "In ", " do ", ", and ", "!", "What in ", "?", ""]
    assert words().fixed.split("\n") == ["", "The magic word of ", " is ", ".", "", ""]


def test_a_single_needle_may_be_asked_without_a_key() -> None:
    words("The code is {value}.").check(1)


def test_our_own_words_ask_for_one_value_or_several() -> None:
    one, several = words(prompt="chat"), words(prompt="chat", several=True)
    assert one.around(["Oslo"])[1] == "\n\nQuestion: What is the magic word of Oslo? Answer with the word alone."
    told = "\n\nQuestion: What are the magic words of Oslo and Rome? Answer with the words alone."
    assert several.around(["Oslo", "Rome"])[1] == told
    one.check(1)

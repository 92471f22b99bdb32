"""Thoughts and answers told apart, for every shape in which models write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta_eval.models.thoughts import FORMATS, HARMONY, THINK, ThoughtFormat, formats_in, opened_by, split_thoughts

T, ANSWER = "let me look", "It is 42."


@pytest.mark.parametrize("form", FORMATS)
def test_a_thought_in_the_marks_of_any_family_is_no_part_of_the_answer(form: ThoughtFormat) -> None:
    text = f"{form.opening}{T}{form.closing}{ANSWER}"
    assert split_thoughts(text, FORMATS) == (T, ANSWER, False)
    assert split_thoughts(text.removeprefix(form.opening), FORMATS, form) == (T, ANSWER, False)
    assert split_thoughts(form.opening + T, FORMATS) == (T, "", True)
    assert split_thoughts(T, FORMATS, form) == (T, "", True)
    assert opened_by(f"question\n{form.opening}\n", FORMATS) == form
    assert opened_by(f"question\n{form.opening}\n\n{form.closing}\n\n", FORMATS) is None
    assert form in formats_in(f"{{{{ '{form.opening}{form.closing}' }}}}", ())


@pytest.mark.parametrize(
    ("text", "thought", "answer", "unfinished"),
    [
        ("42", "", "42", False),
        ("<think>\n\n</think>\n\n42", "", "\n\n42", False),
        ("a</think>42", "a", "42", False),
        ("<think>a</think>4<think>b</think>2", "a\nb", "42", False),
        ("42 <think>hm", "hm", "42 ", True),
        ("sure <think>it is 42</think> no", "it is 42", "sure  no", False),
        ("<think>a<think>b</think>c</think>42", "a<think>b\nc", "42", False),
        ("", "", "", False),
        ("<|channel|>final<|message|>42<|return|>", "", "42", False),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>42",
            "a",
            "42",
            False,
        ),
        ("<|channel|>commentary<|message|>b<|end|><|start|>assistant<|channel|>final<|message|>42", "b", "42", False),
    ],
)
def test_every_shape(text: str, thought: str, answer: str, unfinished: bool) -> None:
    assert split_thoughts(text, (THINK, HARMONY)) == (thought, answer, unfinished)


@given(st.lists(st.tuples(st.text("ab \n", max_size=8), st.text("cd \n", max_size=8)), max_size=4))
def test_no_letter_of_a_thought_is_in_the_answer_and_none_is_lost(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"<think>{thought}</think>{answer}" for thought, answer in parts)
    split = split_thoughts(text, (THINK,))
    assert split.answer == "".join(answer for _, answer in parts)
    assert "".join(split.thought.split()) == "".join("".join(thought for thought, _ in parts).split())
    assert not split.unfinished


def test_only_marks_of_the_model_itself_are_marks() -> None:
    assert formats_in("{{ messages }}", ["<s>"]) == ()
    assert formats_in("{{ messages }}<think>\n", ["<s>"]) == (THINK,)  # a template that opens a thought for the model
    assert formats_in("", ["</think>"]) == (THINK,)
    assert formats_in("", ["<|channel|>"]) == (HARMONY,)
    assert split_thoughts("[THINK]a[/THINK]b", (THINK,)) == ("", "[THINK]a[/THINK]b", False)

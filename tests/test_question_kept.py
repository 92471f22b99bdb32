"""The question that a record keeps, for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mta_eval.core import Sample
from mta_eval.runner import QUESTION, asked_question

SAMPLE = Sample("t/1", "t", "Long story.\n\nWho came? Answer:", ("Ann",), {}, 64, 10, 8)


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("Long story.\n\nWho came? Answer:", "Who came? Answer:"),
        ("Long story. Who came?\n\n", "Long story. Who came?"),
        ("x" * 5000, "x" * QUESTION),
    ],
)
def test_the_question_is_the_last_paragraph_of_the_prompt_or_its_end(prompt: str, question: str) -> None:
    assert asked_question(replace(SAMPLE, prompt=prompt)) == question


def test_of_a_chat_it_is_that_of_the_last_message_of_the_user() -> None:
    chat = ({"role": "user", "content": "A story.\n\nWho left?"}, {"role": "assistant", "content": "It was"})
    assert asked_question(replace(SAMPLE, prompt="<|user|>…", chat=chat)) == "Who left?"


def test_a_text_that_is_read_asks_nothing() -> None:
    assert asked_question(replace(SAMPLE, targets=())) == ""

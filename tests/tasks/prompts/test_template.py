"""What surrounds the context, with a chat template and without."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mta_eval.core import Message, PromptSettings
from mta_eval.errors import ModelError
from mta_eval.tasks.prompts.template import PromptTemplate, chat_messages, prompt_template


@dataclass
class Talker:
    """Renders the content of each message as `form` says, with a BOS."""

    form: str
    prompt_settings: PromptSettings = field(default_factory=PromptSettings)
    specials: tuple[int, int] = (1, 2)

    def render(self, messages: list[Message]) -> str:
        return "<s>" + "".join(self.form.format(message["role"], message["content"]) for message in messages) + "Now:"


def template_of(form: str, chat: bool = True, **settings: str) -> PromptTemplate:
    talker = Talker(form, PromptSettings(**settings))  # type: ignore[arg-type]
    return prompt_template(talker, "Read ", " well.", chat)  # type: ignore[arg-type]


def test_a_plain_prompt_has_the_words_alone_and_the_models_special_tokens() -> None:
    plain = template_of("", chat=False)
    assert plain == PromptTemplate("Read ", " well.")
    assert plain.specials(Talker("")) == (1, 2)  # type: ignore[arg-type]
    assert plain.messages("this") is None


def test_a_chat_spells_its_special_tokens_out_and_knows_its_messages() -> None:
    chat = template_of("[{0}] {1}\n", system="Be brief.")
    assert (chat.before, chat.after) == ("<s>[system] Be brief.\n[user] Read ", " well.\nNow:")
    assert chat.specials(Talker("")) == (0, 0)  # type: ignore[arg-type]
    messages = chat.messages("this")
    assert messages == chat_messages("Read this well.", "Be brief.")
    assert [message["role"] for message in messages or ()] == ["system", "user"]
    assert chat.before + "this" + chat.after == Talker("[{0}] {1}\n").render([*(messages or ())])
    assert [message["role"] for message in template_of("{1}").messages("this") or ()] == ["user"]


@pytest.mark.parametrize("form", ["{0}", "{1} {1}", "{1:.9}"], ids=["left out", "said twice", "cut"])
def test_a_template_that_changes_the_message_is_refused(form: str) -> None:
    with pytest.raises(ModelError, match="does not hold the user's message exactly once; use prompt=instruction"):
        template_of(form)

"""Prompt templates: the instruction before the context, the question after it, and the chat template around both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mta_eval.core import Message, Tokenizer
from mta_eval.errors import ModelError


@dataclass(frozen=True)
class PromptTemplate:
    """What surrounds the context, as the model reads it, and the messages behind it where there is a chat."""

    before: str
    after: str
    question: tuple[str, str] | None = None  # the user's words around the context, where a chat template wraps them
    system: str = ""

    def specials(self, tokenizer: Tokenizer) -> tuple[int, int]:
        """Tokens added before and after the prompt; a rendered chat spells its own out."""
        return tokenizer.specials if self.question is None else (0, 0)

    def with_answer_prefix(self, prefix: str) -> PromptTemplate:
        """The same with the beginning of the answer after it: in a chat it is the model's own, not the user's."""
        return replace(self, after=self.after + prefix)

    def messages(self, context: str) -> tuple[Message, ...] | None:
        """The chat around `context`, or None for a plain prompt."""
        if self.question is None:
            return None
        return chat_messages(self.question[0] + context + self.question[1], self.system)


def prompt_template(tokenizer: Tokenizer, before: str, after: str, chat: bool) -> PromptTemplate:
    """The texts around the context; with `chat`, one user message in the model's own template.

    Raises ModelError if there is no template, or it changes the message or leaves the system prompt out.
    """
    if not chat:
        return PromptTemplate(before, after)
    hole, system = "<the context goes here>", tokenizer.prompt_settings.system
    rendered = tokenizer.render(chat_messages(before + hole + after, system))
    if system.strip() not in rendered:
        raise ModelError("the chat template leaves the system prompt out; the model would not see it; drop --system")
    parts = rendered.split(hole)
    if len(parts) != 2:
        raise ModelError("the chat template does not hold the user's message exactly once; use prompt=instruction")
    return PromptTemplate(parts[0], parts[1], (before, after), system)


def chat_messages(question: str, system: str) -> tuple[Message, ...]:
    """The messages of a chat: the system prompt, if there is one, and the user's question."""
    asked: Message = {"role": "user", "content": question}
    return ({"role": "system", "content": system}, asked) if system else (asked,)

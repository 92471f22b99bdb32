"""How a sample's prompt is sent to an OpenAI-compatible server, so that the model reads it and nothing else.

A chat goes out as messages where the server's own rendering of them is the prompt that was counted: with the options of
the template, and with the beginning of the answer as a last message. Otherwise the prompt is sent as we rendered it.
"""

from __future__ import annotations

from typing import NamedTuple

from mta_eval.core import Json, Message, Sample
from mta_eval.errors import ModelError
from mta_eval.models.chat_templates import options_of, variables_of
from mta_eval.models.http_keys import is_openai
from mta_eval.models.server_facts import ServerFacts
from mta_eval.models.tokenizer import FastTokenizer

CLOCK = "strftime_now"  # with which a chat template asks for the day; a server tells it today's
# by what the list of models names as owner: who takes `chat_template_kwargs`, and `continue_final_message`
TAKES_OPTIONS, CONTINUES = ("vllm", "sglang", "llamacpp"), ("vllm", "sglang")
TAKES_NEITHER = ("openai", "openai-internal", "system", "library", "me")  # OpenAI, Ollama, llama-cpp-python


def options_sent(sample: Sample, tokenizer: FastTokenizer) -> dict[str, Json]:
    """The options of the chat template that a sample's settings make. Raises ModelError as `options_of` does."""
    return dict(options_of(tokenizer.chat_template, sample.settings))


def chat_body(sample: Sample, tokenizer: FastTokenizer) -> dict[str, Json]:
    """A chat as a server renders it itself."""
    options = options_sent(sample, tokenizer)
    body: dict[str, Json] = {"messages": [*_messages(sample)]}
    if sample.settings.answer_prefix:
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body | ({"chat_template_kwargs": options} if options else {})


class Obstacle(NamedTuple):
    """Why the messages of a chat cannot be sent. `software`: the server's kind is why, or that it is unknown."""

    why: str
    software: bool = False


def obstacle(sample: Sample, tokenizer: FastTokenizer, facts: ServerFacts) -> Obstacle | None:
    """Why a server would not make the prompt of the messages of a chat; None if it would."""
    prefix, options = sample.settings.answer_prefix, options_sent(sample, tokenizer)
    if tokenizer.with_settings(sample.settings).render(sample.chat or ()) != sample.prompt:
        return Obstacle("the prompt was cut to the window")
    if CLOCK in tokenizer.chat_template:
        return Obstacle("its chat template asks for the day, and the server would tell it today's")
    server = f"a server of {facts.kind!r}" if facts.kind else "a server of unknown software"
    if options and facts.kind not in TAKES_OPTIONS:
        return Obstacle(f"{server} takes no options of chat templates ({', '.join(options)})", software=True)
    if prefix and facts.kind not in CONTINUES:
        return Obstacle(f"{server} continues no answer that was begun for it", software=True)
    if prefix and _continued(sample, tokenizer) != sample.prompt:
        return Obstacle("the server would render the beginning of the answer otherwise")
    return None


def is_sent_as_messages(sample: Sample, tokenizer: FastTokenizer, facts: ServerFacts, api: str) -> bool:
    """Whether a chat is sent as messages, and not as the prompt that was rendered here.

    With api=chat a server of unknown software is sent what it may not take: the count of tokens tells whether it did.
    Raises ModelError where the prompt cannot be sent otherwise.
    """
    found = obstacle(sample, tokenizer, facts)
    if found is None:
        return True
    if found.software and is_openai(facts.base):  # whose chat models take no rendered prompts either
        raise ModelError(f"{sample.id} cannot be asked there: {found.why}")
    if api == "auto":
        return False
    if found.software and facts.kind not in (*TAKES_OPTIONS, *TAKES_NEITHER):
        return True
    raise ModelError(f"api=chat cannot send {sample.id}: {found.why}; use api=auto, which sends the rendered prompt")


def _messages(sample: Sample) -> list[Message]:
    prefix = sample.settings.answer_prefix
    return [*(sample.chat or ()), *([{"role": "assistant", "content": prefix}] if prefix else [])]


def _continued(sample: Sample, tokenizer: FastTokenizer) -> str:
    """The chat and the beginning of its answer as transformers renders it, and with it vLLM; "" where it cannot."""
    assert tokenizer.owner is not None
    variables = variables_of(tokenizer.chat_template, sample.settings)
    try:
        return str(
            tokenizer.owner.apply_chat_template(
                _messages(sample), tokenize=False, continue_final_message=True, **variables
            )
        )
    except Exception:  # a template is a program: it raises what it likes
        return ""

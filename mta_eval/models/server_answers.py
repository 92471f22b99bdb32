"""Reading what an OpenAI-compatible server answers, and refusing what is no answer to the prompt that was sent."""

from __future__ import annotations

from typing import Any

from mta_eval.core import Answer
from mta_eval.models.http_calls import ServerError

BROKEN_OFF = ("abort", "content_filter", "error")


def check_prompt(reply: Any, expected: int, slack: int = 0) -> None:
    """Raises ServerError if the server read a prompt of another length, in tokens, than was sent (within `slack`)."""
    if not isinstance(reply, dict):
        raise ServerError(f"the server answered {type(reply).__name__}, not an object")
    usage = reply.get("usage")
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if isinstance(read, int) and abs(read - expected) > slack:
        why = (
            "it cut the prompt (raise its window: --max-model-len, --ctx-size, num_ctx), left out BOS, or has"
            if read < expected
            else "it put BOS twice, or has"
        )
        raise ServerError(
            f"the server read {read} prompt tokens, not {expected}: {why} another tokenizer or chat template"
        )
    if reply.get("truncated") is True:
        raise ServerError("the server says that it cut the prompt; raise its window")


def read_answer(reply: dict[str, Any], max_new_tokens: int) -> Answer:
    """The answer of a completion or a chat. Raises ServerError if there is none, or the server broke it off."""
    choice = first_choice(reply)
    message = choice.get("message")
    answer = message.get("content") if isinstance(message, dict) else choice.get("text")
    reason = choice.get("finish_reason")
    if reason in BROKEN_OFF:
        raise ServerError(f"the server broke the answer off: finish_reason {reason}")
    usage = reply.get("usage")
    made = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if reason == "length" and isinstance(made, int) and made < max_new_tokens:
        raise ServerError(f"the server's window ended after {made} of {max_new_tokens} answer tokens; raise its window")
    if not answer and isinstance(message, dict) and (message.get("reasoning_content") or message.get("reasoning")):
        raise ServerError("the answer is all reasoning and no text; switch the model's thinking off in the server")
    if answer is None and isinstance(message, dict):
        answer = ""  # how some servers spell an answer that ended at once
    if not isinstance(answer, str):
        raise ServerError("the server's answer holds no text")
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return Answer(
        answer,
        finish="length" if reason == "length" else "stop",
        prompt_tokens=read if isinstance(read, int) else None,
        output_tokens=made if isinstance(made, int) else None,
    )


def prompt_logprobs(reply: dict[str, Any], tokens: int) -> list[float] | None:
    """log p of each of the prompt's `tokens` tokens (the first, which has none, as 0.0); None if they are not there.

    Shape of the OpenAI API with `echo`: choices[0].logprobs.token_logprobs, prompt first, answer behind it.
    """
    logprobs = first_choice(reply).get("logprobs")
    values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
    if not isinstance(values, list) or len(values) not in (tokens, tokens + 1) or values[0] is not None:
        return None
    numbers = values[1:tokens]
    if not all(isinstance(value, int | float) for value in numbers):
        return None
    return [0.0, *map(float, numbers)]


def first_choice(reply: dict[str, Any]) -> dict[str, Any]:
    """choices[0]. Raises ServerError if there is none."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ServerError("the server's answer holds no choices")
    return choices[0]

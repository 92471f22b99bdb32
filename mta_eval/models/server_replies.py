"""Reading the replies of an OpenAI-compatible server, and refusing what is no answer to the prompt that was sent."""

from __future__ import annotations

from collections.abc import Mapping

from mta_eval.core import Answer, Json
from mta_eval.models.http_calls import ServerError

Reply = Mapping[str, Json]
BROKEN_OFF = ("abort", "content_filter", "error")


def as_object(reply: Json) -> Reply:
    """The reply as an object. Raises ServerError if it is none."""
    if not isinstance(reply, Mapping):
        raise ServerError(f"the server answered {type(reply).__name__}, not an object")
    return reply


def usage_count(reply: Reply, key: str) -> int | None:
    """A number of tokens in the reply's `usage`; None where the server gives none or what is no count."""
    usage = reply.get("usage")
    value = usage.get(key) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def check_prompt(reply: Reply, expected: int, slack: int = 0) -> None:
    """Raises ServerError if the server read a prompt of another length, in tokens, than was sent (within `slack`)."""
    read = usage_count(reply, "prompt_tokens")
    if read is not None and abs(read - expected) > slack:
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


def read_answer(reply: Reply, max_new_tokens: int) -> Answer:
    """The answer of a completion or a chat. Raises ServerError if there is none, or the server broke it off."""
    choice = first_choice(reply)
    message = choice.get("message")
    text = message.get("content") if isinstance(message, Mapping) else choice.get("text")
    reason = choice.get("finish_reason")
    if reason in BROKEN_OFF:
        raise ServerError(f"the server broke the answer off: finish_reason {reason}")
    count = usage_count(reply, "completion_tokens")
    if reason == "length" and count is not None and count < max_new_tokens:
        raise ServerError(
            f"the server's window ended after {count} of {max_new_tokens} answer tokens; raise its window"
        )
    if not text and isinstance(message, Mapping) and (message.get("reasoning_content") or message.get("reasoning")):
        raise ServerError("the answer is all reasoning and no text; switch the model's thinking off in the server")
    if text is None and isinstance(message, Mapping):
        text = ""  # how some servers spell an answer that ended at once
    if not isinstance(text, str):
        raise ServerError("the server's answer holds no text")
    return Answer(
        text,
        finish="length" if reason == "length" else "stop",
        prompt_tokens=usage_count(reply, "prompt_tokens"),
        output_tokens=count,
    )


def prompt_logprobs(reply: Reply, tokens: int) -> list[float] | None:
    """log p of each of the prompt's `tokens` tokens (0.0 for the first, which has none); None without them.

    Shape of the OpenAI API with `echo`: choices[0].logprobs.token_logprobs, those of the prompt before the answer's.
    """
    logprobs = first_choice(reply).get("logprobs")
    values = logprobs.get("token_logprobs") if isinstance(logprobs, Mapping) else None
    if not isinstance(values, list) or len(values) not in (tokens, tokens + 1) or values[0] is not None:
        return None
    numbers = values[1:tokens]
    if not all(isinstance(value, int | float) for value in numbers):
        return None
    return [0.0, *map(float, numbers)]


def first_choice(reply: Reply) -> Reply:
    """choices[0]. Raises ServerError if there is none."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise ServerError("the server's answer holds no choices")
    return choices[0]

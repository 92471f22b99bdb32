"""Reading the replies of an OpenAI-compatible server, and refusing what is no answer to the prompt that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mta_eval.core import Answer, Json, Sample
from mta_eval.models.answer_text import GivenText, answer_of
from mta_eval.models.http_failures import ServerError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.outside import LARGEST

Reply = Mapping[str, Json]
BROKEN_OFF = ("abort", "error")
THOUGHTS = ("reasoning_content", "reasoning")  # what chat replies call a thought that the server told apart


def as_object(reply: Json) -> Reply:
    """The reply as an object. Raises ServerError if it is none."""
    if not isinstance(reply, Mapping):
        raise ServerError(f"the server answered {type(reply).__name__}, not an object")
    return reply


def usage_count(reply: Reply, key: str) -> int | None:
    """A number of tokens in the reply's `usage`; None where the server gives none or what is no count."""
    usage = reply.get("usage")
    return _count(usage.get(key)) if isinstance(usage, Mapping) else None


def prompt_checked(reply: Reply, expected: int, slack: int = 0, trust: bool = False) -> bool:
    """Whether the server says that it read a prompt of `expected` tokens (within `slack`); False if it does not say.

    Raises ServerError if it read another number of tokens, unless `trust` takes that for no check either, and if it
    says that it cut the prompt.
    """
    if reply.get("truncated") is True:
        raise ServerError("the server says that it cut the prompt; raise its window")
    read = usage_count(reply, "prompt_tokens")
    if read is None:
        return False
    if abs(read - expected) <= slack:
        return True
    if trust:
        return False
    why = (
        "it cut the prompt (raise its window: --max-model-len, --ctx-size, num_ctx), left out BOS, or has"
        if read < expected
        else "it put BOS twice, or has"
    )
    raise ServerError(
        f"the server read {read} prompt tokens, not {expected}: {why} another tokenizer or chat template; "
        "count=trust accepts it, marked unverified"
    )


def answer_in(reply: Reply, sample: Sample, tokenizer: FastTokenizer, special_tokens: bool = False) -> Answer:
    """The answer in a reply; `special_tokens` are spelled out in it. Raises ServerError as `given_text` does.

    A refusal is an answer that is not the model's: its text is what was said for it, its finish "refused".
    """
    read, made = usage_count(reply, "prompt_tokens"), usage_count(reply, "completion_tokens")
    refused = refusal(reply)
    if refused is not None:
        return Answer(refused, finish="refused", prompt_tokens=read, output_tokens=made)
    given = replace(given_text(reply, sample.budget), special_tokens=special_tokens)
    return replace(answer_of(given, sample, tokenizer), prompt_tokens=read)


def refusal(reply: Reply) -> str | None:
    """What a model or server that refuses to answer says; "" if it says nothing; None if it does not refuse."""
    choice = first_choice(reply)
    message = choice.get("message")
    said = message.get("refusal") if isinstance(message, Mapping) else None
    if isinstance(said, str) and said:
        return said
    return "" if choice.get("finish_reason") == "content_filter" else None


def given_text(reply: Reply, budget: int) -> GivenText:
    """The text of a completion or a chat. Raises ServerError if there is none, or the server broke it off."""
    choice = first_choice(reply)
    found = choice.get("message")
    message = found if isinstance(found, Mapping) else {}
    text = message.get("content") if message else choice.get("text")
    reason = choice.get("finish_reason")
    if reason in BROKEN_OFF:
        raise ServerError(f"the server broke the answer off: finish_reason {reason}")
    count, elsewhere = usage_count(reply, "completion_tokens"), _reasoning_tokens(reply) > 0
    # OpenAI's models end a thought that would not fit before its last token
    if reason == "length" and count is not None and count < budget and not elsewhere:
        raise ServerError(f"the server's window ended after {count} of {budget} answer tokens; raise its window")
    if text is None and message:
        text = ""  # how some servers spell an answer that ended at once, or never began
    if not isinstance(text, str):
        raise ServerError("the server's answer holds no text")
    return GivenText(
        text,
        "length" if reason == "length" else "stop",
        next((thought for key in THOUGHTS if isinstance(thought := message.get(key), str) and thought), ""),
        thought_elsewhere=elsewhere,
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


def _reasoning_tokens(reply: Reply) -> int:
    """The tokens of thoughts that a server counted; 0 where it says nothing of them. They may be kept from us."""
    usage = reply.get("usage")
    details = usage.get("completion_tokens_details") if isinstance(usage, Mapping) else None
    return _count(details.get("reasoning_tokens")) or 0 if isinstance(details, Mapping) else 0


def _count(value: Json) -> int | None:
    """A number of tokens; None for what is none, whatever it looks like."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None

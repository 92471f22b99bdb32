"""Thoughts: what a thinking model writes before its answer, told apart by the marks that its family puts around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class ThoughtFormat(NamedTuple):
    """The texts that open and close a thought."""

    opening: str
    closing: str


THINK = ThoughtFormat("<think>", "</think>")  # DeepSeek R1, Qwen3, GLM, SmolLM3, …
HARMONY = ThoughtFormat("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")  # gpt-oss
FORMATS = (
    THINK,
    HARMONY,
    ThoughtFormat("◁think▷", "◁/think▷"),  # Kimi
    ThoughtFormat("[THINK]", "[/THINK]"),  # Magistral
    ThoughtFormat("<seed:think>", "</seed:think>"),  # Seed-OSS
    ThoughtFormat("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
    ThoughtFormat("<thought>", "</thought>"),  # EXAONE Deep
    ThoughtFormat("<thinking>", "</thinking>"),
    ThoughtFormat("<|channel>thought", "<channel|>"),  # Gemma
    ThoughtFormat("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
)
# gpt-oss' marks as they are left where special tokens were taken out of a text
BARE_HARMONY = ThoughtFormat("analysis", "assistantfinal")
LEFTOVERS = re.compile(
    r"<\|(?:end|return|call)\|>|<\|start\|>(?:assistant)?|<\|channel\|>\w+|<\|message\|>"
    r"|<\|(?:begin|end)_of_solution\|>|<\|(?:START|END)_RESPONSE\|>"
)


class ThoughtSplit(NamedTuple):
    """A text parted into thought and answer; `unfinished` if it ends inside a thought."""

    thought: str
    answer: str
    unfinished: bool


def formats_in(template: str, tokens: Iterable[str]) -> tuple[ThoughtFormat, ...]:
    """The formats with a mark in a chat template, or whose closing mark is among special tokens."""
    return tuple(_formats(template, set(tokens)))


def _formats(template: str, tokens: set[str]) -> Iterable[ThoughtFormat]:
    for known in FORMATS:
        if known is HARMONY:
            present = "<|channel|>" in template or "<|channel|>" in tokens
        else:
            present = known.opening in template or known.closing in template or known.closing in tokens
        if present:
            yield known


def opened_by(prompt: str, formats: Sequence[ThoughtFormat]) -> ThoughtFormat | None:
    """The format of the thought that a prompt ends in: some chat templates open it for the model."""
    end = prompt.rstrip()
    return next((known for known in formats if end.endswith(known.opening)), None)


def opening_in(text: str, formats: Sequence[ThoughtFormat]) -> ThoughtFormat | None:
    """The format of the first thought that is opened in a text."""
    found = [(text.index(known.opening), known) for known in formats if known.opening in text]
    return min(found)[1] if found else None


def split_thoughts(text: str, formats: Sequence[ThoughtFormat], opened: ThoughtFormat | None = None) -> ThoughtSplit:
    """Every thought of a text taken out of it; `opened` is that of a thought in which the text begins.

    A thought that is closed but was never opened began with the text. The answer is what is left, without the marks
    of channels and turns.
    """
    thoughts: list[str] = []
    answer = ""
    rest = text
    while True:
        if opened is not None:
            thought, closing, rest = rest.partition(opened.closing)
            thoughts.append(thought)
            if not closing:
                return ThoughtSplit(_clean(thoughts), _bare(answer), True)
        closed = closed_first(rest, formats)
        if closed is not None:
            thought, _, rest = rest.partition(closed.closing)
            thoughts.append(answer + thought)
            answer, opened = "", None
            continue
        opened = opening_in(rest, formats)
        if opened is None:
            return ThoughtSplit(_clean(thoughts), _bare(answer + rest), False)
        before, _, rest = rest.partition(opened.opening)
        answer += before


def closed_first(text: str, formats: Sequence[ThoughtFormat]) -> ThoughtFormat | None:
    """The format whose closing mark comes before any opening one."""
    for known in formats:
        closing, opening = text.find(known.closing), text.find(known.opening)
        if closing >= 0 and not 0 <= opening < closing:
            return known
    return None


def _clean(thoughts: Sequence[str]) -> str:
    return "\n".join(filter(None, (_bare(thought).strip() for thought in thoughts)))


def _bare(text: str) -> str:
    return LEFTOVERS.sub("", text)

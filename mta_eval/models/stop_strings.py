"""Where an answer ends at a stop string, the same for every adapter, and which stop strings a backend may look for."""

from __future__ import annotations

from collections.abc import Sequence

MAX_SENT = 4  # the OpenAI API takes no more


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first stop string after its leading white space."""
    start = len(text) - len(text.lstrip())
    ends = [end for stop in stops if (end := text.find(stop, start)) >= 0]
    return text[: min(ends, default=len(text))]


def sendable_stops(stops: Sequence[str]) -> list[str]:
    """The stop strings that a backend may look for, such that `cut_at_stop` of its answer is that of the whole answer.

    Left out are those that begin with white space, which could end the answer before its first word, and those that
    may begin inside another one, which would then be lost.
    """
    candidates = [stop for stop in stops if stop and not stop[0].isspace()]
    return [stop for stop in candidates if not any(_may_begin_inside(other, stop) for other in stops)][:MAX_SENT]


def _may_begin_inside(outer: str, stop: str) -> bool:
    tails = (outer[start:] for start in range(1, len(outer)))
    return outer != stop and any(tail.startswith(stop) or stop.startswith(tail) for tail in tails)

"""The lines of log.jsonl: one for each evaluation of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NotRequired, TypedDict

from mta_eval.outside import read_json

if TYPE_CHECKING:
    from mta_eval.training.trainer import Progress


LARGEST_LOSS = 700.0  # nats, of which e to the power of it is a float


class HeldOutLine(TypedDict):
    """`training.HeldOutErrors` as JSON."""

    loss: float
    tokens: float
    answers: float


class LogLine(TypedDict):
    """`training.Progress` as JSON."""

    step: int
    loss: float
    rate: float
    seconds: float
    held_out: HeldOutLine
    probes: NotRequired[dict[str, float]]  # what `probes.Probes` found, and perplexities of held-out text


def log_line(progress: Progress, probes: Mapping[str, float]) -> LogLine:
    """The line of an evaluation."""
    errors = progress.held_out
    line: LogLine = {
        "step": progress.step,
        "loss": progress.loss,
        "rate": progress.rate,
        "seconds": progress.seconds,
        "held_out": {"loss": errors.loss, "tokens": errors.tokens, "answers": errors.answers},
    }
    return {**line, "probes": dict(probes)} if probes else line


def parse_line(text: bytes) -> LogLine:
    """A line as it was written. Raises ValueError or TypeError if it is damaged."""
    line: LogLine = read_json(text)
    if not isinstance(line, dict):
        raise TypeError("no object")
    return line


def perplexity_of(loss: float) -> float:
    """e to the power of a mean loss in nats."""
    return math.exp(min(loss, LARGEST_LOSS))

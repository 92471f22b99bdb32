"""The lines of log.jsonl: one for each evaluation of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from mta_eval.outside import read_json

if TYPE_CHECKING:
    from mta_eval.training.trainer import Progress


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


def log_line(progress: Progress) -> LogLine:
    """The line of an evaluation."""
    errors = progress.held_out
    return {
        "step": progress.step,
        "loss": progress.loss,
        "rate": progress.rate,
        "seconds": progress.seconds,
        "held_out": {"loss": errors.loss, "tokens": errors.tokens, "answers": errors.answers},
    }


def parse_line(text: bytes) -> LogLine:
    """A line as it was written. Raises ValueError or TypeError if it is damaged."""
    line: LogLine = read_json(text)
    if not isinstance(line, dict):
        raise TypeError("no object")
    return line

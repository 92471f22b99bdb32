"""The lines of log.jsonl."""

import json
import math

import pytest

from mta_eval.training.trainer import HeldOutErrors, Progress
from mta_eval.training.training_log import log_line, parse_line, perplexity_of

PROGRESS = Progress(20, 1.5, 1e-3, 60.0, HeldOutErrors(0.4, 0.1, 0.25))


def test_a_line_reads_back_as_it_was_written() -> None:
    line = log_line(PROGRESS, {"niah 1K": 50.0})
    assert parse_line(json.dumps(line).encode()) == line
    assert line == {
        "step": 20,
        "loss": 1.5,
        "rate": 1e-3,
        "seconds": 60.0,
        "held_out": {"loss": 0.4, "tokens": 0.1, "answers": 0.25},
        "probes": {"niah 1K": 50.0},
    }
    assert "probes" not in log_line(PROGRESS, {})


@pytest.mark.parametrize("text", [b"5", b"[]", b"{", b"\xff"])
def test_a_damaged_line_is_refused(text: bytes) -> None:
    with pytest.raises((TypeError, ValueError)):
        parse_line(text)


def test_perplexity_is_a_number_whatever_the_loss() -> None:
    assert perplexity_of(0.0) == 1
    assert perplexity_of(2.0) == pytest.approx(math.e**2)
    assert math.isfinite(perplexity_of(1e9))

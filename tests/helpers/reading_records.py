"""Records of texts that were read, made up for tests."""

from __future__ import annotations

import math
from typing import Any

from mta_eval.core import Record


def reading(
    nats: float, predicted: int, domain: str = "book", window: int = 0, model: str = "m", **axes: Any
) -> Record:
    """One window; each token has two bytes; half its nats are in the first of two stretches of equal length."""
    known = {"length": 2048, "depth": None, "domain": domain, "document": 0, "window": window}
    known |= {"predicted": predicted, "characters": 2 * predicted, "bytes": 2 * predicted, "nats": nats} | axes
    score = math.exp(-nats / predicted)
    stretches = [[1, nats / 2, predicted // 2], [64, nats / 2, predicted // 2]]
    name = f"perplexity/{known['length']}/any/{domain}{window}"
    return Record(name, "perplexity", model, known, [], None, score, predicted + 1, 0, 0.5, positions=stretches)

"""What several records say together: accuracy and perplexity with their intervals.

Records of perplexity are those of tasks named `perplexity…` and LAMBADA: their axes carry `nats`, the sum of
-log p over what was predicted, and `predicted`, over how many tokens (LAMBADA: words). Their score says nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean, stdev
from typing import NamedTuple

from scipy import special

from mta_eval.core import Record
from mta_eval.results.draws import draw_of, estimate_of
from mta_eval.results.statistics import ENDS


@dataclass(frozen=True)
class Measurement:
    """One measured value with its 95 % interval (None if one sample tells nothing of the spread), and what of it each
    seed has, if there are several. `count` is how many samples stand behind it, `cut` how many of them were cut.
    """

    mean: float
    low: float | None
    high: float | None
    count: int
    seeds: Mapping[str, float] = field(default_factory=dict)
    cut: int = 0

    @property
    def std(self) -> float | None:
        """The sample standard deviation over the seeds; None unless there are several."""
        return stdev(self.seeds.values()) if len(self.seeds) > 1 else None


def accuracy(records: Sequence[Record]) -> Measurement | None:
    """The mean score in per cent; None if no record has a score."""
    found, scored = estimate_of(records), [record for record in records if record.score is not None]
    if found is None:
        return None
    cut = sum(record.truncated for record in scored)
    return Measurement(100 * found.mean, 100 * found.low, 100 * found.high, len(scored), cut=cut)


class Finishes(NamedTuple):
    """Of answers: how many there are, ended by their budget, were refused, or were read from an unconfirmed prompt."""

    answers: int
    unfinished: int
    refused: int
    unverified: int

    @property
    def unfinished_share(self) -> float:
        """Of the answers, those that their budget ended."""
        return self.unfinished / max(self.answers, 1)

    @property
    def refused_share(self) -> float:
        """Of the answers, those that were refused."""
        return self.refused / max(self.answers, 1)


def finishes(records: Sequence[Record]) -> Finishes:
    """Counted over the records that hold an answer."""
    answered = [record for record in records if record.output is not None]
    return Finishes(
        len(answered),
        sum(record.finish == "length" for record in answered),
        sum(record.finish == "refused" for record in answered),
        sum(record.unverified for record in answered),
    )


def perplexity(records: Sequence[Record]) -> Measurement | None:
    """exp(nats / predicted) over all records together, with the t interval of that ratio over the documents that they
    are of (one document alone: over its windows); None if none has them."""
    records = [record for record in records if record.axes.get("nats") is not None and record.axes.get("predicted")]
    if not records:
        return None
    windows = [(record.number("nats"), record.number("predicted")) for record in records]
    documents: dict[Hashable, tuple[float, float]] = {}
    for draw, (nats, predicted) in zip(map(draw_of, records), windows, strict=True):
        before = documents.get(draw, (0.0, 0.0))
        documents[draw] = before[0] + nats, before[1] + predicted
    pairs = list(documents.values()) if len(documents) > 1 else windows
    return replace(perplexity_of_sums(pairs, sum(record.truncated for record in records)), count=len(records))


def perplexity_of_sums(pairs: Sequence[tuple[float, float]], cut: int = 0) -> Measurement:
    """`perplexity` of (nats, tokens), a pair for each text; at least one. `cut` of the texts were cut."""
    predicted = math.fsum(tokens for _, tokens in pairs)
    loss = math.fsum(nats for nats, _ in pairs) / predicted
    if len(pairs) == 1:
        return Measurement(math.exp(loss), None, None, 1, cut=cut)
    squares = math.fsum((nats - loss * tokens) ** 2 for nats, tokens in pairs)
    spread = math.sqrt(squares * len(pairs) / (len(pairs) - 1)) / predicted
    half_width = float(special.stdtrit(len(pairs) - 1, ENDS[1])) * spread
    return Measurement(math.exp(loss), math.exp(loss - half_width), math.exp(loss + half_width), len(pairs), cut=cut)


def average(cells: Iterable[Measurement | None]) -> Measurement | None:
    """The plain mean of cells, None if one is missing. Interval: MOVER (Zou and Donner 2008), from theirs."""
    found = list(cells)
    known = [cell for cell in found if cell is not None]
    if not found or len(known) < len(found):
        return None
    value, count = mean(cell.mean for cell in known), sum(cell.count for cell in known)
    seeds = set.intersection(*(set(cell.seeds) for cell in known))
    each = {seed: mean(cell.seeds[seed] for cell in known) for seed in sorted(seeds)}
    below = [cell.mean - cell.low for cell in known if cell.low is not None]
    above = [cell.high - cell.mean for cell in known if cell.high is not None]
    cut = sum(cell.cut for cell in known)
    if len(below) < len(known) or len(above) < len(known):
        return Measurement(value, None, None, count, each, cut)
    low, high = value - math.hypot(*below) / len(known), value + math.hypot(*above) / len(known)
    return Measurement(value, low, high, count, each, cut)

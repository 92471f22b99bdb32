"""Records -> what a model scored at one cell of a paper, several seeds of its training together.

Records of perplexity are those of tasks named `perplexity…` and LAMBADA: their axes carry `nats`, the sum of
-log p over what was predicted, and `predicted`, over how many tokens (LAMBADA: words). Their score says nothing here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import mean, stdev
from typing import Any

from scipy import stats

from mta_eval.core import Record, Run
from mta_eval.papers.trained import model_facts
from mta_eval.results.clusters import estimate_of
from mta_eval.results.statistics import ENDS
from mta_eval.results.table import model_text

NAMES = {"transformer": "Transformer", "mta": "MTA", "diff": "DIFF", "talking_heads": "Talking heads"}
HERE = ("seed", "device")  # facts in which the seeds of one model may differ


@dataclass(frozen=True)
class Cell:
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


@dataclass(frozen=True)
class Measured:
    """A model with its records: of one name, or several seeds of the same training, told apart by `seed_of`."""

    name: str
    records: list[Record]
    seed_of: Mapping[str, str] = field(default_factory=dict)

    def only(self, wanted: Callable[[Record], bool]) -> Measured:
        """The same model with the wanted records alone."""
        return replace(self, records=[record for record in self.records if wanted(record)])

    def cell(self, wanted: Callable[[Record], bool], measure: Measure) -> Cell | None:
        """What `measure` makes of the wanted records, all seeds pooled; None if there are none to go by."""
        found = [record for record in self.records if wanted(record)]
        pooled = measure(found)
        if pooled is None or not self.seed_of:
            return pooled
        seeds: dict[str, list[Record]] = defaultdict(list)
        for record in found:
            seeds[self.seed_of[record.model]].append(record)
        each = {seed: one.mean for seed, group in sorted(seeds.items()) if (one := measure(group))}
        return Cell(pooled.mean, pooled.low, pooled.high, pooled.count, each, pooled.cut)


Measure = Callable[[Sequence[Record]], Cell | None]


def measured_models(records: Sequence[Record], runs: Sequence[tuple[str, Run]]) -> list[Measured]:
    """The models in `records`, in their order; those that differ in nothing but the seed of their training as one."""
    about = model_facts(runs)
    names = list(dict.fromkeys(record.model for record in records))
    kinds: dict[Any, list[str]] = defaultdict(list)
    for name in names:
        facts = about.get(name, {})
        known = "seed" in facts and "attention" in facts
        kinds[tuple(sorted(x for x in facts.items() if x[0] not in HERE)) if known else name].append(name)
    found: list[Measured] = []
    for group in kinds.values():
        seeds = {name: about.get(name, {}).get("seed", name) for name in group}
        together = [group] if len(set(seeds.values())) == len(group) else [[name] for name in group]
        found += [_measured(part, seeds, about, records, {one.name for one in found}) for part in together]
    return found


def _measured(
    group: Sequence[str],
    seeds: Mapping[str, str],
    about: Mapping[str, Mapping[str, str]],
    records: Sequence[Record],
    taken: set[str],
) -> Measured:
    own = [record for record in records if record.model in group]
    if len(group) == 1:
        return Measured(model_text(group[0]), own)
    facts = about[group[0]]
    name = f"{NAMES.get(facts['attention'], facts['attention'])}, preset {facts.get('preset', '?')}, {len(group)} seeds"
    return Measured(name if name not in taken else f"{name} ({model_text(group[0])} …)", own, dict(seeds))


def accuracy(records: Sequence[Record]) -> Cell | None:
    """The mean score in per cent; None if no record has a score."""
    one, scored = estimate_of(records), [record for record in records if record.score is not None]
    if one is None:
        return None
    cut = sum(record.truncated for record in scored)
    return Cell(100 * one.mean, 100 * one.low, 100 * one.high, len(scored), cut=cut)


def perplexity(records: Sequence[Record]) -> Cell | None:
    """exp(nats / predicted) over all records together, with the t interval of that ratio; None if none tells it."""
    told = [record for record in records if record.axes.get("nats") is not None and record.axes.get("predicted")]
    if not told:
        return None
    pairs = [(record.number("nats"), record.number("predicted")) for record in told]
    return of_sums(pairs, sum(record.truncated for record in told))


def of_sums(pairs: Sequence[tuple[float, float]], cut: int = 0) -> Cell:
    """`perplexity` of (nats, tokens), a pair for each text; at least one. `cut` of the texts were cut."""
    predicted = math.fsum(tokens for _, tokens in pairs)
    loss = math.fsum(nats for nats, _ in pairs) / predicted
    if len(pairs) == 1:
        return Cell(math.exp(loss), None, None, 1, cut=cut)
    squares = math.fsum((nats - loss * tokens) ** 2 for nats, tokens in pairs)
    spread = math.sqrt(squares * len(pairs) / (len(pairs) - 1)) / predicted
    reach = float(stats.t.ppf(ENDS[1], len(pairs) - 1)) * spread
    return Cell(math.exp(loss), math.exp(loss - reach), math.exp(loss + reach), len(pairs), cut=cut)


def average(cells: Iterable[Cell | None]) -> Cell | None:
    """The plain mean of cells, None if one is missing. Interval: MOVER (Zou and Donner 2008), from theirs."""
    found = list(cells)
    known = [cell for cell in found if cell is not None]
    if not found or len(known) < len(found):
        return None
    middle, count = mean(cell.mean for cell in known), sum(cell.count for cell in known)
    seeds = set.intersection(*(set(cell.seeds) for cell in known))
    each = {seed: mean(cell.seeds[seed] for cell in known) for seed in sorted(seeds)}
    below = [cell.mean - cell.low for cell in known if cell.low is not None]
    above = [cell.high - cell.mean for cell in known if cell.high is not None]
    cut = sum(cell.cut for cell in known)
    if len(below) < len(known) or len(above) < len(known):
        return Cell(middle, None, None, count, each, cut)
    low, high = middle - math.hypot(*below) / len(known), middle + math.hypot(*above) / len(known)
    return Cell(middle, low, high, count, each, cut)


def task_name(record: Record) -> str:
    """The task without its options."""
    return record.task.partition(":")[0]


def options(record: Record) -> dict[str, str]:
    """The options of a record's task, as its spec has them."""
    return _options(record.task)


@cache  # a run has many records and few tasks
def _options(task: str) -> dict[str, str]:
    parts = task.partition(":")[2].split(",")
    return dict(part.split("=", 1) for part in parts if "=" in part)

"""Records -> what a model scored at one cell of a paper, several seeds of its training together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import mean, stdev

from scipy import special

from mta_eval.core import Record, Run
from mta_eval.papers.trained import model_facts
from mta_eval.results.measures import Measurement, accuracy
from mta_eval.results.statistics import ENDS
from mta_eval.results.table import model_text

NAMES = {"transformer": "Transformer", "mta": "MTA", "diff": "DIFF", "talking_heads": "Talking heads"}
ENOUGH = 3  # seeds, to tell how far they spread
HERE = ("seed", "device")  # facts in which the seeds of one model may differ


@dataclass(frozen=True)
class Measured:
    """A model with its records: of one name, or several seeds of the same training, told apart by `seed_of`."""

    name: str
    records: list[Record]
    seed_of: Mapping[str, str] = field(default_factory=dict)

    def only(self, wanted: Callable[[Record], bool]) -> Measured:
        """The same model with the wanted records alone."""
        return replace(self, records=[record for record in self.records if wanted(record)])

    def cell(self, wanted: Callable[[Record], bool], measure: Measure) -> Measurement | None:
        """What `measure` makes of the wanted records, all seeds pooled; None if there are none to go by.

        The interval is that of all samples; where there are ENOUGH seeds, it reaches as far as that of their mean, for
        seeds that agree by chance are no surer than their samples are.
        """
        records = [record for record in self.records if wanted(record)]
        pooled = measure(records)
        if pooled is None or not self.seed_of:
            return pooled
        seeds: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            seeds[self.seed_of[record.model]].append(record)
        means = {seed: part.mean for seed, group in sorted(seeds.items()) if (part := measure(group))}
        most = 100.0 if measure is accuracy else math.inf
        ends = [end for end in (pooled.low, pooled.high) if end is not None]
        ends += over_seeds(list(means.values()), most) or ()
        low, high = (min(ends), max(ends)) if ends else (None, None)
        return Measurement(pooled.mean, low, high, pooled.count, means, pooled.cut)


Measure = Callable[[Sequence[Record]], Measurement | None]


def over_seeds(values: Sequence[float], most: float) -> tuple[float, float] | None:
    """The 95 % t interval of the mean of `values`, one for each seed, within 0 to `most`; None for too few of them."""
    if len(values) < ENOUGH:
        return None
    half = float(special.stdtrit(len(values) - 1, ENDS[1])) * stdev(values) / math.sqrt(len(values))
    return max(mean(values) - half, 0.0), min(mean(values) + half, most)


def measured_models(records: Sequence[Record], runs: Sequence[tuple[str, Run]]) -> list[Measured]:
    """The models in `records`, in their order; those that differ in nothing but the seed of their training as one."""
    about = model_facts(runs)
    names = list(dict.fromkeys(record.model for record in records))
    kinds: dict[str | tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for name in names:
        facts = about.get(name, {})
        known = "seed" in facts and "attention" in facts
        kinds[tuple(sorted(x for x in facts.items() if x[0] not in HERE)) if known else name].append(name)
    models: list[Measured] = []
    for group in kinds.values():
        seeds = {name: about.get(name, {}).get("seed", name) for name in group}
        parts = [group] if len(set(seeds.values())) == len(group) else [[name] for name in group]
        models += [_measured(part, seeds, about, records, {model.name for model in models}) for part in parts]
    return models


def _measured(
    group: Sequence[str],
    seeds: Mapping[str, str],
    about: Mapping[str, Mapping[str, str]],
    records: Sequence[Record],
    taken: set[str],
) -> Measured:
    group_records = [record for record in records if record.model in group]
    if len(group) == 1:
        return Measured(model_text(group[0]), group_records)
    facts = about[group[0]]
    title, preset = NAMES.get(facts["attention"], facts["attention"]), f"preset {facts.get('preset', '?')}"
    size = f"{facts['parameters']} parameters" if "parameters" in facts else preset
    name = f"{title}, {size}, {len(group)} seeds"
    return Measured(name if name not in taken else f"{name} ({model_text(group[0])} …)", group_records, dict(seeds))


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

"""Records -> what a model scored at one cell of a paper, several seeds of its training together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from mta_eval.core import Record, Run
from mta_eval.papers.trained import model_facts
from mta_eval.results.measures import Measurement
from mta_eval.results.table import model_text

NAMES = {"transformer": "Transformer", "mta": "MTA", "diff": "DIFF", "talking_heads": "Talking heads"}
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
        """What `measure` makes of the wanted records, all seeds pooled; None if there are none to go by."""
        records = [record for record in self.records if wanted(record)]
        pooled = measure(records)
        if pooled is None or not self.seed_of:
            return pooled
        seeds: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            seeds[self.seed_of[record.model]].append(record)
        means = {seed: part.mean for seed, group in sorted(seeds.items()) if (part := measure(group))}
        return Measurement(pooled.mean, pooled.low, pooled.high, pooled.count, means, pooled.cut)


Measure = Callable[[Sequence[Record]], Measurement | None]


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
    name = f"{NAMES.get(facts['attention'], facts['attention'])}, preset {facts.get('preset', '?')}, {len(group)} seeds"
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

"""Who wins, and by how much: each model on each task, over all tasks, and in a few sentences. Knows no HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.results.draws import estimate_of
from mta_eval.results.effective_length import effective_length, effective_length_brief
from mta_eval.results.labels import stored_model
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule
from mta_eval.results.lift import is_baseline
from mta_eval.results.measures import Measurement, average, perplexity
from mta_eval.results.page.names import shown
from mta_eval.results.statistics import Estimate
from mta_eval.results.table import interval_text, percent_text

RANK_NOTE = (
    "Rank: one more than the number of models whose whole 95 % interval lies above; models of one rank cannot be told "
    "apart. Baselines have no rank."
)


class TaskStanding(NamedTuple):
    """One model on one task. `accuracy` is None where nothing was scored or only read; then `perplexity` may be there.

    how many are `scored` of all `samples`; `effective` is the effective length in a word or two, "" where it has none.
    `rank` is None for a `baseline`; `level` says whether another model has the same.
    """

    task: str
    model: str
    accuracy: Estimate | None
    perplexity: Measurement | None
    scored: int
    samples: int
    effective: str
    rank: int | None
    level: bool
    baseline: bool


class Overall(NamedTuple):
    """One model over the `tasks` that it has accuracies of, in the plain mean; `rank` where it has all of them.

    `firsts`: on how many tasks no model is surely better.
    """

    model: str
    accuracy: Estimate | None
    tasks: int
    rank: int | None
    level: bool
    baseline: bool
    firsts: int


def standings(records: Sequence[Record], rule: LengthRule = LENGTH_RULE) -> list[TaskStanding]:
    """One for each task and model that there are records of, in order of appearance."""
    groups: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        groups.setdefault(record.task, {}).setdefault(record.model, []).append(record)
    return [standing for task, models in groups.items() for standing in _of_task(task, models, rule)]


def _of_task(task: str, models: dict[str, list[Record]], rule: LengthRule) -> Iterator[TaskStanding]:
    answered = {model: [one for one in group if not one.was_read] for model, group in models.items()}
    found = {model: estimate_of(group) for model, group in answered.items()}
    baselines = {model for model, group in models.items() if is_baseline(stored_model(group[0]))}
    ranks = _ranks({model: one for model, one in found.items() if model not in baselines})
    for model, group in models.items():
        length = effective_length(answered[model], rule)
        yield TaskStanding(
            task,
            model,
            found[model],
            perplexity(group),
            sum(record.score is not None for record in group),
            len(group),
            "" if length is None else effective_length_brief(length),
            ranks.get(model),
            _is_level(model, ranks),
            model in baselines,
        )


def overall(found: Sequence[TaskStanding]) -> list[Overall]:
    """One for each model, the best first; those that lack a task of another after those that have all."""
    tasks = {one.task for one in found if one.accuracy}
    groups: dict[str, list[TaskStanding]] = {}
    for one in found:
        groups.setdefault(one.model, []).append(one)
    means = {model: _mean([one.accuracy for one in group if one.accuracy]) for model, group in groups.items()}
    counts = {model: sum(one.accuracy is not None for one in group) for model, group in groups.items()}
    baselines = {one.model for one in found if one.baseline}
    whole = {model: mean for model, mean in means.items() if counts[model] == len(tasks)}
    ranks = _ranks({model: mean for model, mean in whole.items() if model not in baselines})
    rows = [
        Overall(
            model,
            means[model],
            counts[model],
            ranks.get(model),
            _is_level(model, ranks),
            model in baselines,
            sum(one.rank == 1 for one in group),
        )
        for model, group in groups.items()
    ]
    return sorted(rows, key=lambda row: (row.accuracy is None, -row.tasks, -(row.accuracy or (0.0,))[0]))


def headline(rows: Sequence[Overall], found: Sequence[TaskStanding]) -> list[str]:
    """Who wins and where the best are weakest, a sentence for each; none where nothing has an accuracy."""
    tasks = len({one.task for one in found if one.accuracy})
    ranked = [row for row in rows if row.rank is not None and row.accuracy]
    best = [row for row in ranked if row.rank == 1]
    if not best:
        return []
    over = f"over {tasks} tasks" if tasks > 1 else f"on {found[0].task}"
    named = [f"{shown(row.model)} ({_percent(row.accuracy)})" for row in best]
    names = _listed([*named[:3], f"{len(named) - 3} more"] if len(named) > 4 else named)
    if len(ranked) == 1:
        lines = [f"{names} {over}."]
    elif len(best) == 1:
        firsts = f"; first or level on {best[0].firsts} of {tasks}" if tasks > 1 else ""
        lines = [f"{names} is the best of {len(ranked)} models {over}{firsts}."]
    else:
        lines = [f"{names} cannot be told apart {over}, of {len(ranked)} models."]
    return [*lines, *(line for row in best[:2] for line in _weakest(row.model, found))]


def _weakest(model: str, found: Sequence[TaskStanding]) -> Iterator[str]:
    own = [(one.accuracy.mean, one) for one in found if one.model == model and one.accuracy]
    if not own:
        return
    mean, one = min(own, key=lambda pair: pair[0])
    where = f"{shown(model)} is weakest on {one.task}: {_percent(one.accuracy)}" if own[1:] and mean < 1 else ""
    length = f"effective length {one.effective}" if one.effective else ""
    if where or length:
        yield (f"{where}, {length}" if where and length else where or f"{shown(model)}: {length}") + "."


def _mean(cells: Collection[Estimate]) -> Estimate | None:
    mean = average([Measurement(*cell, 1) for cell in cells])
    return None if mean is None or mean.low is None or mean.high is None else Estimate(mean.mean, mean.low, mean.high)


def _ranks(found: dict[str, Estimate | None]) -> dict[str, int]:
    models = {model: one for model, one in found.items() if one}
    return {model: 1 + sum(other.low > one.high for other in models.values()) for model, one in models.items()}


def _is_level(model: str, ranks: dict[str, int]) -> bool:
    return model in ranks and Counter(ranks.values())[ranks[model]] > 1


def _percent(found: Estimate | None) -> str:
    return "–" if found is None else f"{percent_text(found.mean)} {interval_text(found.low, found.high)}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

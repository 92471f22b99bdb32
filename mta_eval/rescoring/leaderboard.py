"""Rescored answers -> models ranked: a table for each kind of answers and rule, models x lengths.

A length's value is the plain mean of its tasks' means, and "mean" that of all tasks and lengths that every model of the
table has, so that nobody is compared on what others were not asked. Intervals of means: see `_mean`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mta_eval.errors import SpecError, did_you_mean
from mta_eval.rescoring.rows import Scores
from mta_eval.rescoring.scoring import Group, Rescored
from mta_eval.rescoring.tables import best_prompts, group_percent_text, title_of
from mta_eval.rescoring.tallies import Tally, groups_of, measure, scores_with_draws
from mta_eval.results.effective_length import effective_length_brief, effective_length_of_scores
from mta_eval.results.statistics import Estimate
from mta_eval.results.table import GAP, axis_text, interval_text, markdown_table

NOTE = (
    "A length is the mean over its tasks, “mean” that over all tasks and lengths that every model here has. Rank: 1 + "
    "how many models are surely better, that is, have a 95 % interval of the mean wholly above this one's; models of "
    "one rank are not told apart. Effective length: over the tasks that a model has at all its lengths, not corrected "
    "for chance.\n"
)
Cells = dict[tuple[str, int | None], Scores]  # (task, length) -> its scores


class Standing(NamedTuple):
    """A model in a leaderboard. `mean` is from 0 to 1, None (and no `rank`) where the models have nothing in common.

    `lengths` has the mean of each of its lengths with the number of tasks behind it; `effective` is in tokens.
    """

    rank: int | None
    title: str
    model: str
    mean: Estimate | None
    lengths: Mapping[int | None, tuple[float, int]]
    effective: str


class Leaderboard(NamedTuple):
    """The models of one kind of answers under one rule, the best first; `tasks` is how many a length has at most."""

    kind: str
    rule: str
    tasks: int
    standings: Sequence[Standing]

    @property
    def title(self) -> str:
        """Its heading."""
        return f"{self.kind}: {self.rule}"


def leaderboards(rescored: Rescored) -> list[Leaderboard]:
    """One for each kind and rule, in the order of the answers; a kind's first is by the rule that was asked first."""
    whole = groups_of(rescored)
    boards = []
    for kind in dict.fromkeys(group.kind for group in whole):
        groups = {group: tally for group, tally in whole.items() if group.kind == kind}
        rules = dict.fromkeys(rule for tally in groups.values() for rule in tally)
        first = [rule for rule in rescored.rules if rule in rules]
        boards += [_board(kind, rule, groups) for rule in dict.fromkeys((*first, *rules))]
    return boards


def leaderboard_markdown(board: Leaderboard, top: int | None = None) -> str:
    """The table of the first `top` models, or of all."""
    lengths = sorted(
        {length for one in board.standings for length in one.lengths},
        key=lambda length: -1 if length is None else length,
    )
    head = ["rank", "model", "mean", "effective length"]
    head += [GAP if length is None else axis_text("length", length) for length in lengths]
    rows = [
        [
            GAP if one.rank is None else str(one.rank),
            one.title,
            _mean_text(board, one.mean),
            one.effective,
            *(_length_text(board, one.lengths.get(length)) for length in lengths),
        ]
        for one in board.standings[:top]
    ]
    more = len(board.standings) - len(rows)
    return markdown_table(head, rows, left=2) + (f"\n{more} more models in rescore.csv.\n" if more > 0 else "")


def chosen_models(rescored: Rescored, names: Collection[str]) -> Rescored:
    """What came of the models `names` alone, written as the tables or the files have them. Raises SpecError."""
    known = {
        text: group.model
        for group in (*groups_of(rescored), *rescored.unanswered)
        for text in (group.model, group.model.rpartition("/")[2])
    }
    for name in names:
        if name not in known:
            raise SpecError(f"there are no answers of the model {name!r}{did_you_mean(name, known)}")
    return of_models(rescored, {known[name] for name in names})


def of_models(rescored: Rescored, models: Collection[str]) -> Rescored:
    """What came of those models alone."""
    return replace(
        rescored,
        tallies={key: tally for key, tally in rescored.tallies.items() if key[0].model in models},
        splits={split: counts for split, counts in rescored.splits.items() if split.group.model in models},
        examples={
            key: kept
            for key, examples in rescored.examples.items()
            if (kept := [example for example in examples if example["model"] in models])
        },
        unanswered=Counter({group: n for group, n in rescored.unanswered.items() if group.model in models}),
        unscored=Counter({one: n for one, n in rescored.unscored.items() if one.group.model in models}),
    )


def _board(kind: str, rule: str, groups: Mapping[Group, Tally]) -> Leaderboard:
    entries = _entries(kind, rule, groups)
    shared = set.intersection(*(set(cells) for _, cells in entries.values()))
    means = {title: _mean(cells, shared) for title, (_, cells) in entries.items()}
    standings = [
        Standing(_rank(means[title], means.values()), title, model, means[title], _by_length(cells), _effective(cells))
        for title, (model, cells) in entries.items()
    ]
    standings.sort(key=lambda one: (-(one.mean.mean if one.mean else 0), one.title))
    tasks = max(count for one in standings for _, count in one.lengths.values())
    return Leaderboard(kind, rule, tasks, standings)


def _entries(kind: str, rule: str, groups: Mapping[Group, Tally]) -> dict[str, tuple[str, Cells]]:
    """Title -> model and its cells. BABILong's models of several prompts have each task's best, as published."""
    entries: dict[str, tuple[str, Cells]] = {}
    scored = {group: tally for group, tally in groups.items() if rule in tally}
    for model in dict.fromkeys(group.model for group in scored):
        own = {group: tally for group, tally in scored.items() if group.model == model}
        settings = {group.setting for group in own}
        best = kind == "babilong" and len(settings) > 1
        for group in best_prompts(own, rule) if best else own:
            title = title_of(group._replace(setting="")) if best or len(settings) == 1 else title_of(group)
            name = f"{title} (best of {len(settings)} prompts)" if best else title
            entries.setdefault(name, (model, {}))[1][group.task, group.length] = own[group][rule]
    return entries


def _mean(cells: Cells, shared: Collection[tuple[str, int | None]]) -> Estimate | None:
    """The plain mean of what is shared. Lengths of one task may have the same stories (BABILong's do): their errors do
    not cancel out, so ends of intervals are averaged over lengths, and combined by MOVER over tasks."""
    tasks: dict[str, list[Estimate]] = defaultdict(list)
    for task, length in sorted(shared, key=str):  # sums do not depend on the order of the files
        tasks[task].append(measure(cells[task, length]))
    if not tasks:
        return None
    total = sum(map(len, tasks.values()))
    value = sum(one.mean for lengths in tasks.values() for one in lengths) / total
    below, above = (
        math.hypot(*(sum(abs(one.mean - getattr(one, end)) for one in lengths) for lengths in tasks.values())) / total
        for end in ("low", "high")
    )
    return Estimate(value, value - below, value + above)


def _rank(own: Estimate | None, others: Collection[Estimate | None]) -> int | None:
    return None if own is None else 1 + sum(other is not None and other.low > own.high for other in others)


def _by_length(cells: Cells) -> dict[int | None, tuple[float, int]]:
    means: dict[int | None, list[float]] = defaultdict(list)
    for (_, length), counts in cells.items():
        means[length].append(measure(counts).mean)
    return {length: (sum(values) / len(values), len(values)) for length, values in means.items()}


def _effective(cells: Cells) -> str:
    asked = {length for _, length in cells}
    everywhere = [task for task in {task for task, _ in cells} if all((task, length) in cells for length in asked)]
    lengths: dict[int, tuple[list[float], list[Hashable]]] = {}
    for (task, length), counts in cells.items():
        if task in everywhere and length is not None:
            scores, draws = scores_with_draws(counts)
            before = lengths.get(length, ([], []))
            lengths[length] = before[0] + scores, before[1] + draws
    found = effective_length_of_scores(lengths)  # the answers that were wanted, and so the chance, are not kept
    return GAP if found is None else effective_length_brief(found)


def _mean_text(board: Leaderboard, mean: Estimate | None) -> str:
    return GAP if mean is None else f"{_percent(board, mean.mean)} {interval_text(mean.low, mean.high)}"


def _length_text(board: Leaderboard, found: tuple[float, int] | None) -> str:
    if found is None:
        return GAP
    mean, tasks = found
    return _percent(board, mean) + (f" ({tasks} of {board.tasks} tasks)" if tasks < board.tasks else "")


def _percent(board: Leaderboard, mean: float) -> str:
    return group_percent_text(mean, Group(board.kind, "", "", "", None), board.rule)

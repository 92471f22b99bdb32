"""Rescored answers -> their counts by group and by depth, and one tidy frame of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable

import pandas as pd

from mta_eval.rescoring.rows import Scores
from mta_eval.rescoring.scoring import Group, Rescored
from mta_eval.results.statistics import Estimate, estimate

COLUMNS = (*Group._fields, "depth", "rule", "count", "mean", "low", "high", "unanswered", "unscored")
ALL, ANY = "all", "any"
NOTHING = (None, None, None)
MOST_DEPTHS = 60
Tally = dict[str, Scores]


def rescored_frame(rescored: Rescored) -> pd.DataFrame:
    """One row for each group, depth and rule: count, mean and 95 % interval (0..1), and the group's unanswered rows.

    `depth` is "any" where unknown; where it is known there is a row for each and one for "all". The cells of
    published tables are the rows with "any" or "all"; they tell how many rows the rule could not score. A group with no
    answer at all has one row without a rule.
    """
    rows: list[list[object]] = []
    unscored = _unscored_rows(rescored)
    for group, depths in _by_group(rescored).items():
        for depth, tally in depths.items():
            whole = depth in (ALL, ANY)
            for rule in dict.fromkeys((*tally, *(unscored[group] if whole else ()))):
                counts = tally.get(rule, Counter())
                measured = measure(counts) if counts else NOTHING
                missing = unscored[group][rule] if whole else None
                rows.append([*group, depth, rule, counts.total(), *measured, rescored.unanswered[group], missing])
    silent = [group for group in rescored.unanswered if all(group != other for other, _ in rescored.tallies)]
    rows += [[*group, ANY, None, 0, *NOTHING, rescored.unanswered[group], 0] for group in silent]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"length": "Int64", "unscored": "Int64", "mean": float, "low": float, "high": float})


def groups_of(rescored: Rescored) -> dict[Group, Tally]:
    """Each group's tally over all its depths: by kind, model, setting, task (qa2 before qa10) and length."""
    return {group: depths[ALL if ALL in depths else ANY] for group, depths in _by_group(rescored).items()}


def depths_of(rescored: Rescored) -> dict[Group, dict[float, Tally]]:
    """The tallies of each group by depth, where depths are known, in order.

    Where a model's answers to a task have more than MOST_DEPTHS depths, drawn freely, they fall into twentieths, each
    named by its middle.
    """
    depths: dict[Group, set[float]] = defaultdict(set)
    for group, depth in rescored.tallies:
        if depth is not None:
            depths[group._replace(length=None)].add(depth)
    tallies: dict[Group, dict[float, Tally]] = defaultdict(dict)
    for (group, depth), tally in sorted(rescored.tallies.items(), key=lambda item: item[0][1] or 0):
        if depth is not None:
            is_free = len(depths[group._replace(length=None)]) > MOST_DEPTHS
            place = (min(int(depth * 20), 19) + 0.5) / 20 if is_free else depth
            _add_counts(tally, tallies[group].setdefault(place, defaultdict(Counter)))
    return tallies


def _by_group(rescored: Rescored) -> dict[Group, dict[float | str, Tally]]:
    whole: dict[Group, Tally] = defaultdict(lambda: defaultdict(Counter))
    for (group, _), tally in rescored.tallies.items():
        _add_counts(tally, whole[group])
    depths = depths_of(rescored)
    tables: dict[Group, dict[float | str, Tally]] = {}
    for group in sorted_groups(whole):
        tables[group] = {ALL if group in depths else ANY: whole[group]}
        tables[group].update(depths.get(group, {}).items())
    return tables


def _add_counts(tally: Tally, into: Tally) -> None:
    for rule, counts in tally.items():
        into[rule].update(counts)


def sorted_groups(groups: Iterable[Group]) -> list[Group]:
    """By kind, model, setting, task (qa2 before qa10) and length."""
    return sorted(groups, key=order_of)


def measure(counts: Scores) -> Estimate:
    """The mean of the counted scores, at least one, 0 to 1; its 95 % interval takes draws for independent."""
    scores, draws = scores_with_draws(counts)
    return estimate(scores, draws if any(draw for _, draw in counts) else None)


def scores_with_draws(counts: Scores) -> tuple[list[float], list[Hashable]]:
    """The counted scores, and the draw of each; what was drawn alone has one that is like no other."""
    return [score for score, _ in counts.elements()], [draw or object() for _, draw in counts.elements()]


def _unscored_rows(rescored: Rescored) -> dict[Group, Counter[str]]:
    counts: dict[Group, Counter[str]] = defaultdict(Counter)
    for (group, rule, _), count in rescored.unscored.items():
        counts[group][rule] += count
    return counts


def order_of(group: Group) -> tuple[str, str, str, int, str, int]:
    """Where a group stands among others, to sort by."""
    # qa2 before qa10
    return (group.kind, group.model, group.setting, len(group.task), group.task, group.length or 0)

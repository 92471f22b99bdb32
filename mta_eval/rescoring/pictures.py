"""Scores -> heatmaps: tasks x lengths, and depths x lengths where depths are known; a subplot for each rule."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from mta_eval.core import Grid
from mta_eval.rescoring.scoring import Group, Rescored
from mta_eval.rescoring.tables import title_of
from mta_eval.rescoring.tallies import Tally, depths_of, groups_of, measure
from mta_eval.results.pictures import heatmap

MOST = 60  # pictures; a folder of a hundred models would take long and nobody would look
Cells = dict[tuple[int | None, str | float], Tally]  # (length, task or depth)


def draw_all(rescored: Rescored, folder: Path) -> tuple[list[Path], int]:
    """Draws into `folder`; returns the files, and how many pictures were left out as too many."""
    wanted = [*_by_task(rescored), *_by_depth(rescored)]
    paths: list[Path] = []
    for name, heading, cells, y in wanted[:MOST]:
        paths += heatmap.draw_heatmap(_grids(cells, y), heading, folder / name)
    return paths, max(0, len(wanted) - MOST)


def _by_task(rescored: Rescored) -> Iterator[tuple[str, str, Cells, str]]:
    """A picture for each model and setting that has several lengths, unless its picture by depth shows as much."""
    tallies, by_group_and_depth = groups_of(rescored), depths_of(rescored)
    owners: dict[tuple[str, str, str], list[Group]] = defaultdict(list)
    for group in tallies:
        owners[group.kind, group.model, group.setting].append(group)
    for groups in owners.values():
        by_depth = len({group.task for group in groups}) == 1 and all(group in by_group_and_depth for group in groups)
        if len({group.length for group in groups}) > 1 and not by_depth:
            cells: Cells = {(group.length, group.task): tallies[group] for group in groups}
            yield _name("tasks", groups[0], ""), title_of(groups[0]), cells, "task"


def _by_depth(rescored: Rescored) -> Iterator[tuple[str, str, Cells, str]]:
    """A picture for each model, setting and task whose depths are known."""
    owners: dict[Group, Cells] = defaultdict(dict)
    for group, depths in depths_of(rescored).items():
        for depth, tally in depths.items():
            owners[group._replace(length=None)][group.length, depth] = tally
    for owner, cells in owners.items():
        yield _name("depths", owner, owner.task), f"{owner.task}: {title_of(owner)}", cells, "depth"


def _grids(cells: Cells, y: str) -> list[Grid]:
    rules = [*dict.fromkeys(rule for tally in cells.values() for rule in tally)]
    xs = sorted({x for x, _ in cells}, key=lambda length: -1 if length is None else length)
    ys = [*dict.fromkeys(row for _, row in cells)]
    if y == "depth":
        ys = sorted(ys, key=float)
    return [_grid(cells, rule, xs, ys, y) for rule in rules]


def _grid(cells: Cells, rule: str, xs: Sequence[int | None], ys: Sequence[str | float], y: str) -> Grid:
    counts = [[cells.get((column, row), {}).get(rule, Counter()) for column in xs] for row in ys]
    measured = [[measure(count) if count else None for count in row] for row in counts]

    def part(index: int) -> list[list[float | None]]:
        return [[None if estimate is None else estimate[index] for estimate in row] for row in measured]

    return Grid(
        title=rule,
        x="length",
        y=y,
        xs=list(xs),
        ys=list(ys),
        mean=part(0),
        low=part(1),
        high=part(2),
        count=[[count.total() for count in row] for row in counts],
        truncated=[[0 for _ in row] for row in counts],
    )


def _name(what: str, group: Group, task: str) -> str:
    parts = (what, group.kind, group.model, group.setting, task)
    return "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", part).strip("_") for part in parts if part)[:150]

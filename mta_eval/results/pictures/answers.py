"""Records -> what their answers hold, part by part: which needle was found, which sign of the answer is right.

Records hold texts, not tokens, so an answer is cut into signs: the letters of a block, the digits of a number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from mta_eval.core import Grid, Record
from mta_eval.results.draws import draw_of
from mta_eval.results.grid import axis_value, axis_values
from mta_eval.results.pictures.charts import ChartPlan, models_of
from mta_eval.results.pictures.lines import Axis, Chart, Points
from mta_eval.results.statistics import estimate
from mta_eval.scoring.matching import says

MOST_PLACES = 20  # of needles in a context: with more a matrix says less than the heatmap by depth
LONGEST_ANSWER = 40  # signs
KINDS = {"digit": r"[0-9]+", "letter": r"[^\W\d_]+", "sign": r"[0-9a-f]+(?:-[0-9a-f]+)+"}  # numbers, words, uuids


class Hits(NamedTuple):
    """A matrix of hits for each model; what its rows and columns are stands in the grids."""

    grids: list[Grid]
    what: str
    samples: int


class _Hit(NamedTuple):
    """Whether the answer of a record holds the value of one needle; places count from 1."""

    record: Record
    row: int
    column: int | float | str | None
    is_hit: bool


def hits_by_needle(records: Sequence[Record]) -> Hits | None:
    """How often each needle's value is in the answer, by the needle's place in the context.

    Where several needles are asked: by their place among these, and in the question. Where one of several is asked:
    by its place among all, and the length. None if no record of the task has several needles with values.
    """
    asked = max((len(record.targets) for record in records), default=0)
    hits = [hit for record in records for hit in _hits(record, several=asked > 1)]
    if len({hit.row for hit in hits}) < 2 or max(hit.row for hit in hits) > MOST_PLACES:
        return None
    rows, lengths = sorted({hit.row for hit in hits}), axis_values([hit.record for hit in hits], "length")
    columns = sorted({hit.column for hit in hits}, key=str) if asked > 1 else lengths
    y, x = ("place among the asked needles", "asked as number") if asked > 1 else ("place among all needles", "length")
    cells: dict[tuple[str, int, object], list[_Hit]] = defaultdict(list)
    for hit in hits:
        cells[hit.record.model, hit.row, hit.column].append(hit)
    grids = []
    for model in models_of([hit.record for hit in hits]):
        table = [[cells.get((model, row, column), []) for column in columns] for row in rows]
        estimates = [[_share(cell) for cell in line] for line in table]
        grids.append(
            Grid(
                title=model,
                x=x,
                y=y,
                xs=list(columns),
                ys=list(rows),
                mean=[[cell and cell[0] for cell in line] for line in estimates],
                low=[[cell and cell[1] for cell in line] for line in estimates],
                high=[[cell and cell[2] for cell in line] for line in estimates],
                count=[[len(cell) for cell in line] for line in table],
                truncated=[[sum(hit.record.truncated for hit in cell) for cell in line] for line in table],
            )
        )
    by = "its place in the question" if asked > 1 else "length"
    caption = f"Share of answers that hold a needle's value, by {y} (1 is the first in the context) and {by}"
    return Hits(grids, caption, len({id(hit.record) for hit in hits}))


def _hits(record: Record, several: bool) -> list[_Hit]:
    """A hit or miss for each asked needle; none if the record's needles do not tell all places and values."""
    needles = sorted(record.needles, key=lambda needle: needle.token_start)
    asked = [needle for needle in needles if needle.asked]
    values = [needle.value for needle in asked]
    if record.score is None or record.output is None or sorted(values) != sorted(record.targets):
        return []
    if len(needles) < 2 or not all(needle.value for needle in needles) or several != (len(asked) > 1):
        return []
    ranked, length = asked if several else needles, axis_value(record, "length")
    return [
        _Hit(record, place, record.targets.index(value) + 1 if several else length, says(record.output, value))
        for place, value in enumerate((needle.value for needle in ranked), 1)
        if value in record.targets
    ]


def _share(cell: Sequence[_Hit]) -> tuple[float, float, float] | None:
    return estimate([float(hit.is_hit) for hit in cell], [draw_of(hit.record) for hit in cell]) if cell else None


def by_sign(task: str, records: Sequence[Record]) -> ChartPlan | None:
    """How often each sign of the answer is right, by its place, where all targets are one word of the same kind.

    Compared, place by place, are the target and the first word of that kind in the answer (a number for a number);
    what the answer lacks is wrong. Letters must be those of letter blocks: of names their places tell nothing.
    """
    scored = [record for record in records if record.score is not None and record.output is not None]
    kind = _kind(scored)
    if kind is None:
        return None
    name, pattern = kind
    rights: dict[tuple[str, int], tuple[list[float], list[object]]] = defaultdict(lambda: ([], []))
    for record in scored:
        target = record.targets[0].lower()
        match = re.search(pattern, (record.output or "").lower())
        word, draw = match[0] if match else "", draw_of(record)
        for place, sign in enumerate(target):
            scores, draws = rights[record.model, place]
            scores.append(float(word[place : place + 1] == sign))
            draws.append(draw)
    places = max(len(record.targets[0]) for record in scored)
    points: dict[str, Points] = {
        model: {n: estimate(*rights[model, n]) for n in range(places) if (model, n) in rights}
        for model in models_of(scored)
    }
    axis = Axis(f"{name} of the answer (text, not tokens)", [str(n + 1) for n in range(places)])
    charts = [Chart("all lengths and depths", points)]
    caption = f"Share of answers whose {name} at this place is the target's, all lengths and depths together"
    return ChartPlan(
        "sign", task, task, f"{task}: right by {name} of the answer", charts, axis, "right", caption, len(scored)
    )


def _kind(records: Sequence[Record]) -> tuple[str, str] | None:
    targets = {record.targets[0] for record in records if len(record.targets) == 1}
    if not targets or any(len(record.targets) != 1 for record in records):
        return None
    if max(map(len, targets)) < 2 or max(map(len, targets)) > LONGEST_ANSWER:
        return None
    kind = next((kind for kind in KINDS.items() if all(re.fullmatch(kind[1], target) for target in targets)), None)
    return kind if kind is None or kind[0] != "letter" or _spelt(records) else None


def _spelt(records: Sequence[Record]) -> bool:
    """Whether a target is a string of letters, not a word: its letters were drawn, as those of the needles beside it.

    Told by the needles: each is its own value, without a sentence around it.
    """
    return all(record.needles and all(needle.value == needle.text for needle in record.needles) for record in records)

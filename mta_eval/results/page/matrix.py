"""The overview: a row for each model, the best first, a column for each task. Texts and addresses, no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.results.grid import axis_values
from mta_eval.results.length_rule import LengthRule
from mta_eval.results.measures import Measurement
from mta_eval.results.page.names import shown
from mta_eval.results.page.sections import Section
from mta_eval.results.page.standing import Overall, TaskStanding, headline, overall, standings
from mta_eval.results.statistics import Estimate
from mta_eval.results.table import GAP, interval_text, percent_text


class MatrixCell(NamedTuple):
    """What stands in a cell: mean, interval, rank, effective length, and how many samples; `at` names its heatmap."""

    at: str
    mean: str
    interval: str
    rank: str
    effective: str
    samples: str


class MatrixRow(NamedTuple):
    """A model: its name, `whole` name, all tasks together, and a cell for each column (None: not asked)."""

    name: str
    whole: str
    overall: MatrixCell
    cells: list[MatrixCell | None]


class Matrix(NamedTuple):
    """`heads` are (task, slug of its section); `lines` say who wins."""

    heads: list[tuple[str, str]]
    rows: list[MatrixRow]
    lines: list[str]


def matrix_of(records: Sequence[Record], sections: Sequence[Section], rule: LengthRule) -> Matrix:
    """The matrix of all tasks and models; `at` is "section:grid", "" where a section is no single task and model.

    Without `sections` there are no addresses.
    """
    found = standings(records, rule)
    rows = overall(found)
    slugs = {section.name: section.slug for section in sections}
    grids = {
        (section.name, grid.title): f"{number}:{place}"
        for number, section in enumerate(sections)
        for place, grid in enumerate(section.grids)
    }
    tasks = [str(task) for task in axis_values(records, "task")]
    known = {(one.task, one.model): one for one in found}
    return Matrix(
        [(task, slugs.get(task, sections[0].slug if sections else "")) for task in tasks],
        [
            MatrixRow(
                shown(row.model),
                row.model,
                _overall(row, len(tasks)),
                [_cell(known.get((task, row.model)), grids.get((task, row.model), "")) for task in tasks],
            )
            for row in rows
        ],
        headline(rows, found),
    )


def _overall(row: Overall, tasks: int) -> MatrixCell:
    mean, interval = _accuracy(row.accuracy)
    count = f"{row.tasks} of {tasks} tasks" if row.tasks < tasks else f"{tasks} task{'s' * (tasks != 1)}"
    return MatrixCell("", mean, interval, _rank(row), "", count)


def _cell(one: TaskStanding | None, at: str) -> MatrixCell | None:
    if one is None:
        return None
    count = f"n={one.scored}" if one.scored == one.samples else f"n={one.scored} of {one.samples}"
    if one.accuracy is None and one.perplexity is not None:
        return MatrixCell(at, *_perplexity(one.perplexity), "perplexity", "", count)
    effective = f"to {one.effective}" if one.effective[:1].isdigit() else one.effective
    return MatrixCell(at, *_accuracy(one.accuracy), _rank(one), effective, count)


def _accuracy(found: Estimate | None) -> tuple[str, str]:
    return (GAP, "") if found is None else (percent_text(found.mean), interval_text(found.low, found.high))


def _perplexity(found: Measurement) -> tuple[str, str]:
    ends = "" if found.low is None or found.high is None else f"[{found.low:.2f}–{found.high:.2f}]"
    return f"{found.mean:.2f}", ends


def _rank(one: TaskStanding | Overall) -> str:
    if one.rank is None:
        return "baseline" if one.baseline else ""
    return f"rank {one.rank}{', tied' if one.level else ''}"

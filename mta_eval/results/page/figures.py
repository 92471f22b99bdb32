"""Grids and records -> the figures that the page's script draws, as plain lists. Knows no HTML.

A figure of kind "heat" has a list of grids, one of kind "lines" a list of charts; every mark carries its mean, its 95 %
interval, how many samples stand behind it, and by what these are found (see `Places.find`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mta_eval.core import AxisValue, Grid, Record
from mta_eval.results.draws import estimate_of
from mta_eval.results.grid import axis_value, axis_values, is_number
from mta_eval.results.measures import Measurement
from mta_eval.results.page.data import Places, rounded
from mta_eval.results.page.names import shown
from mta_eval.results.page.sections import Section
from mta_eval.results.pictures.answers import by_sign, hits_by_needle
from mta_eval.results.pictures.charts import ChartPlan, families_of
from mta_eval.results.pictures.positions import lines_by_position
from mta_eval.results.table import axis_text

MOST_CHARTS = 9  # of one figure; more lengths are taken together
MOST_MODELS = 6  # in a chart for each length; with more, lengths are taken together
DIGITS = 4
Figure = dict[str, Any]
Groups = Mapping[str, Mapping[str, Mapping[int, Sequence[Record]]]]  # chart -> line -> place -> records


def grid_json(grid: Grid, places: Places) -> dict[str, Any]:
    """A grid with its cells row by row: [mean, low, high, count, cut], or 0 where nothing was measured."""
    cells: list[Any] = []
    for row in range(len(grid.ys)):
        for column in range(len(grid.xs)):
            ends = [rounded(part[row][column], DIGITS) for part in (grid.mean, grid.low, grid.high)]
            count, cut = grid.count[row][column], grid.truncated[row][column]
            cells.append([*ends, count, cut] if count else 0)
    return {"title": shown(grid.title), "model": places.at["model"].get(grid.title, -1), "cells": cells}


def heat_json(grids: Sequence[Grid], places: Places) -> dict[str, Any]:
    """Grids that share their axes."""
    first = grids[0]
    return {
        "kind": "heat",
        "x": first.x,
        "y": first.y,
        "xs": [axis_text(first.x, value) for value in first.xs],
        "ys": [axis_text(first.y, value) for value in first.ys],
        "grids": [grid_json(grid, places) for grid in grids],
    }


def task_figures(section: Section, places: Places) -> list[Figure]:
    """The figures of one task that its records can fill: by length, by depth, hits by needle, by sign, by position."""
    scored = [record for record in section.records if record.score is not None]
    found = [*_by_axis(scored, "length", places), *_by_axis(scored, "depth", places)]
    if hits := hits_by_needle(section.records):
        task, asked = places.at["task"].get(section.name, -1), hits.grids[0].x != "length"
        finds = [] if asked else [places.at["length"].get(value, -1) for value in hits.grids[0].xs]
        about = {"title": "Hits by needle", "note": _sentence(hits.what, hits.samples), "task": task, "lengths": finds}
        found.append(heat_json(hits.grids, places) | about)
    if plan := by_sign(section.name, section.records):
        found.append(_plan_json(plan, places))
    if positions := lines_by_position(section.records):
        found.append(_positions_json(positions))
    return found


def family_figures(records: Sequence[Record], places: Places) -> Iterator[Figure]:
    """Figures over tasks that differ in one option alone; `tasks` says which these are.

    By number of needles (Figure 3 of the MTA paper), a chart for each length; by QA (its Figures 5 and 7).
    """
    for option, axis, what in (
        ("needles", "needles in the context", "number of needles"),
        ("qa", "question (QA) of BABILong", "question"),
    ):
        for family, pairs in families_of(records, option).items():
            numbers = sorted({number for _, number in pairs})
            groups: dict[str, dict[str, dict[int, list[Record]]]] = {}
            titles = _length_titles([record for record, _ in pairs])
            for record, number in pairs:
                title = titles.get(axis_value(record, "length"), "all lengths")
                line = groups.setdefault(title, {}).setdefault(record.model, {})
                line.setdefault(numbers.index(number), []).append(record)
            note = _sentence(f"Accuracy by {what}, {family}", len(pairs))
            figure = lines_json(f"{family}: accuracy by {what}", note, axis, list(map(str, numbers)), groups, places)
            order = list(titles.values())
            figure["charts"].sort(key=lambda chart: order.index(chart["title"]) if chart["title"] in order else -1)
            yield figure | {"tasks": sorted({places.at["task"][record.task] for record, _ in pairs})}


def lines_json(title: str, note: str, axis: str, texts: Sequence[str], groups: Groups, places: Places) -> Figure:
    """Lines of accuracy, of which every point knows its records."""
    charts = []
    for name, lines in groups.items():
        drawn = []
        for model, line in lines.items():
            points: list[list[Any]] = []
            for place, records in sorted(line.items()):
                if estimate := estimate_of(records):
                    ends = [rounded(part, DIGITS) for part in estimate]
                    count = sum(record.score is not None for record in records)
                    points.append([place, *ends, count, places.find(records)])
            drawn.append([places.at["model"][model], points])
        charts.append({"title": name, "lines": drawn})
    return {"kind": "lines", "title": title, "note": note, "axis": axis, "texts": list(texts), "charts": charts}


def _by_axis(scored: Sequence[Record], axis: str, places: Places) -> Iterator[Figure]:
    records = [record for record in scored if is_number(record.axes.get(axis)) and not record.was_read]
    values = axis_values(records, axis)
    if len(values) < 2:
        return
    at = {value: place for place, value in enumerate(values)}
    titles = _length_titles(records) if axis == "depth" else {}
    whole = "all depths" if axis == "length" else "all lengths"
    groups: dict[str, dict[str, dict[int, list[Record]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for record in records:
        title = titles.get(axis_value(record, "length"), whole)
        groups[title][record.model][at[axis_value(record, axis)]].append(record)
    name = "length (tokens)" if axis == "length" else "depth (0 % = start)"
    note = _sentence(f"Accuracy by {axis}" + (f", {whole} together" if not titles else ""), len(records))
    texts = [axis_text(axis, value) for value in values]
    yield lines_json(f"Accuracy by {axis}", note, name, texts, groups, places)


def _length_titles(records: Sequence[Record]) -> dict[AxisValue, str]:
    """The title of the chart of each length; none where lengths or models are too many, or there is one length."""
    lengths, models = axis_values(records, "length"), {record.model for record in records}
    if not 1 < len(lengths) <= MOST_CHARTS or len(models) > MOST_MODELS:
        return {}
    return {value: f"length {axis_text('length', value)}" for value in lengths}


def _plan_json(plan: ChartPlan, places: Places) -> Figure:
    """A plan of charts whose points are no groups of records: they know no count."""
    charts = []
    for chart in plan.charts:
        lines = [
            [
                places.at["model"][name],
                [[n, *(rounded(end, DIGITS) for end in points[n]), 0, None] for n in sorted(points)],
            ]
            for name, points in chart.lines.items()
        ]
        charts.append({"title": chart.title, "lines": lines})
    note, title = _sentence(plan.what, plan.samples), plan.heading.removeprefix(f"{plan.name}: ")
    about = {"kind": "lines", "title": title[:1].upper() + title[1:], "note": note}
    return {**about, "axis": plan.axis.name, "texts": list(plan.axis.texts), "charts": charts}


def _positions_json(lines: Mapping[str, Mapping[int, Measurement]]) -> Figure:
    places = sorted({place for line in lines.values() for place in line})
    drawn = [
        [
            name,
            [
                [places.index(place), *(rounded(end, DIGITS) for end in (cell.mean, cell.low, cell.high)), 0, None]
                for place, cell in line.items()
            ],
        ]
        for name, line in lines.items()
    ]
    note = "Perplexity by how many tokens of the window come before, all domains together."
    about = {"kind": "lines", "title": "Perplexity by position", "note": note, "measure": "perplexity"}
    chart = {"title": "", "lines": drawn}
    axis = "tokens of the window before a token"
    return {**about, "axis": axis, "texts": [axis_text("length", place) for place in places], "charts": [chart]}


def _sentence(what: str, count: int) -> str:
    return f"{what}; {count:,} sample{'s' * (count != 1)}."

"""Records -> the charts of lines that they can fill. Reads axes and specs, knows no task by name and draws nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mta_eval.core import AxisValue, Record
from mta_eval.results.draws import estimate_of
from mta_eval.results.grid import axis_value, axis_values, is_number
from mta_eval.results.labels import stored_task
from mta_eval.results.pictures.lines import MOST_LINES, Axis, Chart, Points
from mta_eval.results.table import axis_text
from mta_eval.results.task_options import without_options

MOST_CHARTS = 9
MOST_BINS = 5  # of distances
BANDS = "bands: 95 % intervals"


class ChartPlan(NamedTuple):
    """A picture of charts: what it shows, of which task ("" for several), and from how many scored samples."""

    kind: str
    task: str
    name: str
    heading: str
    charts: list[Chart]
    axis: Axis
    y_name: str
    what: str
    samples: int

    @property
    def note(self) -> str:
        """The footnote of the picture: what its bands are."""
        largest = max(len(chart.lines) for chart in self.charts)
        return BANDS if largest <= MOST_LINES or len(self.charts) == 1 else f"more than {MOST_LINES} lines: no bands"


def by_depth(task: str, records: Sequence[Record]) -> ChartPlan | None:
    """Accuracy by depth: a chart for each length, or all lengths in one where models or lengths are many."""
    scored = [record for record in records if record.score is not None and is_number(record.axes.get("depth"))]
    depths = [depth for depth in axis_values(scored, "depth") if is_number(depth)]
    lengths = axis_values(scored, "length")
    if len(depths) < 2:
        return None
    axis = Axis("depth (0 % = start)", [axis_text("depth", depth) for depth in depths], depths)
    groups = {"all lengths" if len(lengths) > 1 else _titled("length", lengths[0]): scored}
    pooled = len(models_of(scored)) > MOST_LINES or not 1 < len(lengths) <= MOST_CHARTS
    if not pooled:
        groups = {_titled("length", value): _at(scored, "length", value) for value in lengths}
    charts = [Chart(title, lines(group, "depth", depths)) for title, group in groups.items()]
    caption = "Accuracy by depth of the needle" + (", all lengths together" if pooled and lengths[1:] else "")
    return ChartPlan("depth", task, task, f"{task}: accuracy by depth", charts, axis, "accuracy", caption, len(scored))


def by_length(task: str, records: Sequence[Record]) -> ChartPlan | None:
    """Accuracy by length, all depths together."""
    scored = [record for record in records if record.score is not None and is_number(record.axes.get("length"))]
    lengths = axis_values(scored, "length")
    if len(lengths) < 2:
        return None
    charts = [Chart("all depths", lines(scored, "length", lengths))]
    caption = "Accuracy by length, all depths together"
    heading = f"{task}: accuracy by length"
    return ChartPlan("length", task, task, heading, charts, _length_axis(lengths), "accuracy", caption, len(scored))


def by_needles(records: Sequence[Record]) -> Iterator[ChartPlan]:
    """Accuracy by number of needles over tasks that differ in nothing else (Figure 3 of the MTA paper)."""
    for family, group in families_of(records, "needles").items():
        counts = sorted({count for _, count in group})
        scored = [record for record, _ in group]
        lengths = axis_values(scored, "length")
        groups: dict[str, list[tuple[Record, int]]] = {"all lengths" if len(lengths) > 1 else "": group}
        if len(models_of(scored)) <= MOST_LINES and 1 < len(lengths) <= MOST_CHARTS:
            groups = {
                _titled("length", value): [(record, count) for record, count in group if record.axes["length"] == value]
                for value in lengths
            }
        charts = [Chart(title, _lines(pairs, counts)) for title, pairs in groups.items()]
        axis = Axis("needles in the context", [str(count) for count in counts])
        heading = f"{family}: accuracy by number of needles"
        yield ChartPlan(
            "needles", "", family, heading, charts, axis, "accuracy", "Accuracy by number of needles", len(group)
        )


def by_qa(records: Sequence[Record]) -> Iterator[ChartPlan]:
    """Accuracy by length for each QA of tasks that differ in nothing else, and for all of them where all were measured
    (Figures 5 and 7 of the MTA paper)."""
    for family, group in families_of(records, "qa").items():
        scored = [record for record, _ in group]
        lengths, numbers = axis_values(scored, "length"), sorted({qa for _, qa in group})
        if len(lengths) < 2:
            continue
        charts = [
            Chart(f"QA{number}", lines([record for record, qa in group if qa == number], "length", lengths))
            for number in numbers
        ]
        whole = {
            name: {n: points[n] for n in points if all(n in chart.lines.get(name, {}) for chart in charts)}
            for name, points in lines(scored, "length", lengths).items()
        }
        charts.insert(0, Chart(f"all of QA{', '.join(map(str, numbers))}", whole))
        axis, heading = _length_axis(lengths), f"{family}: accuracy by length for each QA"
        caption = "Accuracy by length of the text for each QA"
        yield ChartPlan("qa", "", family, heading, charts, axis, "accuracy", caption, len(group))


def by_distance(task: str, records: Sequence[Record]) -> ChartPlan | None:
    """Accuracy by how far apart the facts that an answer needs stand: tokens from the first asked needle to the last.

    In as many as MOST_BINS groups of about as many samples; None where no answer needs several facts.
    """
    found = [(record, distance) for record in records if record.score is not None and (distance := _distance(record))]
    distances = sorted(distance for _, distance in found)
    if not distances or distances[0] == distances[-1]:
        return None
    steps = range(1, MOST_BINS + 1)
    ends = sorted({distances[len(distances) * step // MOST_BINS - 1] for step in steps if len(distances) >= MOST_BINS})
    ends = ends or sorted(set(distances))
    pairs = [(record, next(n for n, end in enumerate(ends) if distance <= end)) for record, distance in found]
    axis = Axis("tokens between the facts, up to", [str(end) for end in ends])
    chart = Chart("all lengths", _lines(pairs, list(range(len(ends)))))
    heading = f"{task}: accuracy by distance between the facts"
    caption = "Accuracy by the tokens from the first to the last fact that the answer needs"
    return ChartPlan("distance", task, task, heading, [chart], axis, "accuracy", caption, len(found))


def _distance(record: Record) -> int:
    """Tokens from the first to the last asked needle of an answer that needs several of them; 0 for one needle."""
    places = [needle.token_start for needle in record.needles if needle.asked]
    return max(places) - min(places) if len(places) > len(record.targets) else 0


def lines(records: Sequence[Record], axis: str, values: Sequence[AxisValue]) -> dict[str, Points]:
    """The mean of each model at each of `values`, with intervals."""
    return _lines([(record, record.axes.get(axis)) for record in records], values)


def models_of(records: Sequence[Record]) -> list[str]:
    """The models in order of appearance."""
    return list(dict.fromkeys(record.model for record in records))


def _lines(pairs: Sequence[tuple[Record, AxisValue]], values: Sequence[AxisValue]) -> dict[str, Points]:
    cells: dict[tuple[str, AxisValue], list[Record]] = defaultdict(list)
    for record, value in pairs:
        cells[record.model, value].append(record)
    points: dict[str, Points] = {}
    for model in models_of([record for record, _ in pairs]):
        estimates = {n: estimate_of(cells.get((model, value), [])) for n, value in enumerate(values)}
        points[model] = {n: estimate for n, estimate in estimates.items() if estimate is not None}
    return points


def families_of(records: Sequence[Record], option: str) -> dict[str, list[tuple[Record, int]]]:
    """Tasks that differ in `option` alone: what is common to their names -> scored records and their value of it.

    Only those with two values at least. The value is that of the record's axes, else of the task's options.
    """
    groups: dict[str, list[tuple[Record, int]]] = defaultdict(list)
    for record in records:
        family = without_options(stored_task(record), [option])
        number = axis_value(record, option)
        if record.score is not None and is_number(number):
            groups[family].append((record, int(number)))
    return {family: group for family, group in groups.items() if len({value for _, value in group}) > 1}


def _at(records: Sequence[Record], axis: str, value: AxisValue) -> list[Record]:
    return [record for record in records if record.axes.get(axis) == value]


def _titled(axis: str, value: AxisValue) -> str:
    return f"{axis} {axis_text(axis, value)}"


def _length_axis(lengths: Sequence[AxisValue]) -> Axis:
    return Axis("length (tokens)", [axis_text("length", length) for length in lengths])

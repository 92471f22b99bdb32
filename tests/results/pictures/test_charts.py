from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mta_eval.core import Record
from mta_eval.results.pictures.charts import by_depth, by_length, by_needles, by_qa
from mta_eval.results.pictures.lines import Axis, Chart, draw_charts
from mta_eval.results.pictures.style import PALE
from mta_eval.results.statistics import Estimate, estimate

NUMBERS = itertools.count()


def record(score: float | None, task: str = "niah", model: str = "mta", **axes: Any) -> Record:
    known = {"length": 1024, "depth": 0.5} | axes
    error = "out of memory" if score is None else None
    return Record(f"{task}/{next(NUMBERS)}", task, model, known, ["1"], "1", score, 100, 8, 0.1, error=error)


def estimates(*means: float | None) -> dict[int, Estimate]:
    return {n: Estimate(mean, mean, mean) for n, mean in enumerate(means) if mean is not None}


def curves(figure: Figure, panel: int = 0) -> dict[str, list[float]]:
    """The marked lines of a chart by colour."""
    lines = [line for line in figure.axes[panel].lines if line.get_marker() not in ("None", None)]
    return {str(line.get_color()): [float(y) for y in line.get_ydata()] for line in lines}  # type: ignore[arg-type,union-attr]


def hatched(figure: Figure, panel: int = 0) -> list[tuple[float, float]]:
    found = [one for one in figure.axes[panel].patches if isinstance(one, Rectangle) and one.get_hatch()]
    return [(one.get_x(), one.get_x() + one.get_width()) for one in found]


def test_depth_has_a_chart_for_each_length_and_a_line_for_each_model() -> None:
    records = [
        record(score, length=length, depth=depth, model=model)
        for model in ("mta", "diff")
        for length in (1024, 2048)
        for depth, scores in ((0.0, (1.0, 1.0)), (1.0, (0.0, 1.0)))
        for score in scores
    ]
    plan = by_depth("niah", records)
    assert plan is not None
    assert [chart.title for chart in plan.charts] == ["length 1K", "length 2K"]
    assert list(plan.axis.texts) == ["0 %", "100 %"]
    line = plan.charts[0].lines["mta"]
    assert line == {0: estimate([1.0, 1.0]), 1: estimate([0.0, 1.0])}
    assert plan.samples == len(records)


def test_depths_are_pooled_over_lengths_where_models_are_many() -> None:
    records = [
        record(1.0, length=length, depth=depth, model=f"m{n}")
        for n in range(7)
        for length in (1024, 2048)
        for depth in (0, 1)
    ]
    plan = by_depth("niah", records)
    assert plan is not None
    assert [(chart.title, len(chart.lines)) for chart in plan.charts] == [("all lengths", 7)]
    assert "all lengths together" in plan.what


def test_what_failed_is_no_point_of_a_line() -> None:
    records = [
        record(1.0, length=1024),
        record(None, length=2048),
        record(0.0, length=4096),
        record(0.0, length=2048, model="b"),
    ]
    plan = by_length("niah", records)
    assert plan is not None
    assert sorted(plan.charts[0].lines["mta"]) == [0, 2]
    assert sorted(plan.charts[0].lines["b"]) == [1]
    assert plan.samples == 3


@pytest.mark.parametrize(
    "records",
    [[], [record(1.0)], [record(None, depth=0.0), record(None, depth=1.0)], [record(1.0, depth=None)] * 2],
    ids=["none", "one", "all failed", "no depth"],
)
def test_one_place_alone_is_no_chart(records: list[Record]) -> None:
    assert by_depth("niah", records) is None
    assert by_length("niah", records) is None
    assert not list(by_needles(records))
    assert not list(by_qa(records))


def test_needles_are_put_together_from_tasks_that_differ_in_nothing_else() -> None:
    records = [
        record(1.0, "niah", needles=1),
        record(0.5, "niah:needles=4", needles=4),
        record(0.0, "niah:needles=2,haystack=essays", needles=2),
        record(0.5, "niah:needles=4,haystack=essays", needles=4),
        record(0.5, "niah:needles=4,asked=2", needles=4),
    ]
    found = {plan.name: plan for plan in by_needles(records)}
    assert list(found) == ["niah", "niah:haystack=essays"]
    assert list(found["niah"].axis.texts) == ["1", "4"]
    assert {n: one.mean for n, one in found["niah"].charts[0].lines["mta"].items()} == {0: 1.0, 1: 0.5}


def test_the_number_of_needles_may_stand_in_the_name_of_the_task_alone() -> None:
    (plan,) = by_needles([record(1.0, "other:needles=2"), record(0.0, "other:needles=6")])
    assert list(plan.axis.texts) == ["2", "6"]


def test_all_questions_together_have_a_point_only_where_each_was_measured() -> None:
    records = [
        record(score, f"babilong:qa={qa}", qa=qa, length=length)
        for qa, length, score in ((1, 0, 1.0), (1, 1024, 1.0), (2, 0, 0.0), (2, 1024, None), (2, 2048, 0.0))
    ]
    (plan,) = by_qa(records)
    assert [chart.title for chart in plan.charts] == ["all of QA1, 2", "QA1", "QA2"]
    assert {n: one.mean for n, one in plan.charts[0].lines["mta"].items()} == {0: 0.5}
    assert list(plan.axis.texts) == ["0k", "1K", "2K"]


def test_lines_are_drawn_in_per_cent_with_a_gap_where_a_model_has_no_value(
    tmp_path: Path, figures: list[Figure]
) -> None:
    chart = Chart("t", {"a": estimates(0.5, None, 1.0), "b": estimates(0.0, 0.25, 0.75)})
    draw_charts([chart], "h", Axis("x", ["1", "2", "3"]), "mean score", "", tmp_path / "c")
    first, second = curves(figures[0]).values()
    assert [first[0], first[2], second] == [50.0, 100.0, [0.0, 25.0, 75.0]]
    assert math.isnan(first[1])
    assert not hatched(figures[0])


def test_a_place_that_no_line_has_is_hatched_and_explained(tmp_path: Path, figures: list[Figure]) -> None:
    chart = Chart("t", {"a": estimates(0.5, None, 1.0)})
    _, svg, _ = draw_charts([chart], "h", Axis("x", ["1", "2", "3"]), "mean score", "", tmp_path / "c")
    assert hatched(figures[0]) == [(0.5, 1.5)]
    assert "hatched: not measured" in svg.read_text()


def test_more_lines_than_can_be_told_apart_get_a_chart_each_with_the_others_pale(
    tmp_path: Path, figures: list[Figure]
) -> None:
    chart = Chart("t", {f"hf:/a/b/c/m{n}": estimates(0.5, n / 12) for n in range(12)})
    draw_charts([chart], "h", Axis("x", ["1", "2"]), "mean score", "", tmp_path / "c")
    panels = figures[0].axes
    assert [panel.get_title() for panel in panels] == [f"hf:…/c/m{n}" for n in range(12)]
    assert all(len(curves(figures[0], n)) == 1 for n in range(12))
    assert sum(line.get_color() == PALE for line in panels[0].lines) == 12
    assert not figures[0].legends


def test_depths_stand_where_they_are(tmp_path: Path, figures: list[Figure]) -> None:
    axis = Axis("depth", ["0 %", "10 %", "100 %"], [0.0, 0.1, 1.0])
    draw_charts([Chart("t", {"a": estimates(1.0, 0.5, 0.0)})], "h", axis, "mean score", "", tmp_path / "c")
    assert [float(x) for x in figures[0].axes[0].lines[-1].get_xdata()] == [0.0, 0.1, 1.0]  # type: ignore[union-attr]

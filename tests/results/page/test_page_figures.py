from __future__ import annotations

from mta_eval.core import Record
from mta_eval.results.page.data import places_of
from mta_eval.results.page.figures import family_figures, heat_json, task_figures
from mta_eval.results.page.sections import make_sections
from mta_eval.results.page.verdicts import MOST_VERDICTS, verdicts_json


def answer(length: int, depth: float, repeat: int, model: str = "m", task: str = "niah", right: bool = True) -> Record:
    axes = {"length": length, "depth": depth, "repeat": repeat}
    name = f"{task}/{length}/{depth:.2f}/{repeat}"
    return Record(name, task, model, axes, ["yes it is"], "yes", float(right), 9, 9, 0.1)


def sweep(model: str = "m", task: str = "niah", right: int = 1) -> list[Record]:
    return [
        answer(length, depth, repeat, model, task, repeat < right)
        for length in (512, 1024)
        for depth in (0.0, 1.0)
        for repeat in range(2)
    ]


def test_a_cell_has_mean_interval_and_counts_and_an_empty_one_is_0() -> None:
    records = [answer(512, 0.0, 0), answer(512, 0.0, 1, right=False), answer(1024, 1.0, 0)]
    (section,) = make_sections(records, "length", "depth")
    heat = heat_json(section.grids, places_of(records))
    assert (heat["xs"], heat["ys"]) == (["512", "1K"], ["0 %", "100 %"])
    first, second, third, fourth = heat["grids"][0]["cells"]
    assert (first[0], first[3:], second, third) == (0.5, [2, 0], 0, 0)
    assert first[1] < 0.5 < first[2]
    assert fourth[0] == 1


def test_every_point_of_a_line_knows_its_interval_its_count_and_its_records() -> None:
    records = sweep()
    (section,) = make_sections(records, "length", "depth")
    by_length, by_depth = task_figures(section, places_of(records))
    assert [chart["title"] for chart in by_depth["charts"]] == ["length 512", "length 1K"]
    ((model, points),) = by_length["charts"][0]["lines"]
    assert model == 0
    assert [(point[0], point[1], point[4], point[5]) for point in points] == [
        (0, 0.5, 4, [0, 0, 0, -1]),
        (1, 0.5, 4, [0, 0, 1, -1]),
    ]
    assert by_depth["charts"][1]["lines"][0][1][1][5] == [0, 0, 1, 1]


def test_tasks_that_differ_in_needles_alone_have_a_figure_for_each_length() -> None:
    records = [*sweep(task="niah:needles=4"), *sweep(task="niah:needles=2"), *sweep(task="passkey")]
    (figure,) = family_figures(records, places_of(records))
    assert (figure["texts"], figure["tasks"]) == (["2", "4"], [0, 1])
    assert [chart["title"] for chart in figure["charts"]] == ["length 512", "length 1K"]
    assert figure["charts"][0]["lines"][0][1][0][4:] == [4, [1, 0, 0, -1]]


def test_verdicts_are_those_of_compare_for_each_pair_and_task() -> None:
    records = [*sweep("a", right=0), *sweep("b", right=2), *sweep("c", "passkey")]
    found = verdicts_json(records, ["a", "b", "c"])
    assert found["0:1"]["niah"].startswith("niah: no sure difference: 0 % and 100 %, +100 [")
    assert "no sample is in both" in found["0:2"][""]


def test_of_very_many_pairs_no_verdicts_are_made() -> None:
    records = [answer(512, 0.0, 0, str(number)) for number in range(MOST_VERDICTS)]
    assert verdicts_json(records, [record.model for record in records]) == {}

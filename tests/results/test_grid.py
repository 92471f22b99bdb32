from __future__ import annotations

from typing import Any

import pytest

from mta_eval.core import Record
from mta_eval.errors import SpecError
from mta_eval.results.grid import axis_values, check_axes, grids_by_model, group_by_task, to_grid


def record(score: float | None, task: str = "niah", model: str = "mta", truncated: bool = False, **axes: Any) -> Record:
    error = "out of memory" if score is None else None
    return Record("id", task, model, axes, ["7"], "7", score, 100, 8, 0.5, truncated, error)


def test_a_cell_is_the_mean_of_its_records() -> None:
    records = [record(score, length=1024, depth=0.5, repeat=n) for n, score in enumerate([1.0, 0.0, 1.0, 1.0])]
    grid = to_grid(records, "length", "depth", "mta")
    assert (grid.title, grid.x, grid.y, grid.xs, grid.ys) == ("mta", "length", "depth", [1024], [0.5])
    assert grid.mean == [[0.75]]
    assert grid.count == [[4]]
    low, high = grid.low[0][0], grid.high[0][0]
    assert low is not None
    assert high is not None
    assert 0.3 < low < 0.75 < high < 0.96


def test_rows_are_y_and_columns_are_x() -> None:
    records = [
        record(1.0, length=1024, depth=0.0),
        record(0.0, length=2048, depth=0.0),
        record(0.5, length=1024, depth=1.0),
    ]
    grid = to_grid(records, "length", "depth", "mta")
    assert grid.mean == [[1.0, 0.0], [0.5, None]]


def test_an_unmeasured_cell_is_a_gap_not_a_zero() -> None:
    records = [record(1.0, length=1024, depth=0.0), record(None, length=2048, depth=0.0)]
    grid = to_grid(records, "length", "depth", "mta")
    assert grid.xs == [1024, 2048]
    assert grid.mean == [[1.0, None]]
    assert (grid.low[0][1], grid.high[0][1]) == (None, None)
    assert grid.count == [[1, 0]]


def test_a_failed_record_does_not_pull_the_mean_down() -> None:
    records = [record(1.0, length=1024), record(None, length=1024, truncated=True)]
    grid = to_grid(records, "length", "model", "mta")
    assert (grid.mean, grid.count, grid.truncated) == ([[1.0]], [[1]], [[0]])


def test_cut_prompts_are_counted_for_each_cell() -> None:
    records = [record(1.0, length=8, truncated=True), record(0.0, length=8), record(0.0, length=4)]
    assert to_grid(records, "length", "task", "mta").truncated == [[0, 1]]


def test_numbers_are_sorted_by_size_after_any() -> None:
    records = [record(1.0, depth=depth) for depth in (1.0, 0.25, None, 0, 0.5)]
    assert axis_values(records, "depth") == [None, 0, 0.25, 0.5, 1.0]


def test_strings_keep_the_order_in_which_they_appear() -> None:
    records = [record(1.0, question=name) for name in ("two facts", "one fact", "two facts", "lists")]
    assert axis_values(records, "question") == ["two facts", "one fact", "lists"]


def test_true_and_one_are_different_values_and_a_list_is_its_text() -> None:
    assert axis_values([record(1.0, a=True), record(1.0, a=1), record(1.0, a=[1, 2])], "a") == [1, "True", "[1, 2]"]


def test_task_and_model_are_axes_of_every_record() -> None:
    records = [record(1.0, "niah", "mta"), record(0.0, "passkey", "mta"), record(0.5, "niah", "diff")]
    grid = to_grid(records, "task", "model", "all")
    assert (grid.xs, grid.ys) == (["niah", "passkey"], ["mta", "diff"])
    assert grid.mean == [[1.0, 0.0], [0.5, None]]


def test_a_third_axis_is_averaged_away() -> None:
    records = [record(1.0, length=8, depth=0.0, needles=1), record(0.0, length=8, depth=0.0, needles=4)]
    assert to_grid(records, "length", "depth", "mta").mean == [[0.5]]


def test_a_mistyped_axis_names_the_one_that_was_meant_and_all_there_are() -> None:
    with pytest.raises(SpecError) as caught:
        to_grid([record(1.0, length=8, depth=0.0)], "lenght", "depth", "mta")
    message = str(caught.value)
    assert '"lenght"' in message
    assert 'did you mean "length"?' in message
    assert "length, depth, task, model" in message
    assert "\n" not in message


def test_an_axis_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(SpecError) as caught:
        check_axes([record(1.0, length=8)], "length", "zzzz")
    assert "did you mean" not in str(caught.value)


def test_a_grid_needs_two_different_axes() -> None:
    with pytest.raises(SpecError, match='both axes of the grid are "length"'):
        to_grid([record(1.0, length=8)], "length", "length", "mta")


def test_grids_of_two_models_share_their_axes() -> None:
    records = [record(1.0, model="mta", length=8, depth=0.0), record(0.0, model="diff", length=16, depth=1.0)]
    mta, diff = grids_by_model(records, "length", "depth")
    assert (mta.title, diff.title) == ("mta", "diff")
    assert mta.xs == diff.xs == [8, 16]
    assert mta.mean == [[1.0, None], [None, None]]
    assert diff.mean == [[None, None], [None, 0.0]]


def test_models_on_an_axis_fall_into_one_grid() -> None:
    records = [record(1.0, model="mta", length=8), record(0.0, model="diff", length=8)]
    (grid,) = grids_by_model(records, "length", "model")
    assert (grid.ys, grid.mean) == (["mta", "diff"], [[1.0], [0.0]])


def test_a_task_without_the_axis_is_one_row_any() -> None:
    (grid,) = grids_by_model([record(1.0, length=8), record(0.0, length=16)], "length", "depth")
    assert (grid.ys, grid.mean) == ([None], [[1.0, 0.0]])


def test_every_task_is_its_own_figure_unless_task_is_an_axis() -> None:
    records = [record(1.0, "niah"), record(1.0, "passkey"), record(0.0, "niah")]
    assert {name: len(group) for name, group in group_by_task(records, "length", "depth").items()} == {
        "niah": 2,
        "passkey": 1,
    }
    assert list(group_by_task(records, "task", "depth")) == ["all tasks"]


def test_tasks_that_differ_in_an_axis_alone_share_a_figure() -> None:
    tasks = ("niah", "niah:needles=4", "niah:needles=4,text=essays", "passkey")
    records = [record(1.0, task, length=512, **({"needles": 1} if task == "niah" else {})) for task in tasks]
    assert list(group_by_task(records, "needles", "length")) == ["niah", "niah:needles=4,text=essays", "passkey"]
    assert list(group_by_task(records, "length", "needles")) == ["niah", "niah:needles=4,text=essays", "passkey"]
    assert list(group_by_task(records, "length", "depth")) == list(tasks)
    (grid,) = grids_by_model(group_by_task(records, "needles", "length")["niah"], "needles", "length")
    assert grid.xs == [1, 4]


def test_an_option_of_the_task_is_an_axis() -> None:
    records = [record(1.0, "niah:digits=5", length=512), record(0.0, "niah", length=512)]
    assert axis_values(records, "digits") == [5, 7]
    check_axes(records, "digits", "length")
    with pytest.raises(SpecError, match="The axes are: length, digits, task, model"):
        check_axes(records, "asked", "length")

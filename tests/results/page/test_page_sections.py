from __future__ import annotations

from typing import Any

from mta_eval.core import Record
from mta_eval.results.page.sections import Place, make_sections


def record(number: int, score: float | None = 1.0, task: str = "niah", model: str = "mta", **more: Any) -> Record:
    known: dict[str, Any] = {
        "axes": {"length": 4096, "depth": 0.5, "repeat": number},
        "error": None if score is not None else "out of memory\nat line 3",
        "output": None if score is None else "7421",
    } | more
    return Record(
        f"{task}/{number}",
        task,
        model,
        targets=["7421"],
        score=score,
        prompt_tokens=9,
        max_new_tokens=9,
        seconds=1,
        **known,
    )


def test_every_record_has_the_place_where_its_grid_counts_it() -> None:
    axes = [{"length": length, "depth": depth} for length in (4096, 512) for depth in (None, 1.0, 0.0)]
    records = [record(n, model=model, axes=axis) for model in ("b", "a") for n, axis in enumerate(axes)]
    (section,) = make_sections(records, "length", "depth")
    for one, place in zip(section.records, section.places, strict=True):
        grid = section.grids[place.grid]
        assert (grid.title, grid.xs[place.column], grid.ys[place.row]) == (
            one.model,
            one.axes["length"],
            one.axes["depth"],
        )


def test_with_model_as_an_axis_all_stand_in_one_grid() -> None:
    (section,) = make_sections([record(0), record(1, model="diff")], "length", "model")
    assert section.places == [Place(0, 0, 0), Place(0, 1, 0)]


def test_mistakes_are_counted_by_kind_and_model_and_only_kinds_that_occur() -> None:
    records = [record(0), record(1, 0.0, output=""), record(2, 0.0, output="", model="diff"), record(3, None)]
    (section,) = make_sections(records, "length", "depth")
    assert section.mistakes() == [("failed", [("mta", 1), ("diff", 0)]), ("empty", [("mta", 1), ("diff", 1)])]


def test_errors_are_counted_by_their_first_line_the_most_frequent_first() -> None:
    records = [record(0, None, error=" "), *(record(n, None) for n in (1, 2)), record(3)]
    (section,) = make_sections(records, "length", "depth")
    assert section.errors() == [("out of memory", 2), ("(no message)", 1)]

from __future__ import annotations

from pathlib import Path

import pytest

from mta_eval.commands.compare import pick_models
from mta_eval.core import Record
from mta_eval.errors import SpecError

A, B = Path("a"), Path("b")


def answers(*models: str) -> list[Record]:
    return [Record(f"s/{n}", "t", model, {}, [], "", 0.0, 1, 1, 0.1) for model in models for n in range(2)]


def names(found: tuple[list[Record], list[Record]]) -> list[set[str]]:
    return [{record.model for record in side} for side in found]


def test_one_run_with_two_models_is_compared_with_itself() -> None:
    assert names(pick_models([A], [answers("x", "y")], ("", ""))) == [{"x"}, {"y"}]
    assert names(pick_models([A], [answers("x", "y", "z")], ("z", "x"))) == [{"z"}, {"x"}]


def test_two_runs_with_one_model_each_need_no_names() -> None:
    assert names(pick_models([A, B], [answers("x"), answers("y")], ("", ""))) == [{"x"}, {"y"}]
    assert names(pick_models([A, B], [answers("x"), answers("x")], ("", ""))) == [{"x"}, {"x"}]


def test_a_name_is_needed_only_where_a_run_has_several() -> None:
    assert names(pick_models([A, B], [answers("x", "y"), answers("z")], ("y", ""))) == [{"y"}, {"z"}]


@pytest.mark.parametrize(
    ("folders", "models", "said"),
    [
        ([answers("x")], ("", ""), "a holds 1 models? .x.*name them"),
        ([answers("x", "y", "z")], ("", ""), "a holds 3 models"),
        ([answers("x", "y", "z")], ("x", ""), "name one with --second"),
        ([answers("x", "y"), answers("z")], ("", ""), "a holds 2 models .x, y.; name one with --first"),
        ([answers("alpha"), answers("z")], ("alpa", ""), "a holds no model 'alpa'; did you mean 'alpha'"),
        ([[], answers("z")], ("", ""), "a holds no answers yet"),
        ([[]], ("", ""), "a holds no answers yet"),
        ([answers("x"), []], ("", ""), "b holds no answers yet"),
        ([answers("x"), []], ("", "z"), "b holds no"),
        ([answers("x", "y")], ("x", "x"), "the same model"),
    ],
)
def test_a_wrong_or_missing_name_is_one_line(folders: list[list[Record]], models: tuple[str, str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        pick_models([A, B][: len(folders)], folders, models)

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from reading_records import reading

from mta_eval.core import Record
from mta_eval.errors import SpecError
from mta_eval.results.pictures.gallery import draw_gallery
from mta_eval.results.pictures.registry import GROUP, Drawing, Subject, find, names, picture
from mta_eval.results.report import write_report

BUILT_IN = [
    *("heatmap", "difference", "lift", "by_depth", "by_length", "by_needles", "by_qa", "by_sign", "hits", "positions"),
]
Plugin = Callable[[str, str, str], None]


def record(score: float | None = 1.0, repeat: int = 0) -> Record:
    axes = {"length": 512, "depth": 0.5, "repeat": repeat}
    return Record(f"niah/512/0.50/{repeat}", "niah", "m", axes, ["a b"], "a", score, 9, 9, 0.1)


def subject(*records: Record) -> Subject:
    return Subject("niah", records, "length", "depth")


def test_the_built_in_pictures_are_known_in_the_order_of_a_report() -> None:
    assert names() == BUILT_IN
    assert all((inspect.getdoc(find(name)) or "").endswith(".") for name in names())
    assert [find(name).name for name in names()] == BUILT_IN


def test_an_unknown_picture_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SpecError, match="no picture is called 'heatmp'; did you mean 'heatmap'"):
        find("heatmp")


def test_a_picture_of_another_package_is_in_the_report(tmp_path: Path, plugin: Plugin) -> None:
    plugin(GROUP, "score_histogram", "plugin_package.score_histogram:score_histogram")
    assert names() == [*BUILT_IN, "score_histogram"]
    write_report([record(), record(0.0, 1)], tmp_path)
    markdown, page = ((tmp_path / name).read_text() for name in ("report.md", "report.html"))
    assert "![Scores](score_histogram_niah.png)\n\nHow many samples have which score; 2 samples." in markdown
    assert "How many samples have which score; 2 samples." in page
    assert 'aria-label="Scores"' in page
    assert {path.suffix for path in tmp_path.glob("score_histogram_niah.*")} == {".png", ".svg", ".pdf"}
    # it needs answers: texts that were read have none
    assert "score_histogram_perplexity" not in {one.slug for one in draw_gallery([reading(9, 9)], tmp_path)}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("plugin_package.nowhere:histogram", "cannot be loaded from plugin_package.nowhere:histogram"),
        ("plugin_package.score_histogram:Path", "is not decorated with @picture"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_one_clear_line(value: str, message: str, plugin: Plugin) -> None:
    plugin(GROUP, "histogram", value)
    with pytest.raises(SpecError, match=message):
        find("histogram")


@pytest.mark.parametrize(
    ("need", "able"),
    [("score", True), ("answers", True), ("depth", True), ("needles", False), ("positions", False), ("seed", False)],
)
def test_a_picture_is_made_only_of_records_that_have_what_it_needs(need: str, able: bool) -> None:
    kind = picture("p", needs=(need,))(lambda _: Drawing("t", "n", print))
    assert bool(list(kind.drawings(subject(record())))) is able


def test_what_was_not_scored_fills_nothing() -> None:
    for need in ("score", "answers"):
        kind = picture("p", needs=(need,))(lambda _: Drawing("t", "n", print))
        assert not list(kind.drawings(subject(record(None))))


def test_a_function_may_make_no_drawing_one_or_several() -> None:
    one = Drawing("t", "n", print)
    for result, count in ((None, 0), (one, 1), ([one, one], 2)):
        assert len(list(picture("p")(lambda _, result=result: result).drawings(subject(record())))) == count

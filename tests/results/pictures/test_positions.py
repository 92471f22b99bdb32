from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from reading_records import reading

from mta_eval.results.pictures.gallery import draw_gallery
from mta_eval.results.pictures.positions import draw_positions, lines_by_position


def test_a_line_is_a_model_at_a_length() -> None:
    records = [reading(100, 100), reading(200, 100, model="n"), reading(50, 100, window=1)]
    assert list(lines_by_position(records)) == ["m", "n"]
    lines = lines_by_position([*records, reading(100, 100, length=512)])
    assert list(lines) == ["m, windows of 512", "m, windows of 2K", "n, windows of 2K"]
    assert lines["n, windows of 2K"][64].mean == pytest.approx(math.exp(2))


def test_the_picture_shows_the_perplexities_themselves(tmp_path: Path, figures: list[Figure]) -> None:
    lines = lines_by_position([reading(100, 100), reading(300, 100, model="n")])
    paths = draw_positions(lines, "A title", tmp_path / "positions")
    assert [path.suffix for path in paths] == [".png", ".svg", ".pdf"]
    axes = figures[0].axes[0]
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert drawn == [pytest.approx([math.e, math.e]), pytest.approx([math.exp(3)] * 2)]
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 64], [1, 64]]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in draw_positions(lines, "A title", tmp_path / "positions")] == first


def test_the_gallery_draws_it_where_texts_were_read(tmp_path: Path) -> None:
    pictures = draw_gallery([reading(100, 100), reading(90, 100, window=1)], tmp_path)
    (found,) = [picture for picture in pictures if picture.slug.startswith("positions")]
    assert found.svg.exists()
    assert found.note.endswith("2 windows.")


def test_pictures_of_texts_that_were_read_say_what_their_score_is(tmp_path: Path, figures: list[Figure]) -> None:
    heatmap, difference, *_ = draw_gallery([reading(100, 100), reading(90, 100, model="n")], tmp_path)
    assert heatmap.title == "1 / perplexity by length and depth"
    assert heatmap.note.startswith("Mean of 1 / perplexity by length and depth")
    assert any(text.get_text().endswith(": 1 / perplexity") for text in figures[0].findobj(Text))
    assert difference.note.startswith("Difference of their means of 1 / perplexity, in points of per cent, on the same")
    assert difference.note.endswith("1 pair of windows.")


def test_texts_that_were_read_at_two_lengths_have_no_curve_over_scores(tmp_path: Path) -> None:
    pictures = draw_gallery([reading(100, 100), reading(90, 100, length=512)], tmp_path)
    assert [picture.slug.partition("_")[0] for picture in pictures] == ["heatmap", "positions"]

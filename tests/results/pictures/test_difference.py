from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mta_eval.core import Grid
from mta_eval.errors import SpecError
from mta_eval.results.pictures.difference import draw_difference, points_text
from mta_eval.results.pictures.style import DIVERGING


def grid(mean: Sequence[Sequence[float | None]], title: str = "a", count: int = 4, **more: Any) -> Grid:
    counts = [[0 if value is None else count for value in row] for row in mean]
    means = [list(row) for row in mean]
    known: dict[str, Any] = {
        "xs": [1024 * 2**column for column in range(len(means[0]))],
        "ys": [row / max(1, len(means) - 1) for row in range(len(means))],
        "truncated": [[0] * len(row) for row in means],
    }
    return Grid(title, "length", "depth", mean=means, low=means, high=means, count=counts, **(known | more))


def cells(figure: Figure) -> dict[str, Rectangle]:
    """The cells of the first panel by their ids."""
    found = [artist for artist in figure.axes[0].get_children() if isinstance(artist, Rectangle) and artist.get_gid()]
    return {str(cell.get_gid()): cell for cell in found}


def around(figure: Figure) -> str:
    """All that is written around the panels, in one line."""
    return " ".join(" ".join(text.get_text() for text in figure.texts).split())


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_cell_says_the_points_that_the_second_has_more_and_of_how_many(tmp_path: Path, figures: list[Figure]) -> None:
    png, svg = draw_difference(grid([[0.5, 0.75]]), grid([[0.75, 0.5]], "b"), tmp_path / "d")
    assert (png.name, svg.name) == ("d.png", "d.svg")
    assert (tmp_path / "d.pdf").exists()
    assert texts(figures[0]) == ["+25", "n=4", "−25", "n=4"]
    assert "b minus a" in around(figures[0])


def test_no_difference_has_the_middle_colour_and_equal_ones_are_equally_far_from_it(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_difference(grid([[0.5, 0.25, 1.0]]), grid([[0.5, 0.75, 0.5]], "b"), tmp_path / "d")
    colours = [to_hex(cell.get_facecolor()) for cell in cells(figures[0]).values()]
    assert colours == [to_hex(DIVERGING(share)) for share in (0.5, 1.0, 0.0)]
    assert [to_hex(DIVERGING(share))[1:3] < to_hex(DIVERGING(share))[5:] for share in (1.0, 0.0)] == [True, False]


def test_the_colours_end_at_a_round_number_around_0(tmp_path: Path, figures: list[Figure]) -> None:
    draw_difference(grid([[0.5]]), grid([[0.62]], "b"), tmp_path / "d")
    ticks = [label.get_text() for label in figures[0].axes[1].get_yticklabels()]
    assert (ticks[0], ticks[-1]) == ("−25", "+25")
    assert figures[0].axes[1].get_ylim() == (-0.25, 0.25)


def test_what_one_of_both_did_not_measure_is_hatched_and_has_no_number(tmp_path: Path, figures: list[Figure]) -> None:
    draw_difference(grid([[None, 0.5], [0.5, 0.0]]), grid([[0.5, None], [0.5, 0.0]], "b"), tmp_path / "d")
    hatches = {gid: cell.get_hatch() for gid, cell in cells(figures[0]).items()}
    assert [bool(hatches[f"difference:d:{row}:{column}"]) for row in (0, 1) for column in (0, 1)] == [
        True,
        True,
        False,
        False,
    ]
    assert texts(figures[0]) == ["0", "n=4", "0", "n=4"]
    assert "hatched: not measured by both" in around(figures[0])


def test_significant_cells_are_framed_but_never_one_that_was_not_measured(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_difference(grid([[0.0, None, 0.5]]), grid([[1.0, 0.5, 0.5]], "b"), tmp_path / "d", [[True, True, False]])
    frames = [one for one in figures[0].axes[0].get_children() if isinstance(one, Rectangle) and not one.get_fill()]
    framed = [int(frame.get_x()) for frame in frames if 0 < frame.get_width() < 1 and frame.get_x() > 0]
    assert framed == [0]
    assert "framed: the difference is significant" in around(figures[0])


def test_a_picture_says_when_nothing_differs_significantly(tmp_path: Path, figures: list[Figure]) -> None:
    draw_difference(grid([[0.0]]), grid([[0.5]], "b"), tmp_path / "d", [[False]])
    assert "no cell differs significantly" in around(figures[0])


def test_unequal_numbers_of_samples_are_both_said(tmp_path: Path, figures: list[Figure]) -> None:
    draw_difference(grid([[0.5]], count=4), grid([[0.5]], "b", count=3), tmp_path / "d")
    assert texts(figures[0]) == ["0", "n=4|3"]


def test_grids_of_different_cells_have_no_difference(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="different cells"):
        draw_difference(grid([[0.5]]), grid([[0.5, 0.5]], "b"), tmp_path / "d")


def test_marks_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="1 rows of 2"):
        draw_difference(grid([[0.5, 0.5]]), grid([[0.5, 0.5]], "b"), tmp_path / "d", [[True]])


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.0, "0"), (0.25, "+25"), (-1.0, "−100"), (0.004, "+0.4"), (-0.0001, "−0.01"), (0.3 - 0.1 - 0.2, "0")],
)
def test_only_a_true_0_is_shown_as_0(difference: float, text: str) -> None:
    assert points_text(difference) == text

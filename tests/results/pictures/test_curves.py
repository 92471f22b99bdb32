from pathlib import Path

import pytest
from matplotlib.figure import Figure

from mta_eval.errors import StoreError
from mta_eval.results.pictures.curves import Curve, draw_curves

RISING = Curve(
    "MTA", [1, 2, 3], [0.0, 0.1, 0.2], [0.0, 0.05, 0.1], [0.1, 0.2, 0.3], [[0.0, 0.1, 0.2], [None, 0.1, 0.3]]
)


def test_curves_are_drawn_in_per_cent_with_every_seed(tmp_path: Path, figures: list[Figure]) -> None:
    paths = draw_curves([RISING], "a $title", ("place", "wrong"), tmp_path / "curve")
    assert [path.suffix for path in paths] == [".png", ".svg", ".pdf"]
    assert all(path.stat().st_size for path in paths)
    (axes,) = figures[0].axes
    lines = [list(map(float, line.get_ydata())) for line in axes.lines]  # type: ignore[arg-type]
    assert lines[-1] == [0.0, 10.0, 20.0]
    assert len(lines) == 3
    assert str(lines[1][0]) == "nan"
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("place", "wrong (%)", "a $title")


def test_curves_have_colours_of_their_own(tmp_path: Path, figures: list[Figure]) -> None:
    draw_curves([RISING, Curve("b", [1], [1.0], [0.9], [1.0])], "t", ("x", "y"), tmp_path / "curve")
    means = [line for line in figures[0].axes[0].lines if line.get_marker() != "None"]
    assert len({line.get_color() for line in means}) == 2


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        draw_curves([RISING], "t", ("x", "y"), tmp_path / "missing" / "curve")

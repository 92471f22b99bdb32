from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mta_eval.core import Grid
from mta_eval.results.pictures.heatmap import draw_heatmap
from mta_eval.results.pictures.style import PAGE, PAPER, SCORES


def grid(mean: Sequence[Sequence[float | None]], title: str = "mta", truncated: bool = False, **more: Any) -> Grid:
    rows, columns = range(len(mean)), range(len(mean[0]))
    count = [[0 if value is None else 4 for value in row] for row in mean]
    known: dict[str, Any] = {
        "x": "length",
        "y": "depth",
        "xs": [1024 * 2**column for column in columns],
        "ys": [row / max(1, len(mean) - 1) for row in rows],
    }
    cut = [[n if truncated else 0 for n in row] for row in count]
    means = [list(row) for row in mean]
    return Grid(title, mean=means, low=means, high=means, count=count, truncated=cut, **(known | more))


def texts(svg: Path) -> list[str]:
    nodes = ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()) for node in nodes]


def cells(figure: Figure) -> dict[str, Rectangle]:
    """All cells of a picture by their ids."""
    artists = [artist for axes in figure.axes for artist in axes.get_children()]
    return {str(one.get_gid()): one for one in artists if isinstance(one, Rectangle) and one.get_gid()}


def test_a_picture_is_written_as_png_and_svg_beside_each_other(tmp_path: Path) -> None:
    png, svg = draw_heatmap([grid([[1.0]])], "niah", tmp_path / "a.b")
    assert (png.name, svg.name) == ("a.b.png", "a.b.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert {"niah", "mta", "100 %", "4/4", "1K"} <= set(texts(svg))


def test_an_unmeasured_cell_is_hatched_and_has_no_number(tmp_path: Path) -> None:
    _, whole = draw_heatmap([grid([[1.0, 0.5], [0.5, 0.5]])], "niah", tmp_path / "whole")
    _, holed = draw_heatmap([grid([[1.0, 0.5], [0.5, None]])], "niah", tmp_path / "holed")
    assert "<pattern" not in whole.read_text()
    assert "<pattern" in holed.read_text()
    assert "hatched: not measured" in texts(holed)
    assert texts(whole).count("2/4") == 3
    assert texts(holed).count("2/4") == 2
    assert "0/4" not in texts(holed)
    assert "n=0" not in texts(holed)


def test_the_start_of_the_context_is_on_top(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[1.0], [0.75], [0.25]])], "niah", tmp_path / "a")
    found = re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>(\d/4)</text>', svg.read_text())
    height = {text: float(y) for y, text in found}
    assert height["4/4"] < height["3/4"] < height["1/4"]


def test_cut_prompts_are_marked_and_explained(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[0.5]], truncated=True)], "niah", tmp_path / "a")
    assert "50 %†" in texts(svg)
    assert any("cut to the model's window" in text for text in texts(svg))


def test_fractions_show_the_number_of_samples(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[0.31]])], "niah", tmp_path / "a")
    assert {"31 %", "n=4"} <= set(texts(svg))


def test_every_model_has_a_panel_and_depths_are_named_once_a_row(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[1.0], [0.5]], title) for title in ("mta", "diff", "plain")], "niah", tmp_path / "a")
    shown = texts(svg)
    assert {"mta", "diff", "plain"} <= set(shown)
    assert shown.count("1K") == 3
    assert shown.count("depth") == 1


def test_many_models_go_to_a_second_row(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[1.0]], f"m{n}") for n in range(9)], "niah", tmp_path / "a")
    assert {f"m{n}" for n in range(9)} <= set(texts(svg))
    assert texts(svg).count("depth") == 2


def test_cells_have_the_same_size_under_short_and_long_labels(tmp_path: Path) -> None:
    def cell_width(path: Path) -> float:
        ticks = re.findall(r'<text [^>]*x="([\d.]+)"[^>]*>[12]K</text>', path.read_text())
        return float(ticks[1]) - float(ticks[0])

    means = [[1.0, 0.5]] * 3
    _, short = draw_heatmap([grid(means, y="n", ys=["a", "b", "c"])], "niah", tmp_path / "a")
    _, long = draw_heatmap([grid(means, y="n", ys=["a" * 25, "b" * 25, "c" * 25])], "niah", tmp_path / "b")
    assert cell_width(short) == pytest.approx(cell_width(long), rel=0.02)


def test_strings_and_any_can_stand_on_the_axes(tmp_path: Path) -> None:
    names = ["babilong:question=three_facts,noise=long", "letter_blocks"]
    _, svg = draw_heatmap([grid([[1.0, 0.0]], x="task", xs=names, ys=[None])], "all", tmp_path / "a")
    shown = texts(svg)
    assert {"letter_blocks", "any", "task"} <= set(shown)
    assert any(text.startswith("babilong:questi") and "…" in text for text in shown)


def test_a_name_is_never_read_as_a_formula_or_as_markup(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[1.0]], "$x$ & <script>")], "a $ b", tmp_path / "a")
    assert {"$x$ & <script>", "a $ b"} <= set(texts(svg))
    assert "<script" not in svg.read_text()


def test_the_same_grids_give_the_same_svg(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    _, one = draw_heatmap([grid([[1.0, None], [0.5, 0.25]])], "niah", tmp_path / "a")
    _, two = draw_heatmap([grid([[1.0, None], [0.5, 0.25]])], "niah", tmp_path / "other" / "a")
    assert one.read_bytes() == two.read_bytes()


def test_drawing_leaves_no_setting_behind(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw_heatmap([grid([[1.0]])], "niah", tmp_path / "a")
    assert dict(mpl.rcParams) == before


def test_a_pdf_stands_beside_the_png_and_the_svg(tmp_path: Path) -> None:
    draw_heatmap([grid([[1.0]])], "niah", tmp_path / "a.b")
    assert (tmp_path / "a.b.pdf").read_bytes().startswith(b"%PDF")


def test_every_cell_has_an_id_and_the_colour_of_its_score(tmp_path: Path, figures: list[Figure]) -> None:
    _, svg = draw_heatmap([grid([[1.0, 0.5]]), grid([[0.0, None]], "diff")], "niah", tmp_path / "heatmap_niah")
    found = cells(figures[0])
    shown = {gid: to_hex(cell.get_facecolor()) for gid, cell in found.items()}
    assert shown == {
        "cell:heatmap_niah:0:0:0": to_hex(SCORES.to_rgba(1.0)),
        "cell:heatmap_niah:0:0:1": to_hex(SCORES.to_rgba(0.5)),
        "cell:heatmap_niah:1:0:0": to_hex(SCORES.to_rgba(0.0)),
        "cell:heatmap_niah:1:0:1": to_hex(PAPER),
    }
    assert [gid for gid, cell in found.items() if cell.get_hatch()] == ["cell:heatmap_niah:1:0:1"]
    assert all(f'id="{gid}"' in svg.read_text() for gid in found)


def test_a_run_where_all_failed_is_hatched_throughout(tmp_path: Path, figures: list[Figure]) -> None:
    draw_heatmap([grid([[None, None], [None, None]])], "niah", tmp_path / "a")
    assert all(cell.get_hatch() for cell in cells(figures[0]).values())
    assert len(cells(figures[0])) == 4


@pytest.mark.parametrize(("models", "rows", "columns"), [(1, 1, 1), (2, 5, 3), (12, 3, 3), (1, 5, 40)])
def test_no_picture_is_wider_than_a_page(
    models: int, rows: int, columns: int, tmp_path: Path, figures: list[Figure]
) -> None:
    names = [f"hf:/data/checkpoints/organisation/Model-{number}B-Instruct,dtype=bfloat16" for number in range(models)]
    draw_heatmap([grid([[0.5] * columns] * rows, name) for name in names], "niah", tmp_path / "a")
    assert figures[0].get_size_inches()[0] <= PAGE + 1e-6


def test_nothing_written_on_a_picture_of_twelve_models_overlaps(tmp_path: Path, figures: list[Figure]) -> None:
    names = [f"hf:/data/checkpoints/organisation/Model-{number}B-Instruct,dtype=bfloat16" for number in range(12)]
    draw_heatmap([grid([[0.5, None, 1.0]] * 4, name) for name in names], "niah:needles=4", tmp_path / "a")
    figure = figures[0]
    FigureCanvasAgg(figure).draw()
    boxes = []
    for axes in figure.axes:
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes._left_title, axes.xaxis.label]  # type: ignore[attr-defined]
        boxes += [text.get_window_extent() for text in labels if text.get_text()]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]
    width, height = figure.get_size_inches() * figure.dpi
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in boxes)
    assert len({axes._left_title.get_text() or axes.title.get_text() for axes in figure.axes[:12]}) == 12  # type: ignore[attr-defined]
    shrunk = [box.shrunk(0.95, 0.95) for box in boxes]
    assert not [(a, b) for place, a in enumerate(shrunk) for b in shrunk[:place] if a.overlaps(b)]


def test_small_cells_say_the_per_cent_alone_and_the_counts_stand_below(tmp_path: Path) -> None:
    means = [[0.5] * 7 + [0.996]] * 11
    _, svg = draw_heatmap([grid(means, f"m{number}") for number in range(4)], "niah", tmp_path / "a")
    shown = texts(svg)
    assert shown.count("50") == 4 * 11 * 7
    assert shown.count(">99") == 4 * 11
    assert "2/4" not in shown
    assert any("of 4 samples in each cell" in text for text in shown)


def test_a_character_without_a_glyph_is_drawn_as_a_box(tmp_path: Path) -> None:
    _, svg = draw_heatmap([grid([[1.0]], "模型")], "任务", tmp_path / "a")
    assert texts(svg).count("□□") == 2

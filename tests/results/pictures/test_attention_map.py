from __future__ import annotations

import warnings
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import QuadMesh
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from mta_eval.errors import SpecError, StoreError
from mta_eval.results.pictures.attention_map import MARK, HeadMap, check_picture_path, draw_attention, token_text

ROWS, COLUMNS = ["What", " is", " it", "?"], ["The", " key", " is", " 7", ".", "\n"]


def share(layers: int = 3, heads: int = 4) -> np.ndarray:
    return np.random.default_rng(0).random((layers, heads)) / 2


def head_map(layer: int = 1, head: int = 2, rows: int = 4, columns: int = 6) -> HeadMap:
    return HeadMap(layer, head, np.random.default_rng(layer).random((rows, columns)) / 4)


def draw(path: Path, needle_share: Any = None, *maps: HeadMap, needle: tuple[int, int] = (1, 4)) -> Path:
    needle_share = share() if needle_share is None else needle_share
    return draw_attention(needle_share, maps or [head_map()], ROWS, COLUMNS, needle, "niah · sample 3", path)


def mesh(axes: Axes) -> QuadMesh:
    (found,) = (one for one in axes.collections if isinstance(one, QuadMesh))
    return found


def frames(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and same_color(patch.get_edgecolor(), MARK)]


def texts(svg: Path) -> list[str]:
    nodes = ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()) for node in nodes]


def labels_out_of_view(axis: Axis) -> set[Text]:
    """Labels that matplotlib keeps but does not draw."""
    low, high = sorted(axis.get_view_interval())
    beyond = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
    return {label for tick in beyond for label in (tick.label1, tick.label2)}


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Texts of a figure that lie on one another, by more than a pixel."""
    figure.draw_without_rendering()
    beyond = {label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in labels_out_of_view(axis)}
    shown = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    shown = [text for text in shown if text not in beyond]
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in shown if text.get_text()]
    return [(one, other) for (one, box), (other, second) in combinations(boxes, 2) if box.overlaps(second)]


@pytest.mark.parametrize(
    ("name", "magic"), [("a.b.png", b"\x89PNG"), ("A.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_the_suffix_says_what_is_written_and_nothing_else_is(name: str, magic: bytes, tmp_path: Path) -> None:
    path = draw(tmp_path / name)
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path] == [tmp_path / name]


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", ".png", "a.png.txt"])
def test_another_suffix_is_refused_before_anything_is_drawn(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"must end in one of \.png, \.svg, \.pdf$"):
        check_picture_path(tmp_path / name)
    with pytest.raises(SpecError):
        draw(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_line_for_the_user(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write .*a\.png': No such file"):
        draw(tmp_path / "missing" / "a.png")


def test_the_overview_shows_every_head_and_the_first_layer_is_on_top(tmp_path: Path, figures: list[Figure]) -> None:
    shares = share(3, 4)
    draw(tmp_path / "a.png", shares)
    overview = figures[0].axes[0]
    np.testing.assert_array_equal(mesh(overview).get_array(), shares)
    assert overview.get_ylim() == (3, 0)
    assert [label.get_text() for label in overview.get_yticklabels()] == ["0", "1", "2"]
    assert (overview.get_xlim(), len(overview.get_xticks())) == ((0, 4), 4)


def test_chosen_heads_are_marked_in_the_overview_with_the_letters_of_their_maps(
    tmp_path: Path, figures: list[Figure]
) -> None:
    shares = share()
    shares[1, 2], shares[2, 0] = 0.5, -0.25
    draw(tmp_path / "a.png", shares, head_map(1, 2), head_map(2, 0))
    overview, _, first, second, _ = figures[0].axes
    assert [frame.get_xy() for frame in frames(overview)] == [(2, 1), (0, 2)]
    assert [(text.get_text(), text.get_position()) for text in overview.texts] == [("a", (2.5, 1.5)), ("b", (0.5, 2.5))]
    assert first.get_title("left") == "a · layer 1, head 2 · 0.50"
    assert second.get_title("left") == "b · layer 2, head 0 · −0.25"


def test_every_map_shows_its_weights_the_first_row_on_top(tmp_path: Path, figures: list[Figure]) -> None:
    maps = [head_map(0, 1), head_map(2, 3)]
    draw(tmp_path / "a.png", share(), *maps)
    for axes, one in zip(figures[0].axes[2:4], maps, strict=True):
        np.testing.assert_array_equal(mesh(axes).get_array(), one.weights)
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 6), (4, 0))


def test_plain_attention_is_coloured_from_zero_up(tmp_path: Path, figures: list[Figure]) -> None:
    weights = np.zeros((4, 6))
    weights[0, 0] = 0.3
    draw(tmp_path / "a.png", share() * 0 + 1.002, HeadMap(0, 0, weights))  # a sum of bfloat16 may be a little above 1
    overview, _, axes, _ = figures[0].axes
    assert (mesh(overview).norm.vmin, mesh(overview).norm.vmax) == (0, 1.002)
    assert (mesh(axes).norm.vmin, mesh(axes).norm.vmax) == (0, 0.3)
    none, most = mesh(axes).to_rgba(np.array([0.0, 0.3]))
    assert min(none) > 0.95
    assert most[:3].mean() < 0.35


@pytest.mark.parametrize("odd", [-0.1, 1.5])
def test_weights_below_0_or_above_1_put_0_in_the_middle_of_the_scale(
    odd: float, tmp_path: Path, figures: list[Figure]
) -> None:
    one, other = head_map(0, 0), head_map(1, 1)
    other.weights[0, 0] = odd
    draw(tmp_path / "a.png", share(), one, other)
    limit = max(one.weights.max(), np.abs(other.weights).max())
    for axes in figures[0].axes[2:4]:  # one scale for both
        assert (mesh(axes).norm.vmin, mesh(axes).norm.vmax) == (-limit, limit)
        red, middle, blue = mesh(axes).to_rgba(np.array([-limit, 0.0, limit]))
        assert tuple(np.round(middle[:3] * 255)) == (247, 247, 247)
        assert red[0] > red[2]
        assert blue[2] > blue[0]
    assert mesh(figures[0].axes[0]).norm.vmin == 0  # the overview has its own


def test_a_negative_share_puts_0_in_the_middle_of_the_overview(tmp_path: Path, figures: list[Figure]) -> None:
    shares = share()
    shares[0, 0] = -0.9
    draw(tmp_path / "a.png", shares)
    overview, _, axes, _ = figures[0].axes
    assert (mesh(overview).norm.vmin, mesh(overview).norm.vmax) == (-0.9, 0.9)
    assert mesh(axes).norm.vmin == 0


def test_attention_that_is_zero_everywhere_can_be_drawn(tmp_path: Path, figures: list[Figure]) -> None:
    draw(tmp_path / "a.png", np.zeros((2, 2)), HeadMap(0, 0, np.zeros((4, 6))))
    assert mesh(figures[0].axes[2]).norm.vmax == 1


def test_what_was_not_measured_is_hatched_and_explained(tmp_path: Path) -> None:
    shares = share()
    whole = draw(tmp_path / "whole.svg", shares)
    shares[0] = np.nan
    holed = draw(tmp_path / "holed.svg", shares)
    assert "<pattern" not in whole.read_text()
    assert "hatched: not measured" not in texts(whole)
    assert "<pattern" in holed.read_text()
    assert "hatched: not measured" in texts(holed)


def test_the_needle_is_framed_in_every_map_and_its_tokens_are_coloured(tmp_path: Path, figures: list[Figure]) -> None:
    draw(tmp_path / "a.png", share(), head_map(0, 1), head_map(2, 3), needle=(1, 4))
    for axes in figures[0].axes[2:4]:
        (frame,) = frames(axes)
        assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((1, 0), 3, 4)
        assert [text.get_text() for text in axes.texts] == ["needle"]
        coloured = [same_color(label.get_color(), MARK) for label in axes.get_xticklabels()]
        assert coloured in ([], [False, True, True, True, False, False])


def test_the_frame_is_on_the_page(tmp_path: Path) -> None:
    orange = np.array([232, 89, 12])
    counts = []
    for needle in ((1, 4), (9, 12)):
        image = np.round(imread(draw(tmp_path / "a.png", needle=needle))[..., :3] * 255)
        counts.append(int((image == orange).all(-1).sum()))
    assert counts[0] > counts[1] + 2 * 3 * 0.13 * 200  # two sides of three cells at the least


@pytest.mark.parametrize(
    ("needle", "framed"), [((-3, 2), [(0, 2)]), ((4, 99), [(4, 2)]), ((6, 9), []), ((-5, 0), []), ((0, 6), [(0, 6)])]
)
def test_a_needle_that_reaches_out_of_the_window_is_framed_up_to_its_edge(
    needle: tuple[int, int], framed: list[tuple[int, int]], tmp_path: Path, figures: list[Figure]
) -> None:
    draw(tmp_path / "a.png", needle=needle)
    assert [(frame.get_x(), frame.get_width()) for frame in frames(figures[0].axes[2])] == framed


def test_tokens_stand_in_order_and_only_at_the_outer_maps(tmp_path: Path, figures: list[Figure]) -> None:
    draw(tmp_path / "a.png", share(), *(head_map(0, head % 4) for head in range(12)))
    maps = figures[0].axes[2:14]
    rows = [[label.get_text() for label in axes.get_yticklabels()] for axes in maps]
    columns = [[label.get_text() for label in axes.get_xticklabels()] for axes in maps]
    assert rows[0] == ["What", "␣is", "␣it", "?"]
    assert columns[-1] == ["The", "␣key", "␣is", "␣7", ".", "⏎"]
    lefts, bottoms = [axes.get_position().x0 for axes in maps], [axes.get_position().y0 for axes in maps]
    assert 0 < sum(map(bool, rows)) < 12
    assert [bool(some) for some in rows] == [left == pytest.approx(min(lefts)) for left in lefts]
    assert [bool(some) for some in columns] == [bottom == pytest.approx(min(bottoms)) for bottom in bottoms]


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" the", "␣the"),
        ("\n\n", "⏎⏎"),
        ("\r\n", "⏎⏎"),
        ("\t", "⇥"),
        ("\u00a0\u3000", "␣␣"),
        ("", ""),
        ("twelve_chars", "twelve_chars"),
        ("<|end_of_text|>", "<|end_o…xt|>"),
        ("né", "né"),
        ("漢字", "□□"),
        ("🙂", "□"),
        ("\x00\u200b\ud800", "□□□"),
        ("\ufffd", "\ufffd"),
    ],
)
def test_blanks_are_visible_and_signs_without_a_glyph_are_boxes(token: str, shown: str) -> None:
    assert token_text(token) == shown


def test_no_token_and_no_title_makes_matplotlib_warn(tmp_path: Path) -> None:
    odd = ["$x$", "\\frac", "漢", "🙂", "שלום", "\x00", "", "<&>", "e\u0301", "\n"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps = [head_map(rows=10, columns=10)]
        path = draw_attention(share(), maps, odd, odd, (0, 10), "a $ b 漢", tmp_path / "a.svg")
    assert {"$x$", "\\frac", "<&>", "a $ b □"} <= set(texts(path))


@pytest.mark.parametrize(
    ("layers", "heads", "count", "rows", "columns", "token"),
    [
        (24, 16, 2, 20, 40, " internationalisation"),
        (30, 9, 2, 6, 12, " internationalisation"),
        (2, 2, 1, 3, 5, " internationalisation"),
        (4, 40, 5, 4, 8, " internationalisation"),
        (2, 2, 1, 3, 5, "a"),
    ],
)
def test_no_two_texts_overlap(
    layers: int, heads: int, count: int, rows: int, columns: int, token: str, tmp_path: Path, figures: list[Figure]
) -> None:
    maps = [head_map(layers - 1, number, rows, columns) for number in range(count)]
    title = "hf:…/org/model with a name on niah:needles=4 · sample 3"
    labels = [token] * rows, [token] * columns
    draw_attention(share(layers, heads), maps, *labels, (0, 1), title, tmp_path / "a.png")
    assert not overlapping(figures[0])


def test_many_maps_go_side_by_side_rather_than_in_one_long_column(tmp_path: Path, figures: list[Figure]) -> None:
    draw(tmp_path / "a.png", share(), *(head_map(0, head % 4) for head in range(12)))
    corners = {axes.get_position().x0 for axes in figures[0].axes[2:14]}
    assert len(corners) > 1
    assert len({axes.get_position().bounds for axes in figures[0].axes[2:14]}) == 12


def test_labels_that_do_not_belong_to_the_weights_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(4, 5\).* 4 row and 6 column labels"):
        draw(tmp_path / "a.png", share(), head_map(columns=5))


def test_the_same_attention_gives_the_same_svg_and_leaves_no_setting_behind(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    (tmp_path / "other").mkdir()
    one, two = draw(tmp_path / "a.svg"), draw(tmp_path / "other" / "a.svg")
    assert one.read_bytes() == two.read_bytes()
    assert dict(mpl.rcParams) == before

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from mta_eval.errors import StoreError
from mta_eval.results.pictures.kernels import (
    draw_convolutions,
    draw_mixing,
    kernel_rows,
    mixing_rows,
    write_kernel_table,
)

CELL = (0.36 * 200) ** 2  # pixels of a cell that is wide enough for a number
ZERO = (247, 247, 247)  # the middle of RdBu


def identity(heads: int, queries: int, keys: int) -> np.ndarray:
    kernels = np.zeros((heads, queries, keys))
    kernels[:, -1, (keys - 1) // 2] = 1
    return kernels


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.2, shape)


def meshes(axes: Axes) -> list[QuadMesh]:
    return [mesh for mesh in axes.collections if isinstance(mesh, QuadMesh)]


def texts(svg: Path) -> list[str]:
    nodes = ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()) for node in nodes]


def pixels(png: Path, colour: tuple[int, int, int]) -> int:
    image = np.round(imread(png)[..., :3] * 255)
    return int((image == colour).all(-1).sum())


def x_labels(axes: Axes) -> dict[float, str]:
    return {float(at): label.get_text() for at, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)}


def y_labels(axes: Axes) -> dict[float, str]:
    return {float(at): label.get_text() for at, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Texts of a figure that lie on one another, by more than a pixel."""
    figure.draw_without_rendering()
    shown = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in shown if text.get_text()]
    return [(one, other) for (one, box), (other, second) in combinations(boxes, 2) if box.overlaps(second)]


def test_a_layer_is_written_as_png_and_svg_beside_each_other(tmp_path: Path) -> None:
    png, svg = draw_convolutions(identity(2, 2, 3), "layer 3 · $x$", tmp_path / "a.b")
    assert (png, svg) == (tmp_path / "a.b.png", tmp_path / "a.b.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert {"layer 3 · $x$", "head 0", "head 1", "query", "weight"} <= set(texts(svg))


def test_every_head_has_a_panel_with_its_kernel(tmp_path: Path, figures: list[Figure]) -> None:
    kernels = noise(5, 3, 4)
    draw_convolutions(kernels, "layer", tmp_path / "a")
    panels = figures[0].axes[:5]
    assert [panel.get_title() for panel in panels] == [f"head {head}" for head in range(5)]
    for panel, kernel in zip(panels, kernels, strict=True):
        (mesh,) = meshes(panel)
        np.testing.assert_array_equal(mesh.get_array(), kernel)


def test_all_heads_share_a_scale_with_zero_in_its_middle(tmp_path: Path, figures: list[Figure]) -> None:
    kernels = identity(2, 2, 3)
    kernels[1, 0, 0] = -4
    draw_convolutions(kernels, "layer", tmp_path / "a")
    scales = {(mesh.norm.vmin, mesh.norm.vmax) for panel in figures[0].axes for mesh in meshes(panel)}
    assert scales == {(-4, 4)}
    (mesh,) = meshes(figures[0].axes[0])
    red, middle, blue = mesh.to_rgba(np.array([-4.0, 0.0, 4.0]))
    assert tuple(np.round(middle[:3] * 255)) == ZERO
    assert blue[2] > blue[0]
    assert red[0] > red[2]


def test_zeros_have_the_middle_colour_on_the_page(tmp_path: Path) -> None:
    zeros, _ = draw_convolutions(np.array([[[0.0, 1.0, 0.0]]]), "layer", tmp_path / "zeros")
    none, _ = draw_convolutions(np.array([[[1.0, 1.0, 1.0]]]), "layer", tmp_path / "none")
    assert 1.5 * CELL < pixels(zeros, ZERO) < 2.1 * CELL
    assert pixels(none, ZERO) < 0.1 * CELL


def test_a_layer_of_zeros_can_be_drawn(tmp_path: Path) -> None:
    png, _ = draw_convolutions(np.zeros((1, 1, 3)), "layer", tmp_path / "a")
    assert pixels(png, ZERO) > 2.5 * CELL


def test_the_current_query_is_at_the_bottom_and_the_keys_are_counted_from_the_current_one(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_convolutions(noise(1, 3, 5), "layer", tmp_path / "a")
    panel = figures[0].axes[0]
    assert panel.get_ylim() == (3, 0)
    assert y_labels(panel) == {0.5: "i−2", 1.5: "i−1", 2.5: "i"}
    assert x_labels(panel) == {0.5: "−2", 1.5: "−1", 2.5: "0", 3.5: "+1", 4.5: "+2"}


@pytest.mark.parametrize(("left", "labels"), [(0, ["0", "+1", "+2"]), (2, ["−2", "−1", "0"])])
def test_the_current_key_may_be_the_first_or_the_last(
    left: int, labels: list[str], tmp_path: Path, figures: list[Figure]
) -> None:
    draw_convolutions(noise(1, 2, 3), "layer", tmp_path / "a", left=left)
    panel = figures[0].axes[0]
    assert list(x_labels(panel).values()) == labels
    frames = [patch.get_xy() for patch in panel.patches if not patch.get_fill()]  # type: ignore[attr-defined]
    assert frames == [(left, 1)]


def test_only_outer_panels_are_labelled(tmp_path: Path, figures: list[Figure]) -> None:
    draw_convolutions(noise(7, 6, 11), "layer", tmp_path / "a")
    panels = figures[0].axes[:7]
    assert [bool(y_labels(panel)) for panel in panels] == [True, False, False, False, True, False, False]
    assert [bool(x_labels(panel)) for panel in panels] == [False, False, False, True, True, True, True]


def test_labels_that_would_not_fit_are_left_out_but_never_the_current_one(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_convolutions(noise(1, 2, 105), "layer", tmp_path / "a")
    labels = x_labels(figures[0].axes[0])
    assert labels[52.5] == "0"
    assert 3 < len(labels) < 30


def test_few_weights_are_written_into_their_cells_and_many_are_not(tmp_path: Path) -> None:
    few = noise(2, 2, 9)
    few[0, 0, 0] = -0.001
    _, svg = draw_convolutions(few, "layer", tmp_path / "few")
    assert texts(svg).count("0.00") >= 1
    assert "−0.00" not in texts(svg)
    assert f"{few[1, 1, 3]:.2f}".replace("-", "−") in texts(svg)
    many = noise(16, 6, 11)
    _, svg = draw_convolutions(many, "layer", tmp_path / "many")
    assert f"{many[1, 1, 3]:.2f}".replace("-", "−") not in texts(svg)


def test_numbers_can_be_read_on_dark_and_on_light_cells(tmp_path: Path, figures: list[Figure]) -> None:
    draw_convolutions(np.array([[[1.0, 0.1, -1.0]]]), "layer", tmp_path / "a")
    colours = {text.get_text(): text.get_color() for text in figures[0].axes[0].texts}
    assert colours["1.00"] == colours["−1.00"] == "white"
    assert colours["0.10"] != "white"


@pytest.mark.parametrize("shape", [(16, 6, 11), (2, 2, 9), (12, 1, 1), (2, 8, 13)])
def test_no_two_texts_of_a_layer_overlap(shape: tuple[int, int, int], tmp_path: Path, figures: list[Figure]) -> None:
    draw_convolutions(noise(*shape), "a model with quite a long name · layer 3 · after the softmax", tmp_path / "a")
    assert not overlapping(figures[0])


def test_a_weight_that_is_no_number_is_hatched(tmp_path: Path) -> None:
    kernels = identity(1, 2, 3)
    _, whole = draw_convolutions(kernels, "layer", tmp_path / "whole")
    kernels[0, 0, 0], kernels[0, 0, 1] = np.nan, np.inf
    _, holed = draw_convolutions(kernels, "layer", tmp_path / "holed")
    assert "<pattern" not in whole.read_text()
    assert "<pattern" in holed.read_text()
    assert not {"nan", "inf"} & set(texts(holed))


def test_head_kernels_stand_block_by_block_in_the_whole_matrix(tmp_path: Path, figures: list[Figure]) -> None:
    kernels = noise(3, 2, 2)
    draw_mixing(kernels, "layer", tmp_path / "a")
    axes = figures[0].axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 6), (6, 0))
    assert list(x_labels(axes).values()) == list(y_labels(axes).values()) == list("012345")
    for group, (mesh, kernel) in enumerate(zip(meshes(axes), kernels, strict=True)):
        np.testing.assert_array_equal(mesh.get_array(), kernel)  # out heads down, in heads across
        corners = np.asarray(mesh.get_coordinates())
        np.testing.assert_array_equal(corners[0, 0], (2 * group, 2 * group))
        np.testing.assert_array_equal(corners[-1, -1], (2 * group + 2, 2 * group + 2))


def test_cells_between_groups_stay_blank(tmp_path: Path) -> None:
    apart, svg = draw_mixing(np.ones((2, 1, 1)), "layer", tmp_path / "apart")
    together, _ = draw_mixing(np.eye(2)[None], "layer", tmp_path / "together")
    assert pixels(apart, ZERO) < 0.1 * CELL
    assert 1.5 * CELL < pixels(together, ZERO) < 2.1 * CELL
    assert texts(svg).count("1.00") == 2
    assert "0.00" not in texts(svg)


def test_numbers_are_left_out_of_a_large_matrix(tmp_path: Path, figures: list[Figure]) -> None:
    draw_mixing(noise(1, 16, 16), "layer", tmp_path / "small")
    draw_mixing(noise(16, 2, 2), "layer", tmp_path / "large")
    assert len(figures[0].axes[0].texts) == 256
    assert not figures[2].axes[0].texts
    assert not overlapping(figures[0])
    assert not overlapping(figures[2])


def test_strange_signs_in_a_title_are_boxes_and_no_warning(tmp_path: Path) -> None:
    _, svg = draw_mixing(np.ones((1, 1, 1)), "漢 ok", tmp_path / "a")
    assert "□ ok" in texts(svg)


def test_the_same_kernels_give_the_same_svg_and_leave_no_setting_behind(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    (tmp_path / "other").mkdir()
    _, one = draw_mixing(noise(2, 2, 2), "layer", tmp_path / "a")
    _, two = draw_mixing(noise(2, 2, 2), "layer", tmp_path / "other" / "a")
    assert one.read_bytes() == two.read_bytes()
    assert dict(mpl.rcParams) == before


def test_what_cannot_be_written_is_one_line_for_the_user(tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "a"
    with pytest.raises(StoreError, match=r"cannot write .*a\.png': No such file"):
        draw_convolutions(identity(1, 1, 1), "layer", nowhere)
    with pytest.raises(StoreError, match=r"cannot write .*a\.png': No such file"):
        draw_mixing(np.ones((1, 1, 1)), "layer", nowhere)
    with pytest.raises(StoreError, match="cannot write"):
        write_kernel_table(kernel_rows(identity(1, 1, 1), 0, "before"), nowhere)


def test_an_identity_kernel_has_no_distance_and_all_its_weight_on_the_current_cell() -> None:
    (row,) = kernel_rows(identity(1, 6, 11), 2, "before")
    assert row == {
        **{"layer": 2, "kernel": "before", "head": 0},
        **{"distance_from_identity": 0, "share_on_identity": 1, "largest": 1, "at_query": 0, "at_key": 0},
    }


def test_the_largest_weight_may_be_negative_and_is_counted_from_the_current_cell() -> None:
    kernel = [[[0.0, 0.0, -3.0], [0.0, 1.0, 0.0]]]
    (middle,) = kernel_rows(kernel, 0, "before")
    assert (middle["largest"], middle["at_query"], middle["at_key"]) == (-3, -1, 1)
    assert middle["distance_from_identity"] == pytest.approx(3 / 10**0.5)
    assert middle["share_on_identity"] == pytest.approx(0.25)
    (last,) = kernel_rows(kernel, 0, "before", left=2)
    assert (last["at_key"], last["share_on_identity"]) == (0, 0)
    assert last["distance_from_identity"] == pytest.approx((11 / 10) ** 0.5)


def test_a_kernel_without_weight_has_no_distance() -> None:
    zeros, wrong = kernel_rows([[[0.0, 0.0]], [[np.inf, 1.0]]], 0, "before")
    assert np.isnan([zeros["distance_from_identity"], zeros["share_on_identity"]]).all()
    assert zeros["largest"] == 0
    assert np.isnan(wrong["distance_from_identity"])


def test_mixing_is_told_of_every_head_that_comes_out() -> None:
    kernels = [[[1.0, 0.0], [3.0, 1.0]], [[0.0, -2.0], [0.0, 0.5]]]
    rows = mixing_rows(kernels, 4, "mix_after")
    assert [(row["head"], row["at_head"], row["largest"]) for row in rows] == [
        (0, 0, 1.0),
        (1, 0, 3.0),
        (2, 3, -2.0),
        (3, 3, 0.5),
    ]
    assert [row["share_on_identity"] for row in rows] == [1, 0.25, 0, 1]
    assert [row["distance_from_identity"] for row in rows] == pytest.approx([0, 3 / 10**0.5, 5**0.5 / 2, 1])


def test_both_kinds_of_kernel_go_into_one_table_with_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "kernels.csv"
    write_kernel_table(kernel_rows(identity(2, 2, 3), 1, "before") + mixing_rows(np.eye(2)[None], 1, "mix"), path)
    assert path.read_text().splitlines()[1] == "1,before,0,0,1,1,0,0,"
    table = pd.read_csv(path)
    assert list(table["kernel"]) == ["before", "before", "mix", "mix"]
    assert list(table["at_head"].dropna()) == [0, 1]

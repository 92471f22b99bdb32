from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mta_eval.errors import SpecError, StoreError
from mta_eval.results.pictures.attention_rows import HeadRow, ModelRows, draw_rows

TOKENS = list("·ab.cd.ef#ac")


def weights(**at: float) -> np.ndarray:
    found = np.zeros(len(TOKENS))
    for place, weight in at.items():
        found[int(place[1:])] = weight
    return found


def rows(*arrays: Any) -> list[HeadRow]:
    return [HeadRow(number // 2, number % 2, "c", array) for number, array in enumerate(arrays)]


MODELS = [
    ModelRows("mta:x", rows(weights(_4=0.5, _5=0.25, _1=0.25), weights(_1=1.0))),
    ModelRows("transformer:x", rows(weights(_0=0.5, _1=0.5))),
]


def texts(figure: Figure) -> list[list[str]]:
    return [[text.get_text() for text in axes.texts] for axes in figure.axes[: len(MODELS)]]


def test_each_model_has_its_rows_and_each_row_its_share_at_the_target(tmp_path: Path, figures: list[Figure]) -> None:
    assert draw_rows(MODELS, TOKENS, (4, 6), "a title", tmp_path / "a.png").stat().st_size
    assert texts(figures[0]) == [["75 %", "0 %", "at the target"], ["0 %", "at the target"]]
    first, second = figures[0].axes[:2]
    assert [label.get_text() for label in first.get_yticklabels()] == ["layer 0, head 0   c", "layer 0, head 1   c"]
    assert [label.get_text() for label in second.get_xticklabels()] == TOKENS
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["mta:x", "transformer:x"]
    assert first.get_position().y0 > second.get_position().y1


def test_the_target_is_framed(tmp_path: Path, figures: list[Figure]) -> None:
    draw_rows(MODELS, TOKENS, (4, 6), "a title", tmp_path / "a.svg")
    (frame,) = [patch for patch in figures[0].axes[0].patches if isinstance(patch, Rectangle)]
    assert (frame.get_x(), frame.get_width(), frame.get_height()) == (3.5, 2, 2)


def test_darker_is_more_on_one_scale_for_all_models(tmp_path: Path, figures: list[Figure]) -> None:
    draw_rows(MODELS, TOKENS, (4, 6), "a title", tmp_path / "a.png")
    first, second = (np.asarray(axes.images[0].get_array())[..., :3].mean(-1) for axes in figures[0].axes[:2])
    assert first[1, 1] < second[0, 1] == first[0, 4] < first[0, 5] < first[0, 0]


def test_weights_below_zero_put_zero_in_the_middle_of_the_scale(tmp_path: Path, figures: list[Figure]) -> None:
    models = [ModelRows("diff:x", rows(weights(_4=1.2, _1=-0.2)))]
    draw_rows(models, TOKENS, (4, 6), "a title", tmp_path / "a.png")
    assert texts(figures[0])[0][0] == "120 %"
    low, high = figures[0].axes[-1].get_xlim()
    assert low == -high


def test_long_prompts_have_no_letters(tmp_path: Path, figures: list[Figure]) -> None:
    models = [ModelRows("m", [HeadRow(0, 0, "x", np.full(400, 1 / 400))])]
    draw_rows(models, ["x"] * 400, (10, 20), "a title", tmp_path / "a.png")
    assert figures[0].axes[0].get_xlabel() == "token of the prompt"


def test_another_suffix_and_an_unwritable_place_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must end in"):
        draw_rows(MODELS, TOKENS, (4, 6), "t", tmp_path / "a.txt")
    with pytest.raises(StoreError, match="cannot write"):
        draw_rows(MODELS, TOKENS, (4, 6), "t", tmp_path / "missing" / "a.png")

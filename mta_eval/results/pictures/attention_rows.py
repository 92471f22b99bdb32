"""Several models on one sample -> one picture: where the question's tokens look, and how much of it is at the target.

A row is what one token puts on every token of the prompt, by one head of one layer. Knows arrays and texts only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mta_eval.results.pictures.attention_map import EM, MARK, MONO, check_picture_path, token_text
from mta_eval.results.pictures.kernels import drawable, save_picture, symmetric
from mta_eval.results.pictures.style import GREY, STYLE
from mta_eval.results.table import model_text, percent_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ROW, WIDTH, LABELS = 0.22, 11.0, 1.9  # inches: a row's height, all tokens, the room for the rows' names
LETTERS_UP_TO = 130  # tokens; of longer prompts only the place is shown


@dataclass(frozen=True)
class HeadRow:
    """What one token puts on all tokens of a prompt: weights (T,)."""

    layer: int
    head: int
    token: str
    weights: ArrayLike


@dataclass(frozen=True)
class ModelRows:
    """The rows of one model."""

    model: str
    rows: Sequence[HeadRow]


def draw_rows(
    models: Sequence[ModelRows], tokens: Sequence[str], target: tuple[int, int], title: str, path: Path
) -> Path:
    """Draws the rows of each model into `path` (PNG, SVG or PDF, by its suffix), under one another, and returns it.

    The target fills the tokens from target[0] up to, not with, target[1]; it is framed, and beside each row stands
    the share that it gets. All rows share a scale that begins at 0, or has 0 in its middle if a weight is below it.
    Raises SpecError for another suffix, StoreError if the file cannot be written.
    """
    check_picture_path(path)
    values = np.concatenate([np.asarray(row.weights, dtype=float) for model in models for row in model.rows])
    scale = symmetric(values) if values.min() < -1e-6 else ScalarMappable(Normalize(0, max(1.0, values.max())), "Blues")
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"of {path.name}", "pdf.fonttype": 42}):
        figure = Figure((1, 1))  # coordinates are inches
        top = 0.0
        for model in models:
            top = _draw_model(figure, model, tokens, target, scale, top)
        figure.text(LABELS, 0.62, textwrap.fill(drawable(title), 110), fontsize=11, weight="bold", va="bottom")
        _draw_scale(figure, scale, top)
        return save_picture(figure, path)


def _draw_model(
    figure: Figure, model: ModelRows, tokens: Sequence[str], target: tuple[int, int], scale: ScalarMappable, top: float
) -> float:
    """Draws one model below `top`; returns where the next one may begin."""
    height = ROW * len(model.rows)
    axes = figure.add_axes((LABELS, top - height - 0.15, WIDTH, height))
    weights = np.array([np.asarray(row.weights, dtype=float) for row in model.rows])
    axes.imshow(scale.to_rgba(weights), aspect="auto", interpolation="nearest")
    axes.set_title(model_text(drawable(model.model)), fontsize=10, weight="bold", loc="left", pad=16)
    axes.set_yticks(
        range(len(model.rows)),
        [f"layer {row.layer}, head {row.head}   {token_text(row.token)}" for row in model.rows],
        family=MONO,
    )
    axes.tick_params(length=0, labelsize=7)
    corner, width = (target[0] - 0.5, -0.5), target[1] - target[0]
    axes.add_patch(Rectangle(corner, width, len(model.rows), fill=False, edgecolor=MARK, linewidth=1.6, clip_on=False))
    for number, share in enumerate(weights[:, target[0] : target[1]].sum(1)):
        # a share is of a sum that kernels after softmax may push beyond 0 and 1
        text = percent_text(share) if 0 <= share <= 1 else f"{100 * share:.0f} %"
        axes.text(len(tokens) + 0.3, number, text, fontsize=7, va="center")
    axes.text(len(tokens) + 0.3, -0.9, "at the target", fontsize=7, va="bottom", color=GREY)
    _label_tokens(axes, tokens)
    return top - height - 0.95


def _label_tokens(axes: Axes, tokens: Sequence[str]) -> None:
    if len(tokens) > LETTERS_UP_TO:
        axes.set_xlabel("token of the prompt", fontsize=8)
        return
    cell = WIDTH / len(tokens)
    texts = [token_text(text) for text in tokens]
    upright = max(map(len, texts)) * EM * 7 < cell
    axes.set_xticks(range(len(tokens)), texts, family=MONO, rotation=0 if upright else 90)


def _draw_scale(figure: Figure, scale: ScalarMappable, top: float) -> None:
    axes = figure.add_axes((LABELS, top - 0.05, 2.4, 0.1))
    figure.colorbar(scale, cax=axes, orientation="horizontal")
    axes.tick_params(labelsize=7, length=2)
    axes.set_title("weight", fontsize=7, color=GREY, pad=3)

"""Attention on one sample -> one picture: which heads look at the needle, and how (the paper's Figure 4).

Left, what every head puts on the needle; right, the maps of a few heads. Knows arrays and texts, no model and no task.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from mta_eval.errors import SpecError
from mta_eval.results.pictures.kernels import (
    UNDATED,
    draw_cells,
    drawable,
    save_picture,
    surround,
    symmetric,
    tick,
    write_in_cell,
)
from mta_eval.results.pictures.style import STYLE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MARK = "#e8590c"  # the chosen heads and the needle: stands out from blue, from red and from white
MONO = ["DejaVu Sans Mono", "DejaVu Sans", "monospace"]
EM = 0.602 / 72  # inches that one character of it takes for each point of its size
GAP_NOTE = "hatched: not measured"
BLANKS = {"\n": "⏎", "\r": "⏎", "\t": "⇥"}  # any other blank is "␣"


@dataclass(frozen=True)
class HeadMap:
    """One head on the window that is drawn: weights (rows, columns), a row for a query, a column for a key."""

    layer: int
    head: int
    weights: ArrayLike


def draw_attention(
    needle_share: ArrayLike,
    maps: Sequence[HeadMap],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    needle: tuple[int, int],
    title: str,
    path: Path,
) -> Path:
    """Draws the attention on one sample into `path` (PNG, SVG or PDF, by its suffix) and returns it.

    `needle_share` (layers, heads) is the sum of what the last question token puts on the needle. `maps`, at least
    one, share a scale and their labels: the texts of the question's last tokens and of those around the needle, which
    fills the columns from needle[0] up to, not with, needle[1]. A scale begins at 0, unless something on it is below
    0 or above 1: then 0 is its middle. What is no finite number is hatched. Raises SpecError for another suffix,
    StoreError if the file cannot be written, ValueError if there are not as many labels as weights.
    """
    check_picture_path(path)
    share = np.asarray(needle_share, dtype=float)
    weights = [np.asarray(head_map.weights, dtype=float) for head_map in maps]
    if {array.shape for array in weights} != {(len(row_labels), len(column_labels))}:
        sizes = ", ".join(str(array.shape) for array in weights)
        raise ValueError(f"maps {sizes} with {len(row_labels)} row and {len(column_labels)} column labels")
    texts = [token_text(text) for text in row_labels], [token_text(text) for text in column_labels]
    names = [
        f"{_sign(number)} · layer {head_map.layer}, head {head_map.head} · {share[head_map.layer, head_map.head]:z.2f}"
        for number, head_map in enumerate(maps)
    ]
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"of {path.name}", "pdf.fonttype": 42}):
        figure = Figure((1, 1))
        overview = _draw_overview(figure, share, maps)
        box = _draw_maps(figure, max(overview.x1 + 1, 2.1), weights, names, texts, needle)
        wrapped = textwrap.fill(drawable(title), int(box.x1 * 10))
        figure.text(box.x1 / 2, 0.55, wrapped, ha="center", va="bottom", fontsize=11, weight="bold")
        return save_picture(figure, path)


def check_picture_path(path: Path) -> None:
    """Raises SpecError unless the name ends in .png, .svg or .pdf: for asking before a model is loaded."""
    if path.suffix[1:].lower() not in UNDATED:
        kinds = ", ".join(f".{kind}" for kind in UNDATED)
        raise SpecError(f"cannot draw into {str(path)!r}: the name must end in one of {kinds}")


def token_text(text: str) -> str:
    """A token as it stands beside a map: blanks made visible, a box for what has no glyph, shortened to 12."""
    text = drawable("".join(BLANKS.get(sign, "␣") if sign.isspace() else sign for sign in text))
    return text if len(text) <= 12 else f"{text[:7]}…{text[-4:]}"


def _draw_overview(figure: Figure, share: np.ndarray, maps: Sequence[HeadMap]) -> Bbox:
    """Draws layers x heads with the upper left corner in the origin, and returns where."""
    layers, heads = share.shape
    cell = max(0.06, min(0.3, 3.6 / layers, 3 / heads))
    box, scale = Bbox.from_extents(0, -layers * cell, heads * cell, 0), _scale(share)
    axes = figure.add_axes(box.bounds)
    draw_cells(axes, share, scale, written=False)
    axes.set_title("attention of the last\nquestion token on the needle", fontsize=8, loc="left", pad=8)
    tick(axes.xaxis, [str(head) for head in range(heads)], cell)
    tick(axes.yaxis, [str(layer) for layer in range(layers)], cell)
    for number, head_map in enumerate(maps):
        corner, colour = (head_map.head, head_map.layer), scale.to_rgba(share[head_map.layer, head_map.head])
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=MARK, linewidth=1.3, clip_on=False, zorder=3))
        if cell > 0.09:
            write_in_cell(axes, corner, _sign(number), colour, weight="bold")
    surround(figure, box, "", ("head", "layer", "" if np.isfinite(share).all() else GAP_NOTE), scale, above=0)
    return box


def _draw_maps(
    figure: Figure,
    left: float,
    weights: Sequence[np.ndarray],
    names: Sequence[str],
    texts: tuple[list[str], list[str]],
    needle: tuple[int, int],
) -> Bbox:
    """Draws all maps from `left` on, in the grid that makes the page least long or wide, and returns where."""
    (rows, columns), count = weights[0].shape, len(weights)
    cell = max(0.08, min(0.13, 9 / columns, 9 / rows))
    row_room, column_room = (max(map(len, labels)) * cell * 50 * EM for labels in texts)
    left += row_room
    step_x, step_y = max(columns * cell, 1.7) + 0.25, rows * cell + 0.55
    shape = {n: (left + n * step_x) / (math.ceil(count / n) * step_y + 1.5) for n in range(1, count + 1)}
    across = min(shape, key=lambda n: abs(math.log(shape[n] / 0.9)))
    scale = _scale(np.stack(weights))
    for number, (array, name) in enumerate(zip(weights, names, strict=True)):
        down, right = divmod(number, across)
        axes = figure.add_axes((left + right * step_x, -down * step_y - rows * cell, columns * cell, rows * cell))
        draw_cells(axes, array, scale, written=False)
        axes.set_title(name.replace("-", "−"), fontsize=8, loc="left", pad=15)
        _label(axes.xaxis, texts[1] if number + across >= count else [], cell, rotation=90)
        _label(axes.yaxis, texts[0] if right == 0 else [], cell)
        start, end = (min(max(at, 0), columns) for at in needle)
        if start < end:
            frame = Rectangle((start, 0), end - start, rows, fill=False, edgecolor=MARK, clip_on=False, zorder=3)
            axes.add_patch(frame)
            axes.text((start + end) / 2, -0.4, "needle", ha="center", va="bottom", fontsize=7, color=MARK)
            for text in axes.get_xticklabels()[start:end]:
                text.set(color=MARK, weight="bold")
    bottom = -(math.ceil(count / across) - 1) * step_y - rows * cell
    box = Bbox.from_extents(left, bottom, left + across * step_x - 0.25, 0)
    surround(figure, box, "", ("", "", "attention weight"), scale, above=0)
    x, y = left + ((across - 1) * step_x + columns * cell) / 2, bottom - column_room - 0.1
    figure.text(x, y, "context", ha="center", va="top", fontsize=8.5)
    figure.text(left - row_room - 0.08, bottom / 2, "question", ha="right", va="center", rotation=90, fontsize=8.5)
    return box


def _label(axis: Axis, texts: Sequence[str], cell: float, rotation: float = 0) -> None:
    axis.set_ticks([place + 0.5 for place in range(len(texts))], texts, rotation=rotation, family=MONO)
    axis.set_tick_params(length=0, pad=2, labelsize=cell * 50)


def _scale(values: np.ndarray) -> ScalarMappable:
    finite = values[np.isfinite(values)]
    low, high = finite.min(initial=0), finite.max(initial=0)
    if low < -1e-6 or high > 1.005:  # not the rounding of a sum
        return symmetric(values)
    return ScalarMappable(Normalize(0, high or 1), "Blues")


def _sign(number: int) -> str:
    """What names a map in the overview: a, b, c, …"""
    return ascii_letters[number % len(ascii_letters)]

"""Learned kernels -> pictures and numbers: what one layer does with its scores. Knows arrays, and no model.

A figure here is one inch wide and high, so that its coordinates are inches; saving it cuts the page to what is drawn.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis, YAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from mta_eval.errors import StoreError
from mta_eval.results.csv_text import csv_text
from mta_eval.results.pictures.style import DIVERGING, HATCH, INK, PAPER, STYLE
from mta_eval.results.pictures.style import drawable as drawable_in
from mta_eval.whole_files import replacing, write_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

drawable = partial(drawable_in, family="DejaVu Sans Mono")  # which the tokens are written in, and has fewer signs
UNDATED: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def draw_convolutions(kernels: ArrayLike, title: str, path: Path, left: int | None = None) -> list[Path]:
    """Draws key-query kernels (H, c_q, c_k) of one layer, a subplot a head; writes `path`.png and `path`.svg.

    The last row of a kernel meets the current query, column `left` (default: the middle) the current key; that cell
    is framed. All heads share one scale with 0 in its middle. A weight that is no finite number is hatched. Raises
    StoreError if a file cannot be written.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"of {path.name}"}):
        figure = _compose_convolutions(np.asarray(kernels, dtype=float), title, left)
        return [save_picture(figure, path.with_name(path.name + suffix)) for suffix in (".png", ".svg")]


def draw_mixing(kernels: ArrayLike, title: str, path: Path) -> list[Path]:
    """Draws head kernels (groups, c_h, c_h), each [out, in], as one H x H matrix; writes `path`.png and `path`.svg.

    Heads of different groups do not see one another: those cells stay blank. The rest is as in `draw_convolutions`.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"of {path.name}"}):
        figure = _compose_mixing(np.asarray(kernels, dtype=float), title)
        return [save_picture(figure, path.with_name(path.name + suffix)) for suffix in (".png", ".svg")]


def kernel_rows(kernels: ArrayLike, layer: int, kernel: str, left: int | None = None) -> list[dict[str, object]]:
    """One row for each head of key-query kernels (H, c_q, c_k); `kernel` is what to call them, `left` as in drawing.

    `distance_from_identity` is |K - I| / |K| (Frobenius norms), where I is 1 on the current query and key, else 0;
    `share_on_identity` is what that cell holds of the sum of |weights|; `largest` is the weight furthest from 0, and
    `at_query`, `at_key` are its offsets from the current ones. A kernel of zeros has NaN for distance and share.
    """
    array = np.asarray(kernels, dtype=float)
    identity = (array.shape[1] - 1, (array.shape[2] - 1) // 2 if left is None else left)
    origin = {"at_query": 0, "at_key": 0}
    return [_row(layer, kernel, head, weights, identity, origin) for head, weights in enumerate(array)]


def mixing_rows(kernels: ArrayLike, layer: int, kernel: str) -> list[dict[str, object]]:
    """As `kernel_rows`, one row for each head that comes out of head kernels (groups, c_h, c_h), each [out, in].

    The identity takes from the head itself alone; `at_head` is the head that the largest weight takes from.
    """
    rows = np.concatenate(np.asarray(kernels, dtype=float))
    return [
        _row(layer, kernel, head, weights, (head % len(weights),), {"at_head": head})
        for head, weights in enumerate(rows)
    ]


def write_kernel_table(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Writes rows of `kernel_rows` and `mixing_rows` as one CSV. Raises StoreError if it cannot be written."""
    try:
        write_text(path, csv_text(pd.DataFrame(rows), "%.6g"))
    except OSError as error:
        raise StoreError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _row(
    layer: int, name: str, head: int, weights: np.ndarray, identity: tuple[int, ...], origin: Mapping[str, int]
) -> dict[str, object]:
    """The numbers of a kernel whose identity is 1 at `identity`; `origin`: its axes' names and offsets."""
    largest = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    difference = weights.copy()
    difference[identity] -= 1
    with np.errstate(invalid="ignore"):  # where a weight is not finite, neither are the numbers
        distance = np.linalg.norm(difference) / (np.linalg.norm(weights) or np.nan)
        share = np.abs(weights[identity]) / (np.abs(weights).sum() or np.nan)
    numbers = {"distance_from_identity": distance, "share_on_identity": share, "largest": weights[largest]}
    offsets = {
        axis: start + int(index) - centre
        for (axis, start), index, centre in zip(origin.items(), largest, identity, strict=True)
    }
    return {"layer": layer, "kernel": name, "head": head, **{k: float(v) for k, v in numbers.items()}, **offsets}


def _compose_convolutions(kernels: np.ndarray, title: str, left: int | None) -> Figure:
    heads, rows, columns = kernels.shape
    current, scale = (columns - 1) // 2 if left is None else left, symmetric(kernels)
    written = kernels.size <= 160 and columns <= 20
    cell = 0.36 if written else min(0.16, 3.2 / max(rows, columns))
    step_x, step_y = max(columns * cell, 0.55) + 0.2, rows * cell + 0.3
    down = math.ceil(heads / max(1, int(8 / step_x)))
    across = math.ceil(heads / down)
    queries = [*(f"i−{back}" for back in range(rows - 1, 0, -1)), "i"]
    keys = ["0" if n == current else f"{n - current:+d}".replace("-", "−") for n in range(columns)]
    figure = Figure((1, 1))
    for head, weights in enumerate(kernels):
        row, column = divmod(head, across)
        axes = figure.add_axes((column * step_x, -row * step_y, columns * cell, rows * cell))
        draw_cells(axes, weights, scale, written=written)
        axes.set_title(f"head {head}", fontsize=8, pad=3.5)
        axes.add_patch(Rectangle((current, rows - 1), 1, 1, fill=False, edgecolor=INK, linewidth=0.9, clip_on=False))
        tick(axes.xaxis, keys if head + across >= heads else [], cell, current)
        tick(axes.yaxis, queries if column == 0 else [], cell, rows - 1)
    box = Bbox.from_extents(0, -(down - 1) * step_y, across * step_x - 0.2, rows * cell)
    surround(figure, box, title, ("key (offset from the current one)", "query", "weight"), scale, above=0.3)
    return figure


def _compose_mixing(kernels: np.ndarray, title: str) -> Figure:
    size, heads, scale = kernels.shape[2], kernels.shape[0] * kernels.shape[2], symmetric(kernels)
    cell = 0.36 if heads <= 16 else max(0.07, min(0.18, 6 / heads))
    figure, box = Figure((1, 1)), Bbox.from_bounds(0, 0, heads * cell, heads * cell)
    axes = figure.add_axes(box.bounds)
    for block, first in zip(kernels, range(0, heads, size), strict=True):
        draw_cells(axes, block, scale, first, written=heads <= 16)
        axes.add_patch(Rectangle((first, first), size, size, fill=False, edgecolor=INK, linewidth=0.7, clip_on=False))
    for axis in (axes.xaxis, axes.yaxis):
        tick(axis, [str(head) for head in range(heads)], cell)
    surround(figure, box, title, ("head in", "head out", "weight"), scale, above=0.1)
    return figure


def save_picture(figure: Figure, path: Path) -> Path:
    """Writes a picture in the format that the path's suffix names, and returns the path. Raises StoreError."""
    kind = path.suffix[1:].lower()
    try:
        with replacing(path) as file:
            figure.savefig(file, format=kind, dpi=200, bbox_inches="tight", pad_inches=0.1, metadata=UNDATED[kind])
    except OSError as error:
        raise StoreError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def surround(
    figure: Figure, box: Bbox, title: str, names: tuple[str, str, str], scale: ScalarMappable, above: float
) -> None:
    """Writes around subplots: a title so many inches `above`, a colour bar, and the names of x, y and the colours."""
    x_centre, y_centre, height = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, min(box.height, 2.4)
    wrapped = textwrap.fill(drawable(title), max(48, int(box.width * 10)))
    figure.text(x_centre, box.y1 + above, wrapped, ha="center", va="bottom", fontsize=11, weight="bold")
    figure.text(x_centre, box.y0 - 0.22, names[0], ha="center", va="top", fontsize=8.5)
    figure.text(box.x0 - 0.34, y_centre, names[1], ha="right", va="center", rotation=90, fontsize=8.5)
    bar_axes = figure.add_axes((box.x1 + 0.15, box.y1 - height, 0.11, height))
    bar = figure.colorbar(scale, bar_axes, ticks=MaxNLocator(max(2, int(height * 4))))
    bar.ax.tick_params(length=2, width=0.5, labelsize=7)
    bar.outline.set(edgecolor=HATCH, linewidth=0.5)
    bar.set_label(names[2], fontsize=8.5)


def symmetric(values: np.ndarray) -> ScalarMappable:
    """Colours from -limit to limit, the largest finite |value|, so that 0 gets the middle one."""
    limit = float(np.max(np.abs(values), where=np.isfinite(values), initial=0)) or 1.0
    return ScalarMappable(Normalize(-limit, limit), DIVERGING)


def draw_cells(axes: Axes, values: np.ndarray, scale: ScalarMappable, first: int = 0, *, written: bool) -> None:
    """Colours (rows, columns), from row and column `first` of `axes` to their end; hatches what is not finite."""
    x, y = (first + np.arange(size + 1) for size in values.shape[::-1])
    assert isinstance(scale.norm, Normalize)  # matplotlib's types know only that it is some norm
    axes.pcolormesh(x, y, values, cmap=scale.cmap, norm=scale.norm, edgecolors="white", linewidth=0.3)
    axes.set(xlim=(0, x[-1]), ylim=(y[-1], 0))
    axes.set_frame_on(False)
    for (row, column), value in np.ndenumerate(values):
        corner = float(x[column]), float(y[row])
        if not np.isfinite(value):
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=PAPER, edgecolor=HATCH, hatch="/////", linewidth=0))
        elif written:
            write_in_cell(axes, corner, f"{value:z.2f}".replace("-", "−"), scale.to_rgba(value))


def write_in_cell(
    axes: Axes, corner: tuple[float, float], text: str, colour: Sequence[float] | np.ndarray, weight: str = "normal"
) -> None:
    """Writes into the cell with this (x, y), in white or black, whichever can be read on its colour."""
    ink = "white" if np.dot(colour[:3], (0.299, 0.587, 0.114)) < 0.5 else INK
    axes.text(corner[0] + 0.5, corner[1] + 0.5, text, ha="center", va="center", fontsize=6.5, color=ink, weight=weight)


def tick(axis: Axis, texts: Sequence[str], cell: float, anchor: int = 0) -> None:
    """Labels cells of so many inches, as many as fit: text number `anchor` and every n-th from there."""
    room = 0.11 if isinstance(axis, YAxis) else max(map(len, texts), default=0) * 0.06 + 0.02
    step = next(n for n in (1, 2, 4, 5, 10, 20, 50, 100, 1000) if n * cell >= room)
    places = range(anchor % step, len(texts), step)
    axis.set_ticks([place + 0.5 for place in places], [texts[place] for place in places])
    axis.set_tick_params(length=0, pad=2, labelsize=6.5)

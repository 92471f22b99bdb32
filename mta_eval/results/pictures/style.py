"""The one style of every picture: page sizes, fonts, colours, and files that are the same every time.

Draw within `styled()`, write with `save`. Draws through matplotlib's objects, never through pyplot, which keeps
global state.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import TextToPath

from mta_eval.errors import StoreError
from mta_eval.whole_files import write_bytes

COLUMN, PAGE = 3.5, 7.0  # inches: the width of a column and of a page of two
HEADING, TITLE, LABEL, TICK, NOTE = 9.5, 8.0, 8.0, 7.0, 6.5  # points
LINE = 1.25 / 72  # inches of a line for each point of its font
INK, GREY, PAPER, HATCH = "#1a1a1a", "#5f5f5f", "#f4f4f4", "#bdbdbd"
GAP_NOTE = "hatched: not measured"
PALE = "#c9c9c9"  # lines that are there to compare with
# told apart with every kind of colour vision (Okabe and Ito), and by their marks in grey
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", GREY)
MARKS = "osD^vPX"
SCORES = ScalarMappable(Normalize(0, 1), "viridis")  # readable with every kind of colour vision, and in grey
# Blue is better, red is worse; an odd number of colours, so that 0 has one of its own: the middle one.
DIVERGING = mpl.colormaps["RdBu"].resampled(257)
STYLE: Any = {  # Any, as matplotlib's type of it changes with every release
    "svg.fonttype": "none",  # text stays text: sharp, searchable and small in a page
    "pdf.fonttype": 42,  # the same in a PDF; journals refuse the older kind
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": LABEL,
    "text.parse_math": False,  # a dollar in a model's name is a dollar
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.unicode_minus": True,
    "hatch.linewidth": 0.6,
}
UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
PIECE = re.compile(r"[^\s/,\-=]*[/,\-=]+|[^\s/,\-=]+|\s+")  # what a line is broken between
_MEASURE = TextToPath()


@contextmanager
def styled() -> Iterator[None]:
    """Within it matplotlib draws in this style; after it every setting is as it was."""
    with mpl.rc_context(STYLE):
        yield


def save(figure: Figure, path: Path) -> list[Path]:
    """Writes `path`.png (200 dpi), `path`.svg and `path`.pdf, white behind, undated; returns the paths in this order.

    The same figure gives the same bytes. The SVG keeps the ids that were set by `set_gid` and has no others but those
    its parts refer to, which hang on the name of `path`: SVGs of different names can stand in one HTML page. Raises
    StoreError if a file cannot be written.
    """
    paths = []
    for kind in ("png", "svg", "pdf"):
        target = path.with_name(f"{path.name}.{kind}")
        written = io.BytesIO()
        with mpl.rc_context({**STYLE, "svg.hashsalt": path.name}):
            figure.savefig(written, format=kind, dpi=200, facecolor="white", metadata=UNDATED[kind])
        data = written.getvalue() if kind != "svg" else _for_a_page(written.getvalue().decode()).encode()
        try:
            write_bytes(target, data)
        except OSError as error:
            raise StoreError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
        paths.append(target)
    return paths


def _for_a_page(svg: str) -> str:
    """An SVG without what would meet the other SVGs of a page: counted ids, and a rule for every element there is."""
    svg = re.sub(r'<g id="[A-Za-z0-9.]+_\d+"', "<g", svg)
    rule = "stroke-linejoin: round; stroke-linecap: butt"
    svg = re.sub(r"\s*<style type=\"text/css\">\*\{stroke-linejoin: round; stroke-linecap: butt\}</style>", "", svg)
    return svg.replace("<svg ", f'<svg style="{rule}" ', 1)


def drawable(text: str, family: str = "DejaVu Sans") -> str:
    """`text` with a box in place of every character that matplotlib's own font does not have."""
    font = get_font(findfont(family))
    return "".join(sign if sign.isprintable() and font.get_char_index(ord(sign)) else "□" for sign in text)


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; names differ at their ends as often as at their starts, so the middle goes.

    Every character is one that can be drawn.
    """
    text = drawable(text)
    ahead = limit // 2
    return text if len(text) <= limit else f"{text[:ahead]}…{text[len(text) - (limit - ahead - 1) :]}"


def ink_on(colour: Sequence[float]) -> str:
    """White or black, whichever stands out more from an RGB(A) colour of parts from 0 to 1 (luminance as in WCAG)."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3])
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 else "black"


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Inches that one line of `text` takes at `size` points."""
    font = FontProperties(family=STYLE["font.sans-serif"][0], size=size, weight="bold" if bold else "normal")
    width: float = _MEASURE.get_text_width_height_descent(text, font, ismath=False)[0]
    return width / 72


def wrap(text: str, inches: float, size: float, bold: bool = False, lines: int = 3) -> list[str]:
    """`text` in lines that are `inches` wide at most, broken at spaces and behind `/ , - =`, never within a word.

    Where there are more than `lines` its middle goes; a word wider than a line loses its own.
    """
    text = drawable(text)
    for limit in range(len(text), 0, -1):
        broken = _lines(shorten(text, limit), inches, size, bold)
        if len(broken) <= lines:
            return broken
    return []


def _lines(text: str, inches: float, size: float, bold: bool) -> list[str]:
    lines, line = [], ""
    for piece in PIECE.findall(text):
        if line.strip() and text_width((line + piece).rstrip(), size, bold) > inches:
            lines.append(line.rstrip())
            line = ""
        line += _fitting(piece, inches, size, bold)
    return [*lines, line.rstrip()] if line.strip() else lines


def _fitting(word: str, inches: float, size: float, bold: bool) -> str:
    """A word that fits a line: one that is too wide without its middle."""
    shorter = (shorten(word, limit) for limit in range(len(word) - 1, 0, -1))
    fits = text_width(word.rstrip(), size, bold) <= inches
    return word if fits else next((one for one in shorter if text_width(one, size, bold) <= inches), "…")


def wrap_apart(names: Sequence[str], inches: float, size: float, bold: bool = False, lines: int = 3) -> list[list[str]]:
    """`wrap` for names that must not look the same: where one is too long, first what all have in common goes.

    If what is left is still too long to tell them apart, or two are the same, they are numbered.
    """
    texts = [drawable(name) for name in names]
    for candidates in (texts, _without_common(texts)):
        wrapped = [wrap(text, inches, size, bold, lines) for text in candidates]
        whole = "".join(map("".join, wrapped)).count("…") == "".join(candidates).count("…")
        if len({tuple(broken) for broken in wrapped}) == len(names) and (whole or candidates is not texts):
            return wrapped
    return [wrap(f"{number}. {text}", inches, size, bold, lines) for number, text in enumerate(candidates, 1)]


def _without_common(names: Sequence[str]) -> list[str]:
    """`names` with "…" for a long beginning or end that all share, cut where a spec has its joints."""
    ahead = re.sub(r"[^/,:]*$", "", _shared(names))
    behind = re.sub(r"^[^/,:]*", "", _shared([name[len(ahead) :][::-1] for name in names])[::-1])
    first, last = (len(part) if len(part) > 3 and len(names) > 1 else 0 for part in (ahead, behind))
    return ["…" * (first > 0) + name[first : len(name) - last] + ",…" * (last > 0) for name in names]


def _shared(names: Sequence[str]) -> str:
    """What all begin with."""
    return "".join(signs[0] for signs in takewhile(lambda signs: len(set(signs)) == 1, zip(*names, strict=False)))

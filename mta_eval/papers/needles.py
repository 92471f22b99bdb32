"""Figures 3 and 8 of the MTA paper: one magic number among several, by the number of needles and by depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mta_eval.core import Record
from mta_eval.papers.exhibit import Exhibit, of_sheets
from mta_eval.papers.measured import Measured, options, task_name
from mta_eval.papers.panels import Look, draw_sheets
from mta_eval.papers.reported_mta import DEPTHS, NEEDLES, NEEDLES_BY_DEPTH, plotted
from mta_eval.papers.sheet import Sheet
from mta_eval.results.measures import Measurement as Cell
from mta_eval.results.measures import accuracy
from mta_eval.results.table import length_text

TASK = "niah"
WINDOWS = (2048, 4096)
REPEATS = 100  # at five depths: the paper's 500 samples


def figure_3(models: Sequence[Measured]) -> Exhibit:
    """Accuracy by the number of needles, at 2K and 4K, averaged over depths."""
    sheets = []
    for window in WINDOWS:
        axes = [{"length": window, "needles": needles} for needles in NEEDLES]
        cells = by_axes(models, axes, "needles")
        title = f"windows of {length_text(window)}"
        sheets.append(Sheet(title, "needles", NEEDLES, plotted(NEEDLES), cells, "per cent"))
    said = (
        "Accuracy at 2K (pre-trained models) and 4K (fine-tuned ones) with 2 to 10 needles, 500 samples a setup, "
        "averaged over the needle's depth. The values are plotted only. Not drawn: the press gave 67 % to 97.6 % for "
        "the first version of the paper, which could not be checked."
    )
    return of_sheets(
        "Figure 3",
        "needles in a haystack",
        "Figure 3, section 4.4",
        said,
        sheets,
        _ways({window: sheet.missing() for window, sheet in zip(WINDOWS, sheets, strict=True)}),
        partial(_draw, sheets, "Figure 3: finding one needle among several", "needles", 2),
    )


def figure_8(models: Sequence[Measured]) -> Exhibit:
    """Accuracy by depth, at 2K, for each number of needles."""
    sheets = []
    for needles in NEEDLES_BY_DEPTH:
        axes = [{"length": WINDOWS[0], "needles": needles, "depth": depth} for depth in DEPTHS]
        cells = by_axes(models, axes, "depth")
        sheets.append(Sheet(f"{needles} needles", "depth", DEPTHS, plotted(DEPTHS), cells, "per cent"))
    said = "Accuracy by the needle's depth in windows of 2K. The values are plotted only."
    lacking = [needles for needles, sheet in zip(NEEDLES_BY_DEPTH, sheets, strict=True) if sheet.missing()]
    return of_sheets(
        "Figure 8",
        "needles by depth",
        "Figure 8, appendix G",
        said,
        sheets,
        _ways({WINDOWS[0]: lacking}),
        partial(_draw, sheets, "Figure 8: finding one needle among several, by its depth (2K)", "depth", 2),
    )


def by_axes(models: Sequence[Measured], axes: Sequence[Mapping[str, Any]], across: str) -> dict[str, dict[Any, Cell]]:
    """Model -> value of `across` -> accuracy of the niah records with all of those axes and one needle asked for.

    What other options of the task differ makes a row of its own: "smollm2, kind=uuid".
    """
    found: dict[str, dict[Any, Cell]] = {}
    for model in (one.only(_counts) for one in models):
        for kind in dict.fromkeys(map(_kind, model.records)):
            own = model.only(lambda record, kind=kind: _kind(record) == kind)  # type: ignore[misc]
            cells = {place[across]: cell for place in axes if (cell := own.cell(partial(_is, place), accuracy))}
            if cells:
                found[f"{model.name}, {kind}" if kind else model.name] = cells
    return found


def _counts(record: Record) -> bool:
    """Whether one needle of one value is asked for, as in the paper."""
    chosen = options(record)
    return task_name(record) == TASK and chosen.get("asked", "1") == chosen.get("values", "1") == "1"


def _kind(record: Record) -> str:
    return ",".join(f"{key}={value}" for key, value in options(record).items() if key != "needles")


def _is(axes: Mapping[str, Any], record: Record) -> bool:
    return all(record.axes.get(key) == axes[key] for key in axes)


def _ways(lacking: Mapping[int, Sequence[int]]) -> list[str]:
    """One command for all windows that lack the same needles."""
    ways = []
    for needles in dict.fromkeys(tuple(some) for some in lacking.values() if some):
        windows = [length_text(window).lower() for window, some in lacking.items() if tuple(some) == needles]
        tasks = " ".join(f"niah:needles={number}" for number in needles)
        ways.append(
            f"mta-eval run {tasks} --model MODEL --lengths {','.join(windows)} --depths 0,0.25,0.5,0.75,1 "
            f"--repeats {REPEATS} --out runs/needles-{'-'.join(windows)}"
        )
    return ways


def _draw(sheets: Sequence[Sheet], heading: str, label: str, across: int, stem: Path) -> list[Path]:
    return draw_sheets(sheets, heading, Look("accuracy (%)", label), stem, across)

"""Figures 3 and 8 of the MTA paper: one magic number among several, by the number of needles and by depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mta_eval.core import Axes, AxisValue, Record
from mta_eval.papers.artifact import PaperArtifact, artifact_of
from mta_eval.papers.axis_places import AxesStyle
from mta_eval.papers.comparison_table import Cells, ComparisonTable, Reported
from mta_eval.papers.measured import Measured, options, task_name
from mta_eval.papers.reported_mta import DEPTHS, NEEDLES, NEEDLES_BY_DEPTH, PRESS, PRESS_WINDOW, plotted
from mta_eval.papers.subplots import draw_tables
from mta_eval.results.measures import accuracy
from mta_eval.results.table import length_text

TASK = "niah"
WINDOWS = (2048, 4096)
REPEATS = 100  # at five depths: the paper's 500 samples


def figure_3(models: Sequence[Measured]) -> PaperArtifact:
    """Accuracy by the number of needles, at 2K and 4K, averaged over depths."""
    tables = [_by_needles(models, window, plotted(NEEDLES)) for window in WINDOWS]
    others = [_by_needles(models, window, {}) for window in _other_windows(models)]
    reported_text = (
        "Accuracy at 2K (pre-trained models) and 4K (fine-tuned ones) with 2 to 10 needles, 500 samples a setup, "
        "averaged over the needle's depth. The values are plotted only. Grey: the press gave 67 % to 97.6 % at 4K for "
        "MTA of the first version of the paper, which could not be checked."
    )
    return artifact_of(
        "Figure 3",
        "needles in a haystack",
        "Figure 3, section 4.4",
        reported_text,
        tables + others,
        _instructions({window: table.incomplete_columns() for window, table in zip(WINDOWS, tables, strict=True)}),
        partial(_draw, tables + others, "Figure 3: finding one needle among several", "needles", 2),
    )


def _by_needles(models: Sequence[Measured], window: int, reported: Reported) -> ComparisonTable:
    axes: list[Axes] = [{"length": window, "needles": needles} for needles in NEEDLES]
    title = f"windows of {length_text(window)}{'' if reported else ' (not in the paper)'}"
    cells = by_axes(models, axes, "needles")
    pressed = PRESS if window == PRESS_WINDOW else None
    return ComparisonTable(title, "needles", NEEDLES, reported, cells, "per cent", range=pressed)


def _other_windows(models: Sequence[Measured]) -> list[int]:
    """Windows that the paper does not have, in which a model was asked with several numbers of needles."""
    asked: dict[int, set[AxisValue]] = defaultdict(set)
    for record in (record for model in models for record in model.records if _has_one_target(record)):
        if record.axes.get("needles") in NEEDLES and record.axes.get("length") not in WINDOWS:
            asked[int(record.number("length"))].add(record.axes["needles"])
    return sorted(window for window, needles in asked.items() if len(needles) > 1)


def figure_8(models: Sequence[Measured]) -> PaperArtifact:
    """Accuracy by depth, at 2K, for each number of needles."""
    tables = []
    for needles in NEEDLES_BY_DEPTH:
        axes: list[Axes] = [{"length": WINDOWS[0], "needles": needles, "depth": depth} for depth in DEPTHS]
        cells = by_axes(models, axes, "depth")
        tables.append(ComparisonTable(f"{needles} needles", "depth", DEPTHS, plotted(DEPTHS), cells, "per cent"))
    reported_text = "Accuracy by the needle's depth in windows of 2K. The values are plotted only."
    missing = [needles for needles, table in zip(NEEDLES_BY_DEPTH, tables, strict=True) if table.incomplete_columns()]
    return artifact_of(
        "Figure 8",
        "needles by depth",
        "Figure 8, appendix G",
        reported_text,
        tables,
        _instructions({WINDOWS[0]: missing}),
        partial(_draw, tables, "Figure 8: finding one needle among several, by its depth (2K)", "depth", 2),
    )


def by_axes(models: Sequence[Measured], axes: Sequence[Axes], across: str) -> Cells:
    """Model -> value of `across` -> accuracy of the niah records with all of those axes and one needle asked for.

    What other options of the task differ makes a row of its own: "smollm2, kind=uuid".
    """
    cells_of: Cells = {}
    for model in (model.only(_has_one_target) for model in models):
        for kind in dict.fromkeys(map(_kind, model.records)):
            subset = model.only(lambda record, kind=kind: _kind(record) == kind)  # type: ignore[misc]
            cells = {place[across]: cell for place in axes if (cell := subset.cell(partial(_is, place), accuracy))}
            if cells:
                cells_of[f"{model.name}, {kind}" if kind else model.name] = cells
    return cells_of


def _has_one_target(record: Record) -> bool:
    """Whether one needle of one value is asked for, as in the paper."""
    chosen = options(record)
    return task_name(record) == TASK and chosen.get("asked", "1") == chosen.get("values", "1") == "1"


def _kind(record: Record) -> str:
    return ",".join(f"{key}={value}" for key, value in options(record).items() if key != "needles")


def _is(axes: Axes, record: Record) -> bool:
    return all(record.axes.get(key) == axes[key] for key in axes)


def _instructions(missing: Mapping[int, Sequence[AxisValue]]) -> list[str]:
    """One command for all windows that lack the same needles."""
    instructions = []
    for needles in dict.fromkeys(tuple(lacking) for lacking in missing.values() if lacking):
        windows = [length_text(window).lower() for window, lacking in missing.items() if tuple(lacking) == needles]
        tasks = " ".join(f"niah:needles={number}" for number in needles)
        instructions.append(
            f"mta-eval run {tasks} --model MODEL --lengths {','.join(windows)} --depths 0,0.25,0.5,0.75,1 "
            f"--repeats {REPEATS} --out runs/needles-{'-'.join(windows)}"
        )
    return instructions


def _draw(tables: Sequence[ComparisonTable], heading: str, label: str, across: int, stem: Path) -> list[Path]:
    return draw_tables(tables, heading, AxesStyle("accuracy (%)", label), stem, across)

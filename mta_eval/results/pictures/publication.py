"""`report --style`, `--pictures`: the figures that were asked for and nothing else, at the size of their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mta_eval.core import Record
from mta_eval.errors import SpecError, StoreError, did_you_mean
from mta_eval.results.grid import check_axes, grids_by_model, group_by_task
from mta_eval.results.pictures import charts
from mta_eval.results.pictures.figure_heatmap import draw_heatmap_figure
from mta_eval.results.pictures.figure_lines import draw_lines_figure
from mta_eval.results.pictures.figure_style import STYLES, FigureStyle, check_font, figure_settings
from mta_eval.results.table import slug_of

Plans = Callable[[Sequence[Record]], Iterable[charts.ChartPlan]]


def _each_task(make: Callable[[str, Sequence[Record]], charts.ChartPlan | None]) -> Plans:
    """A plan for each task."""

    def plans(records: Sequence[Record]) -> Iterable[charts.ChartPlan]:
        return filter(None, (make(task, group) for task, group in group_by_task(records, "", "").items()))

    return plans


LINES: dict[str, Plans] = {
    "needles": charts.by_needles,
    "qa": charts.by_qa,
    "depth": _each_task(charts.by_depth),
    "length": _each_task(charts.by_length),
    "distance": _each_task(charts.by_distance),
}
FIGURES = ("heatmap", *LINES)


def read_pictures(text: str) -> tuple[str, ...]:
    """ "heatmap,needles" -> ("heatmap", "needles"); nothing -> all. Raises SpecError for what is no figure."""
    names = tuple(dict.fromkeys(name.strip().removeprefix("by_") for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in FIGURES]:
        raise SpecError(f"no figure is called {unknown[0]!r}{did_you_mean(unknown[0], FIGURES)}")
    return names or FIGURES


def draw_figures(
    records: Sequence[Record],
    out: Path,
    names: Sequence[str],
    style: FigureStyle = STYLES["page"],
    font: str = "",
    x: str = "length",
    y: str = "depth",
) -> list[Path]:
    """Draws the named figures into `out`, made if need be, each as PNG, SVG and PDF; returns the files.

    `x` and `y` are the axes of heatmaps. Raises SpecError if no record has an axis, `font` is not installed, or a named
    figure has nothing to show; StoreError if there are no records or `out` cannot be written.
    """
    if not records:
        raise StoreError("nothing to draw: the run has no records yet; repeat its command to go on with it")
    check_font(font)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror or error}") from error
    written: list[Path] = []
    with figure_settings(font):
        for name in names:
            made = _heatmaps(records, out, style, x, y) if name == "heatmap" else _lines(name, records, out, style)
            if not made and set(names) != set(FIGURES):
                raise SpecError(f"the answers have nothing to show as {name!r}; leave it out of --pictures")
            written += made
    return written


def _heatmaps(records: Sequence[Record], out: Path, style: FigureStyle, x: str, y: str) -> list[Path]:
    check_axes(records, x, y)
    written: list[Path] = []
    taken: list[str] = []
    for task, group in group_by_task(records, x, y).items():
        if not any(record.score is not None for record in group):
            continue
        measure = "1 / perplexity (%)" if all(record.was_read for record in group) else "accuracy (%)"
        taken.append(slug_of(f"heatmap {task}", taken))
        heading = f"{task}: {measure.removesuffix(' (%)')} by {x} and {y}"
        written += draw_heatmap_figure(grids_by_model(group, x, y), heading, measure, style, out / taken[-1])
    return written


def _lines(name: str, records: Sequence[Record], out: Path, style: FigureStyle) -> list[Path]:
    written: list[Path] = []
    taken: list[str] = []
    for plan in LINES[name](records):
        taken.append(slug_of(f"{name} {plan.name}", taken))
        written += draw_lines_figure(plan, style, out / taken[-1])
    return written

"""`mta-eval report`: pictures, tables and one page of runs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Names, Runs, Where, WithAttention
from mta_eval.commands.watch import Interval, repeat_while_written
from mta_eval.core import Run
from mta_eval.printable import say
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule


class FigureSize(StrEnum):
    """Where figures are placed."""

    page = "page"
    column = "column"
    slide = "slide"


def report(
    runs: Runs,
    x: Annotated[str, typer.Option("--x", help="Column axis; default: the run's --x, or length.")] = "",
    y: Annotated[str, typer.Option("--y", help="Row axis; default: the run's --y, or depth.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: RUN/report.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page; default: tasks and models.")] = "",
    name: Names = None,
    where: Where = None,
    style: Annotated[
        FigureSize | None,
        typer.Option(help="Only figures, at true size: a page (6.75 inches), a column of a paper (3.3), a slide (12)."),
    ] = None,
    pictures: Annotated[
        str, typer.Option(help="Only these figures: heatmap, needles, qa, depth, length, distance; default: all.")
    ] = "",
    font: Annotated[str, typer.Option(help="Font of the figures, installed here; default: DejaVu Sans.")] = "",
    attention: WithAttention = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Write again while the runs go on; the page reloads itself.")
    ] = False,
    every: Interval = 20.0,
    share: Annotated[
        float, typer.Option(help="Effective length: least score, as a share of the shortest length's.")
    ] = LENGTH_RULE.share,
    floor: Annotated[
        float, typer.Option(help="Effective length: least score, corrected for chance; RULER: 0.856 with --share 0.")
    ] = LENGTH_RULE.floor,
) -> None:
    """Draw heatmaps and write tables and a page of one or more runs; with --style or --pictures figures for a paper."""
    home = runs[0].parent if runs[0].is_file() else runs[0]  # a file: the samples of lm-eval
    rule = LengthRule(share, floor)
    rule.check()
    if style is not None or pictures or font:
        size = (style or FigureSize.page).value
        return write_figures(runs, out or home / "figures", size, pictures, font, (x, y), name or (), where or ())
    folder, pause = out or home / "report", every if watch else None
    write_report_of_runs(runs, x, y, folder, attention, pause, rule, name or (), where or (), title)
    return None


def write_figures(
    runs: Sequence[Path],
    out: Path,
    size: str,
    pictures: str,
    font: str,
    axes: tuple[str, str],
    names: Sequence[str],
    where: Sequence[str],
) -> None:
    """Draw the named `pictures` ("": all) of runs at a size of STYLES and print their paths."""
    from mta_eval.results import several
    from mta_eval.results.filters import keep_where
    from mta_eval.results.labels import make_labels
    from mta_eval.results.pictures.figure_style import STYLES
    from mta_eval.results.pictures.publication import draw_figures, read_pictures

    chosen = read_pictures(pictures)
    questions, records, _ = several.read_several(runs)
    shown = keep_where(make_labels(records, questions, names).shown(records), where)
    x, y = report_axes(questions, axes)
    terminal.print_lines(map(str, draw_figures(shown, out, chosen, STYLES[size], font, x, y)))


def report_axes(questions: Sequence[tuple[str, Run]], given: tuple[str, str]) -> tuple[str, str]:
    """The axes of a report: those given, else those that the first run names, else length and depth."""
    told = [next(filter(None, (run.report_axis(name) for _, run in questions)), "") for name in ("x", "y")]
    return given[0] or told[0] or "length", given[1] or told[1] or "depth"


def write_report_of_runs(
    runs: Sequence[Path],
    x: str,
    y: str,
    out: Path,
    attention: bool,
    every: float | None,
    length_rule: LengthRule = LENGTH_RULE,
    names: Sequence[str] = (),
    where: Sequence[str] = (),
    title: str = "",
) -> None:
    """Write the report of runs and print its paths; with `every`, again and again while they are being written.

    `x` and `y` "" are the axes that the first run names for its reports, or length and depth. `names` are labels of
    models and tasks, SPEC=NAME; `where` are conditions, see `keep_where`. `title` "" is made of tasks and models.
    """
    from mta_eval.results import several
    from mta_eval.results.filters import keep_where
    from mta_eval.results.inspection import attention_pictures
    from mta_eval.results.labels import make_labels
    from mta_eval.results.report import write_report

    def write_once(being_written: bool) -> None:
        questions, records, missing = several.read_several(runs)
        labels = make_labels(records, questions, names)
        draw = attention_pictures([run for _, run in questions], records) if attention else None

        def look(task: str, path: Path) -> list[str]:
            return draw(labels.task_spec(task), path) if draw else []

        reload = round(every or 0) if being_written else 0

        if being_written and not records:
            return
        shown = keep_where(labels.shown(records), where)
        axes, folders = report_axes(questions, (x, y)), several.run_paths(runs)
        paths = write_report(shown, out, *axes, questions, look, reload, length_rule, title, folders)
        if being_written:
            terminal.print_lines([f"{paths[0]}: {len(records)} answers, {sum(missing.values())} samples are missing"])
            return
        for folder, count in missing.items():
            say(f"{folder} is not finished: {count} samples are missing; its command goes on")
        terminal.print_lines(map(str, paths))

    if every is None:
        write_once(being_written=False)
    else:
        repeat_while_written(runs, every, write_once)

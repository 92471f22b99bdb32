"""`mta-eval report`: pictures, tables and one page of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Names, Runs, WithAttention
from mta_eval.commands.watch import Interval, repeat_while_written
from mta_eval.printable import say
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule


def report(
    runs: Runs,
    x: Annotated[str, typer.Option("--x", help="Column axis; default: the run's --x, or length.")] = "",
    y: Annotated[str, typer.Option("--y", help="Row axis; default: the run's --y, or depth.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: RUN/report.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page; default: tasks and models.")] = "",
    name: Names = None,
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
    """Draw heatmaps and write tables and a page of one or more runs."""
    home = runs[0].parent if runs[0].is_file() else runs[0]  # a file: the samples of lm-eval
    rule = LengthRule(share, floor)
    rule.check()
    folder, again = out or home / "report", every if watch else None
    write_report_of_runs(runs, x, y, folder, attention, again, rule, name or (), title)


def write_report_of_runs(
    runs: Sequence[Path],
    x: str,
    y: str,
    out: Path,
    attention: bool,
    every: float | None,
    length_rule: LengthRule = LENGTH_RULE,
    names: Sequence[str] = (),
    title: str = "",
) -> None:
    """Write the report of runs and print its paths; with `every`, again and again while they are being written.

    `x` and `y` "" are the axes that the first run names for its reports, or length and depth. `names` are labels of
    models and tasks, SPEC=NAME. `title` "" is made of tasks and models.
    """
    from mta_eval.results import several
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

        def axis(name: str) -> str:
            chosen = [run.report_axis(name) for _, run in questions]
            return next(filter(None, chosen), {"x": "length", "y": "depth"}[name])

        if being_written and not records:
            return
        shown = labels.shown(records)
        axes = x or axis("x"), y or axis("y")
        folders = several.run_paths(runs)
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

"""What the commands that read runs do, once their arguments are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.commands import terminal
from mta_eval.commands.asking import looker, write_lines
from mta_eval.commands.watching import repeat_while_written
from mta_eval.core import Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.registry import did_you_mean

if TYPE_CHECKING:
    from mta_eval.results.exports import Form


def report(runs: Sequence[Path], x: str, y: str, out: Path, attention: bool, every: float | None) -> None:
    """Write the report of runs and print its paths; with `every`, again and again while they are being written."""
    from mta_eval.results import several
    from mta_eval.results.report import write_report

    def write(going_on: bool) -> None:
        questions, records, lacking = several.read_several(runs)
        look = looker([run for _, run in questions], records) if attention else None
        reload = round(every or 0) if going_on else 0
        if going_on and not records:
            return
        paths = write_report(records, out, x=x, y=y, runs=questions, look=look, reload=reload)
        if going_on:
            terminal.print_lines([f"{paths[0]}: {len(records)} answers, {sum(lacking.values())} samples are missing"])
            return
        for folder, missing in lacking.items():
            print(
                f"mta-eval: {folder} is not finished: {missing} samples are missing; its command goes on",
                file=sys.stderr,
            )
        terminal.print_lines(map(str, paths))

    if every is None:
        write(going_on=False)
    else:
        repeat_while_written(runs, every, write)


def compare(runs: Sequence[Path], models: tuple[str, str], x: str, y: str, out: Path | None) -> None:
    """Print how two models differ on the same samples; with `out`, write it there too. See `pick` for the models."""
    from mta_eval.results import several
    from mta_eval.results.comparison import HEAD, comparison_rows, pair_up
    from mta_eval.results.comparison import compare as compare_pairs
    from mta_eval.results.comparison_page import conclusions, write_comparison

    folders = [several.read(folder)[1] for folder in runs]
    first, second = pick(runs, folders, models)
    pairs = pair_up(first, second)
    compared = compare_pairs(pairs.pairs, x, y)
    names = first[0].model, second[0].model
    terminal.print_table(HEAD, comparison_rows(compared, x, y), left=2)
    terminal.print_lines(conclusions(compared, pairs, *names))
    if out:
        terminal.print_lines(map(str, write_comparison(pairs, compared, names, x, y, out)))


def pick(
    runs: Sequence[Path], folders: Sequence[Sequence[Record]], models: tuple[str, str]
) -> tuple[list[Record], list[Record]]:
    """The answers of the two `models` ("" where none was named): one of each run, or the two of a single run.

    Raises SpecError where a name is wrong or missing.
    """
    if len(runs) == 1 and not any(models):
        names = list(dict.fromkeys(record.model for record in folders[0]))
        if len(names) != 2:
            raise SpecError(
                f"{runs[0]} holds {_list(names)}; one run is compared with itself where it has two models: name "
                "them with --first and --second, or name two runs"
            )
        models = names[0], names[1]
    (first, second), (ours, theirs) = models, (folders[0], folders[-1])
    if len(runs) == 1 and first == second:
        raise SpecError(f"--first and --second name the same model of {runs[0]}; name two")
    return _of(runs[0], ours, first, "--first"), _of(runs[-1], theirs, second, "--second")


def _of(folder: Path, records: Sequence[Record], model: str, option: str) -> list[Record]:
    names = list(dict.fromkeys(record.model for record in records))
    if model and model not in names:
        raise SpecError(f"{folder} holds no model {model!r}{did_you_mean(model, names)}")
    if not model and len(names) != 1:
        raise SpecError(f"{folder} holds {_list(names)}; name one with {option}")
    return [record for record in records if record.model == (model or names[0])]


def _list(names: Sequence[str]) -> str:
    return f"{len(names)} models ({', '.join(names)})" if names else "no answers yet"


def tabulate(runs: Sequence[Path], x: str, y: str, form: Form | None, mistakes: bool, out: Path | None) -> None:
    """Print or write a table of scores over two axes, or of the wrong answers by kind. Raises SpecError, StoreError."""
    from mta_eval.results import exports, several
    from mta_eval.results.mistake_table import mistake_frame
    from mta_eval.results.perplexity_table import perplexity_markdown

    _, records, _ = several.read_several(runs)
    if not records:
        raise StoreError(f"{', '.join(map(str, runs))}: no answers yet; repeat the run's command to go on with it")
    form = form or (exports.FORMS.get(out.suffix.lower()) if out else "markdown")
    if not form:
        raise SpecError(f"{str(out)!r} names no kind of table; end it in {', '.join(exports.FORMS)}, or give --form")
    tables = {} if mistakes else exports.pivots(records, x, y)
    if form == "parquet":
        if out is None:
            raise SpecError("Parquet is no text; name the file with --out")
        exports.write_parquet(mistake_frame(records) if mistakes else exports.score_frame(tables), out)
    else:
        text = exports.mistake_text(records, form) if mistakes else exports.score_text(tables, form)
        if form == "markdown" and not mistakes and (told := perplexity_markdown(records)):
            text += f"\n## Perplexity\n\n{told}"
        if out is None:
            terminal.print_lines([text.rstrip("\n")])
            return
        write_lines([text.rstrip("\n")], out)
    terminal.print_lines([str(out)])

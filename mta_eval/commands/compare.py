"""`mta-eval compare`: how two models differ on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Columns, Names, Rows, Where
from mta_eval.core import Record
from mta_eval.errors import SpecError
from mta_eval.outside import LARGEST
from mta_eval.registry import did_you_mean


def compare(
    first_run: Annotated[Path, typer.Argument(help="Run folder.")],
    second_run: Annotated[
        Path | None, typer.Argument(help="Second run folder; default: two models of the first run.")
    ] = None,
    first: Annotated[str, typer.Option(help="First model, if its run has several.")] = "",
    second: Annotated[str, typer.Option(help="Second model, if its run has several.")] = "",
    x: Columns = "length",
    y: Rows = "depth",
    cells: Annotated[bool, typer.Option("--cells", help="Also print the table of cells (x and y).")] = False,
    samples: Annotated[
        int, typer.Option(help="Print at most so many samples on which the models disagree.", min=0, max=LARGEST)
    ] = 5,
    name: Names = None,
    where: Where = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a page, tables and pictures; default: none.")] = None,
) -> None:
    """Print how two models differ on the same samples: who is better, by how much, how sure, and on which samples."""
    from mta_eval.results import several
    from mta_eval.results.comparison import HEAD, compare_pairs, comparison_rows, pair_up
    from mta_eval.results.comparison_page import conclusions, write_comparison
    from mta_eval.results.filters import keep_where
    from mta_eval.results.labels import make_labels
    from mta_eval.results.verdicts import DISAGREEMENT_HEAD, disagreeing_pairs, disagreement_rows

    runs = [first_run] if second_run is None else [first_run, second_run]
    folders = several.read_paired(runs)
    labels = make_labels([one for records in folders for one in records], several.questions_of(runs), name or ())
    ours, theirs = pick_models(runs, folders, (labels.model_spec(first), labels.model_spec(second)))
    ours, theirs = (keep_where(labels.shown(side), where or ()) for side in (ours, theirs))
    ours, theirs = several.told_apart(runs, ours, theirs)
    pairs = pair_up(ours, theirs)
    compared = compare_pairs(pairs.pairs, x, y)
    names = ours[0].model, theirs[0].model
    terminal.print_lines([f"first: {names[0]}", f"second: {names[1]}"])
    terminal.print_lines(conclusions(compared, pairs, *names))
    shown = [row for row in compared if cells or row.whole]
    terminal.print_table(HEAD, comparison_rows(shown, x, y), left=2)
    if listed := disagreeing_pairs(pairs.pairs)[:samples]:
        terminal.print_table(DISAGREEMENT_HEAD, disagreement_rows(listed), left=6)
    if out:
        asked = several.questions_of(runs), several.run_paths(runs)
        terminal.print_lines(map(str, write_comparison(pairs, compared, names, x, y, out, *asked)))


def pick_models(
    runs: Sequence[Path], folders: Sequence[Sequence[Record]], models: tuple[str, str]
) -> tuple[list[Record], list[Record]]:
    """The answers of the two `models` ("" where none was named): one of each run, or the two of a single run.

    Raises SpecError where a name is wrong or missing.
    """
    if len(runs) == 1 and not any(models):
        names = list(dict.fromkeys(record.model for record in folders[0]))
        if len(names) != 2:
            raise SpecError(
                f"{runs[0]} holds {_model_list(names)}; one run is compared with itself where it has two models: name "
                "them with --first and --second, or name two runs"
            )
        models = names[0], names[1]
    (first, second), (ours, theirs) = models, (folders[0], folders[-1])
    if len(runs) == 1 and first == second:
        raise SpecError(f"--first and --second name the same model of {runs[0]}; name two")
    return _records_of(runs[0], ours, first, "--first"), _records_of(runs[-1], theirs, second, "--second")


def _records_of(folder: Path, records: Sequence[Record], model: str, option: str) -> list[Record]:
    names = list(dict.fromkeys(record.model for record in records))
    if model and model not in names:
        raise SpecError(f"{folder} holds no model {model!r}{did_you_mean(model, names)}")
    if not model and len(names) != 1:
        raise SpecError(f"{folder} holds {_model_list(names)}; name one with {option}")
    return [record for record in records if record.model == (model or names[0])]


def _model_list(names: Sequence[str]) -> str:
    return f"{len(names)} models ({', '.join(names)})" if names else "no answers yet"

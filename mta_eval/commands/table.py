"""`mta-eval table`: scores over two axes, or the wrong answers by kind."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Columns, Names, Rows, Runs
from mta_eval.errors import SpecError, StoreError


class TableFormat(StrEnum):
    """How a table is written."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"
    parquet = "parquet"


def table(
    runs: Runs,
    x: Columns = "length",
    y: Rows = "depth",
    form: Annotated[TableFormat | None, typer.Option(help="Format; default: by the suffix of --out, markdown.")] = None,
    name: Names = None,
    mistakes: Annotated[bool, typer.Option("--mistakes", help="Wrong answers by kind instead of scores.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write; default: print.")] = None,
) -> None:
    """Print or write scores over any two axes, or the wrong answers by kind: Markdown, CSV, LaTeX, Parquet."""
    from mta_eval.results import exports, several
    from mta_eval.results.finishes import finish_lines
    from mta_eval.results.labels import make_labels
    from mta_eval.results.mistake_table import mistake_frame
    from mta_eval.results.perplexity_table import perplexity_markdown
    from mta_eval.results.text_files import write_lines

    questions, records, _ = several.read_several(runs)
    records = make_labels(records, questions, name or ()).shown(records)
    if not records:
        raise StoreError(f"{', '.join(map(str, runs))}: no answers yet; repeat the run's command to go on with it")
    chosen = form.value if form else exports.FORMS.get(out.suffix.lower()) if out else "markdown"
    if not chosen:
        raise SpecError(f"{str(out)!r} names no kind of table; end it in {', '.join(exports.FORMS)}, or give --form")
    tables = {} if mistakes else exports.pivots(records, x, y)
    if chosen == "parquet":
        if out is None:
            raise SpecError("Parquet is no text; name the file with --out")
        exports.write_parquet(mistake_frame(records) if mistakes else exports.score_frame(tables), out)
    else:
        text = exports.mistake_text(records, chosen) if mistakes else exports.score_text(tables, chosen)
        if chosen == "markdown" and not mistakes and (perplexities := perplexity_markdown(records)):
            text += f"\n## Perplexity\n\n{perplexities}"
        if chosen == "markdown" and not mistakes and (ends := finish_lines(records)):
            text += "\n" + "\n".join(f"- {line}" for line in ends)
        if out is None:
            terminal.print_lines([text.rstrip("\n")])
            return
        write_lines([text.rstrip("\n")], out)
    terminal.print_lines([str(out)])

"""LongHeads (arXiv 2402.10685): its passkey figure, and what others reported, beside passkey and perplexity runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mta_eval.core import Record
from mta_eval.papers.artifact import PaperArtifact, artifact_of
from mta_eval.papers.axis_places import AxesStyle
from mta_eval.papers.comparison_table import Cells, ComparisonTable, Reported, Row
from mta_eval.papers.measured import Measure, Measured, measured_models, task_name
from mta_eval.papers.reported_longheads import (
    MEMORY,
    PASSKEY,
    THIRD_PARTY,
    THIRD_PARTY_PASSKEY,
    THIRD_PARTY_PERPLEXITY,
)
from mta_eval.papers.source import PREFACE, PageSource
from mta_eval.papers.subplots import draw_tables
from mta_eval.results.measures import Measurement, accuracy, perplexity
from mta_eval.results.table import axis_text

NOTHING = (
    "**Nothing was measured here.** LongHeads has no checkpoint of its own: it extends the context of any Llama-type "
    "model. The commands under the tables measure it."
)
MODELS = "--model smollm2 --model longheads:smollm2"


def longheads_preface(source: PageSource, measured: bool) -> str:
    """The head of the page."""
    reported = PREFACE.format(
        paper="the repository of the paper, arXiv 2402.10685, and a user of it",
        reading="the accuracies of the passkey figure were read off its picture, which prints no numbers; all other "
        "values are stated",
    )
    note = [source.note] if source.note and measured else []
    parts = ["# LongHeads: reported beside measured", reported, *note, *([] if measured else [NOTHING])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def longheads_artifacts(source: PageSource) -> list[PaperArtifact]:
    """The passkey figure, perplexity by length, memory by length."""
    models = measured_models(source.records, source.runs)
    return [passkey(models), book_perplexity(models), memory(models)]


def passkey(models: Sequence[Measured]) -> PaperArtifact:
    """Accuracy at passkey by length."""
    reported: Reported = {**PASSKEY, THIRD_PARTY: THIRD_PARTY_PASSKEY}
    table = _table("accuracy by length", models, "passkey", accuracy, reported, "per cent", 1)
    reported_text = (
        "Read off the picture `passkey_128k.png` of the released repository, LLaMA-2-7B, 50 trials a length. Third "
        "party: a user's own runs with the default settings (issue 3 of that repository), who found 100 % at 2K and "
        "says without a number that it fails at 4K and 8K (LongEval: about 0 beyond the window); the author's answer: "
        "choose chunks from token 2,048 on."
    )
    draw = partial(
        _draw, [table], "LongHeads: passkey retrieval", AxesStyle("accuracy (%)", "length (tokens)", doubling=True)
    )
    instructions = _instructions(
        table, f"mta-eval run passkey {MODELS} --lengths {{lengths}} --depths 0,0.25,0.5,0.75,1 --repeats 10 "
        "--out runs/passkey",
    )  # fmt: skip
    return artifact_of(
        "Passkey", "passkey retrieval", "the figure of its repository", reported_text, [table], instructions, draw
    )


def book_perplexity(models: Sequence[Measured]) -> PaperArtifact:
    """Perplexity by length."""
    reported: Reported = {THIRD_PARTY: THIRD_PARTY_PERPLEXITY}
    table = _table("perplexity by length", models, "perplexity", perplexity, reported, "perplexity", 2)
    reported_text = (
        "The paper's own tables (PG19, Proof-pile, LongBench) are not in what this page was made from. Reported by a "
        "third party: perplexity on PG19 with LLaMA-2-7B and the default settings (issue 3 of that repository)."
    )
    instructions = _instructions(
        table, f"mta-eval run perplexity:text=BOOKS {MODELS} --lengths {{lengths}} --out runs/books"
    )
    instructions += ["BOOKS is a text file, or a folder of them."] if instructions else []
    values = [value for row in reported.values() for value in row.values() if value is not None]
    top = max([*values, *(cell.high or cell.mean for cells in table.measured.values() for cell in cells.values())])
    style = AxesStyle("perplexity", "length (tokens)", (0, top), doubling=True)
    draw = partial(_draw, [table], "LongHeads: perplexity on long books", style)
    return artifact_of(
        "Perplexity", "perplexity by length", "none of its tables", reported_text, [table], instructions, draw
    )


def memory(models: Sequence[Measured]) -> PaperArtifact:
    """Peak memory by length, of the passkey records."""
    table = _table("peak memory by length", models, "passkey", _peak, MEMORY, "GB", 2)
    reported_text = (
        "The README of its repository, LLaMA-2-7B with keys and values kept by the CPU. Measured: 10⁹ bytes."
    )
    instructions = _instructions(
        table, "mta-eval run passkey --model longheads:smollm2,offload=true --lengths {lengths} --depths 0.5 "
        "--repeats 1 --out runs/memory",
    )  # fmt: skip
    return artifact_of("Memory", "peak memory", "the README of its repository", reported_text, [table], instructions)


def _table(
    title: str, models: Sequence[Measured], task: str, measure: Measure, reported: Reported, unit: str, decimals: int
) -> ComparisonTable:
    """Models by length, at all lengths that were reported or measured."""
    measured: Cells = {}
    for model in models:
        wanted: Callable[[Record], bool] = partial(_is, task)
        lengths = sorted({int(record.axes.get("length") or 0) for record in model.records if wanted(record)})
        cells: Row = {length: cell for length in lengths if (cell := model.cell(partial(_at, task, length), measure))}
        if cells:
            measured[model.name] = cells
    tables: tuple[Reported | Cells, ...] = (reported, measured)
    columns = {length for rows in tables for row in rows.values() for length in row if isinstance(length, int)}
    return ComparisonTable(title, "length", tuple(sorted(columns)), reported, measured, unit, decimals)


def _is(task: str, record: Record) -> bool:
    return task_name(record).startswith(task)


def _at(task: str, length: int, record: Record) -> bool:
    return _is(task, record) and (record.axes.get("length") or 0) == length


def _peak(records: Sequence[Record]) -> Measurement | None:
    """The highest memory of them in 10⁹ bytes; None if no record knows it."""
    peaks = [record.peak_memory for record in records if record.peak_memory is not None]
    return Measurement(max(peaks) / 1e9, None, None, len(peaks)) if peaks else None


def _instructions(table: ComparisonTable, command: str) -> list[str]:
    lengths = ",".join(axis_text("length", length).lower() for length in table.incomplete_columns())
    return [command.format(lengths=lengths)] if lengths else []


def _draw(tables: Sequence[ComparisonTable], heading: str, style: AxesStyle, stem: Path) -> list[Path]:
    return draw_tables(tables, heading, style, stem, 1)

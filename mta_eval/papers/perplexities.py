"""Tables 2, 5 and 10 of the MTA paper: validation perplexity by domain, and its average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from mta_eval.core import Record
from mta_eval.papers.artifact import Block, PaperArtifact, artifact_of
from mta_eval.papers.comparison_table import Cells, ComparisonTable, Notes, Reported, Row
from mta_eval.papers.measured import Measured, task_name
from mta_eval.papers.reported_mta import (
    AVERAGE,
    DOMAINS,
    TABLE_2_PRETRAINED,
    TABLE_2_STD,
    TABLE_2_TUNED,
    TABLE_5,
    TABLE_10,
)
from mta_eval.results.measures import average, perplexity
from mta_eval.results.table import GAP

TASK = "perplexity"
SHORT, LONG = 2048, 4096
OTHER_NAMES = {"commoncrawl": "cc", "stackexchange": "se", "wikipedia": "wiki", "books": "book"}
INSTRUCTION = "mta-eval run perplexity:text=FOLDER --model MODEL --lengths {windows} --out runs/perplexity"
FILES = (
    "FOLDER holds a file of each domain, such as arxiv.txt or arxiv.jsonl (one document a row). The paper joins "
    "documents to fill its windows; here no window crosses from one into the next, so short documents give short "
    "windows, and higher perplexities."
)
TABLE_5_COLUMN = "average perplexity"


def table_2(models: Sequence[Measured]) -> PaperArtifact:
    """Validation perplexity of the 880M models: pre-trained, at 2K, and fine-tuned, at 4K."""
    columns = (*DOMAINS, AVERAGE)
    notes: Notes = {(name, AVERAGE): f" ± {std:.2f}" for name, std in TABLE_2_STD.items()}
    tables = [
        ComparisonTable("pre-trained, windows of 2K", "domain", columns, _named(TABLE_2_PRETRAINED),
                        by_domain(models, SHORT), "perplexity", 2, notes),
        ComparisonTable("fine-tuned, windows of 4K", "domain", columns, _named(TABLE_2_TUNED),
                        by_domain(models, LONG), "perplexity", 2),
    ]  # fmt: skip
    reported_text = (
        "Models of 880M on SlimPajama; pre-training is the mean of two runs with the deviation of the average."
    )
    return artifact_of(
        "Table 2",
        "validation perplexity",
        "Table 2, sections 4.2 and 4.3",
        reported_text,
        tables,
        [INSTRUCTION.format(windows="2k,4k"), FILES],
    )


def table_5(models: Sequence[Measured]) -> PaperArtifact:
    """Ablations: what each kernel and norm is worth, as average perplexity."""
    names = {key: " · ".join(key) for key in TABLE_5}
    reported: Reported = {names[key]: {TABLE_5_COLUMN: value} for key, value in TABLE_5.items()}
    measured: Cells = {
        name: {TABLE_5_COLUMN: cells[AVERAGE]} for name, cells in by_domain(models, SHORT).items() if AVERAGE in cells
    }
    table = ComparisonTable("", "", (TABLE_5_COLUMN,), reported, measured, "perplexity", 2)
    head = ["", "model", "keys and queries before", "after", "heads before", "after", "norm", "reported", "measured"]
    rows = [["reported", "880M", *key, f"{value:.2f}", GAP] for key, value in TABLE_5.items()]
    rows += [[row[0], row[1], *[GAP] * 6, row[2]] for row in table.rows()[len(TABLE_5) :]]
    artifact = artifact_of(
        "Table 5",
        "what each kernel and norm is worth",
        "Table 5",
        "Average validation perplexity of 880M models with kernels before and after softmax, or without.",
        [table],
        [
            INSTRUCTION.format(windows="2k"),
            FILES,
            "A trained model has its kernels in its configuration (`mta_eval.attention.configuration.preset`); "
            "its row is measured under its own name.",
        ],
    )
    return replace(artifact, blocks=[Block("", head, rows, 7)])


def table_10(models: Sequence[Measured]) -> PaperArtifact:
    """Perplexity after further training, with MTA put into a pre-trained model or not."""
    table = ComparisonTable(
        "", "domain", (*DOMAINS, AVERAGE), _named(TABLE_10), by_domain(models, SHORT), "perplexity", 2
    )
    return artifact_of(
        "Table 10",
        "MTA put into pre-trained models",
        "Table 10, appendix I",
        "Perplexity after further training (5.3B tokens for Llama, 10.5B for 1.4B) in windows of 2K; MTA begins as "
        "the identity.",
        [table],
        [
            INSTRUCTION.format(windows="2k"),
            FILES,
            "`mta-eval retrofit` puts MTA into a Llama-type checkpoint; the further training is not a command of this "
            "package.",
        ],
    )


def by_domain(models: Sequence[Measured], length: int) -> Cells:
    """Model -> domain -> perplexity in windows of `length`, and the average if every domain has one.

    Records that name no length count at 2048.
    """
    cells_of: Cells = {}
    for model in (model.only(lambda record: task_name(record).startswith(TASK)) for model in models):
        cells: Row = {
            domain: cell for domain in DOMAINS if (cell := model.cell(partial(_is, domain, length), perplexity))
        }
        mean = average(cells.get(domain) for domain in DOMAINS)
        if cells:
            cells_of[model.name] = cells | ({AVERAGE: mean} if mean else {})
    return cells_of


def _is(domain: str, length: int, record: Record) -> bool:
    name = str(record.axes.get("domain", "")).lower().removeprefix("redpajama")  # as SlimPajama's rows name theirs
    window = record.axes.get("length") or SHORT
    return OTHER_NAMES.get(name, name) == domain and window == length


def _named(rows: Mapping[str, Sequence[float]]) -> Reported:
    return {name: dict(zip((*DOMAINS, AVERAGE), row, strict=True)) for name, row in rows.items()}

"""The wrong answers by kind: counts, and examples that link into the page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from urllib.parse import quote

import pandas as pd

from mta_eval.core import Record
from mta_eval.results.draws import sample_name
from mta_eval.results.mistakes import KINDS, kind_of
from mta_eval.results.table import GAP, link_text, markdown_table, model_text

EXAMPLES = 2  # of each kind, for each task and model
LONGEST = 80  # characters of an answer
Counts = dict[tuple[str, str], Counter[str | None]]


def mistake_rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]]:
    """(head, rows): for each task and model its answers, and how many are wrong in which way; kinds that are there."""
    return _rows(_count(records, list(map(kind_of, records))))


def _rows(counts: Counts) -> tuple[list[str], list[list[str]]]:
    kinds = [kind for kind in KINDS if any(found[kind] for found in counts.values())]
    head = ["task", "model", "answers", "wrong", *kinds]
    rows = []
    for (task, model), found in counts.items():
        wrong = [str(found[kind]) if found[kind] else GAP for kind in kinds]
        rows.append([task, model_text(model), str(found.total()), str(found.total() - found[None]), *wrong])
    return head, rows


def mistake_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row for each task, model and kind of mistake that is there: `count`, and `share` of the answers."""
    rows = [
        {"task": task, "model": model, "kind": kind, "count": found[kind], "share": found[kind] / found.total()}
        for (task, model), found in _count(records, list(map(kind_of, records))).items()
        for kind in KINDS
        if found[kind]
    ]
    return pd.DataFrame(rows, columns=["task", "model", "kind", "count", "share"])


def mistakes_markdown(records: Sequence[Record], page: str = "report.html") -> str:
    """Counts, then up to EXAMPLES of each kind with a link to the sample in `page`."""
    kinds = list(map(kind_of, records))
    head, rows = _rows(_count(records, kinds))
    examples = [_example(kind, record, page) for kind, record in _examples(records, kinds)]
    if not examples:
        return "No answer is wrong.\n"
    shown = "".join(f"- {kind}: {meaning}\n" for kind, meaning in KINDS.items() if kind in head)
    listed = markdown_table(("kind", "task", "model", "target", "answer", "sample"), examples, left=6)
    return f"{markdown_table(head, rows, left=2)}\n{shown}\n{listed}"


def link_to(record: Record, page: str) -> str:
    """Where the page shows this sample."""
    return f"{page}#sample={quote(f'{record.model}/{sample_name(record)}', safe='', errors='replace')}"


def _count(records: Sequence[Record], kinds: Sequence[str | None]) -> Counts:
    counts: Counts = defaultdict(Counter)
    for record, kind in zip(records, kinds, strict=True):
        if not record.was_read:
            counts[record.task, record.model][kind] += 1
    return counts


def _examples(records: Sequence[Record], kinds: Sequence[str | None]) -> list[tuple[str, Record]]:
    """In the order of KINDS."""
    found: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record, kind in zip(records, kinds, strict=True):
        if kind and len(kept := found[kind, record.task, record.model]) < EXAMPLES:
            kept.append(record)
    order = list(KINDS)
    return [
        (kind, record)
        for kind, task, model in sorted(found, key=lambda key: order.index(key[0]))
        for record in found[kind, task, model]
    ]


def _example(kind: str, record: Record, page: str) -> list[str]:
    answer = record.error if record.error is not None else record.output or ""
    answer = repr(answer[:LONGEST]) + ("…" if len(answer) > LONGEST else "")
    name = sample_name(record).replace("[", "&#91;").replace("]", "&#93;")
    link = link_text(name, link_to(record, page))
    return [kind, record.task, model_text(record.model), ", ".join(record.targets), answer, link]

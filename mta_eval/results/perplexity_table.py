"""Texts that were read -> their perplexity: a table by domain and model, and by position in the window."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mta_eval.core import Record
from mta_eval.results.grid import axis_value, axis_values
from mta_eval.results.measures import Measurement, average, perplexity, perplexity_of_sums
from mta_eval.results.table import GAP, length_text, markdown_table, model_text

AVERAGE, BITS = "average of the domains", "bits per byte"
NOTE = (
    "Perplexity: exp of the mean −log p of a token, in brackets its 95 % interval over windows. The average is the "
    "plain mean of the domains. Bits per byte, over all texts, compare models of different tokenizers. The score of a "
    "window, in pictures and other tables, is 1 / perplexity: the geometric mean of its tokens' probabilities."
)
Groups = dict[tuple[str, Any], list[Record]]


def perplexity_rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]] | None:
    """(head, rows): for each task, window and domain the perplexity of each model; None if no text was read.

    After the domains follow their average, where there are several, and bits per byte.
    """
    groups = _groups(records)
    if not groups:
        return None
    models = list(dict.fromkeys(record.model for group in groups.values() for record in group))
    rows = []
    for (task, length), group in groups.items():
        whole = {model: _measure([record for record in group if record.model == model]) for model in models}
        for name in dict.fromkeys(name for found in whole.values() for name in found):
            texts = [_text(whole[model].get(name)) for model in models]
            rows.append([task, "" if length is None else length_text(length), name, *texts])
    return ["task", "window", "domain", *map(model_text, models)], rows


def perplexity_markdown(records: Sequence[Record]) -> str:
    """`perplexity_rows` as a Markdown table and a note; "" if no text was read."""
    table = perplexity_rows(records)
    return f"{markdown_table(*table, left=3)}\n{NOTE}\n" if table else ""


def perplexity_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row for each task, window, model and domain, then the average: `value`, `low`, `high`, windows (`count`)."""
    rows = [
        {"task": task, "length": length, "model": model, "domain": name, **_fields(cell)}
        for (task, length), group in _groups(records).items()
        for model in dict.fromkeys(record.model for record in group)
        for name, cell in _measure([record for record in group if record.model == model]).items()
    ]
    return pd.DataFrame(rows, columns=["task", "length", "model", "domain", "value", "low", "high", "count"])


def by_position(records: Sequence[Record]) -> dict[int, Measurement]:
    """Perplexity of the tokens that have so many before them in the window: the first place of a stretch -> it."""
    pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for record in records:
        for place, nats, tokens in record.positions:
            pairs[int(place)].append((nats, tokens))
    return {place: perplexity_of_sums(pairs[place]) for place in sorted(pairs)}


def _groups(records: Sequence[Record]) -> Groups:
    """What was read, by task and length of the window."""
    groups: Groups = defaultdict(list)
    for record in records:
        if record.was_read and record.axes.get("nats") is not None:
            groups[record.task, axis_value(record, "length")].append(record)
    return dict(groups)


def _measure(records: Sequence[Record]) -> dict[str, Measurement]:
    """Domain -> perplexity, then AVERAGE and BITS, of one model."""
    cells: dict[str, Measurement] = {}
    for domain in axis_values(records, "domain"):
        if cell := perplexity([record for record in records if axis_value(record, "domain") == domain]):
            cells[str(domain)] = cell
    if len(cells) > 1 and (whole := average(cells.values())):
        cells[AVERAGE] = whole
    sums = [(one.number("nats"), one.number("bytes")) for one in records if one.axes.get("bytes")]
    if sums:
        cells[BITS] = _bits(perplexity_of_sums(sums))
    return cells


def _bits(cell: Measurement) -> Measurement:
    """exp(nats per byte) as bits per byte."""
    mean, low, high = (None if end is None else math.log2(end) for end in (cell.mean, cell.low, cell.high))
    return Measurement(mean or 0.0, low, high, cell.count)


def _text(cell: Measurement | None) -> str:
    if cell is None:
        return GAP
    ends = "" if cell.low is None or cell.high is None else f" [{cell.low:.2f}–{cell.high:.2f}]"
    return f"{cell.mean:.2f}{ends}"


def _fields(cell: Measurement) -> dict[str, float | int | None]:
    return {"value": cell.mean, "low": cell.low, "high": cell.high, "count": cell.count}

"""Which records were drawn together: they share a text, so together they tell less than as many independent ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mta_eval.core import Record
from mta_eval.results.statistics import Estimate, estimate


def draw_of(record: Record) -> Hashable:
    """The draw of a record: its seed, and the draw that its task names.

    Where none is named (records of earlier versions, tasks of others): its task, length and repeat, so that depths are
    of one draw; without a repeat the record stands for itself.
    """
    axes = record.axes
    if record.draw:
        return axes.get("seed"), record.draw
    if axes.get("repeat") is None:
        return record.sample_id
    return axes.get("seed"), record.task, axes.get("length"), axes["repeat"]


def sample_name(record: Record) -> str:
    """The id of a record's sample, with its seed where the records are of several."""
    return f"{record.sample_id}, seed {record.axes['seed']}" if "seed" in record.axes else record.sample_id


def scores_of(records: Sequence[Record]) -> tuple[list[float], list[Hashable]]:
    """The scores of those that have one, and the draw of each."""
    scored = [(record.score, draw_of(record)) for record in records if record.score is not None]
    return [score for score, _ in scored], [draw for _, draw in scored]


def estimate_of(records: Sequence[Record]) -> Estimate | None:
    """The mean score of those that have one, with an interval that takes draws for independent, or None."""
    scores, draws = scores_of(records)
    return estimate(scores, draws) if scores else None

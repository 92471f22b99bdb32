"""What a comparison says: a verdict for each task, and the samples on which two models disagree."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from scipy import special

from mta_eval.core import Record
from mta_eval.results.comparison import Compared, Pair, p_text
from mta_eval.results.draws import sample_name
from mta_eval.results.statistics import ENDS, Estimate
from mta_eval.results.table import gap_text, model_text, percent_text

POWER = 0.8
DISAGREEMENT_HEAD = ("task", "sample", "wanted", "first", "second", "better")
LONGEST = 60  # characters of an answer in a list


def detectable(gap: Estimate) -> float:
    """The least true difference that as many draws, as varied as these, would show to differ from 0 in POWER of cases.

    From the width of the interval: (z of 97.5 % + z of POWER) standard errors; 1 at most.
    """
    half_width = (gap.high - gap.low) / 2
    return min(1.0, half_width * (1 + float(special.ndtri(POWER)) / float(special.ndtri(ENDS[1]))))


def verdict(row: Compared, first: str, second: str) -> str:
    """One sentence on a whole task: who is better, by how much, how sure; else what could have been seen.

    Better is who is so by the test, corrected, and by the interval too.
    """
    scores = f"{percent_text(row.first)} and {percent_text(row.second)}"
    seen = f"points, p {p_text(row.holm)}; {row.pairs} pairs of {row.draws} draws"
    if row.differs and not row.gap.low <= 0 <= row.gap.high:
        better, gap = (second, row.gap) if row.gap.mean > 0 else (first, _turned(row.gap))
        return f"{row.task}: {model_text(better)} is better: {scores}, {gap_text(gap)} {seen}"
    power = f"{100 * detectable(row.gap):.0f} points would have been seen in {POWER:.0%} of cases"
    return f"{row.task}: no sure difference: {scores}, {gap_text(row.gap)} {seen}; a difference of {power}"


def disagreeing_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose scores differ, those with the widest difference first; else in their order."""
    return sorted(
        (pair for pair in pairs if pair.first.score != pair.second.score),
        key=lambda pair: -abs((pair.first.score or 0.0) - (pair.second.score or 0.0)),
    )


def disagreement_rows(pairs: Sequence[Pair]) -> list[list[str]]:
    """Pairs as texts under DISAGREEMENT_HEAD."""
    return [
        [
            one.task,
            sample_name(one),
            _short(", ".join(one.targets)),
            _short(one.output or ""),
            _short(other.output or ""),
            "second" if (other.score or 0.0) > (one.score or 0.0) else "first",
        ]
        for one, other in pairs
    ]


def disagreement_frame(pairs: Sequence[Pair]) -> pd.DataFrame:
    """One row for each pair: the sample, what was wanted, and score and answer of both, whole."""
    columns = ["task", "sample", "seed", "targets", "first_score", "second_score", "first_output", "second_output"]
    return pd.DataFrame([_columns(*pair) for pair in pairs], columns=columns)


def _columns(one: Record, other: Record) -> tuple[object, ...]:
    targets, seed = ", ".join(one.targets), one.axes.get("seed")
    return one.task, one.sample_id, seed, targets, one.score, other.score, one.output, other.output


def _turned(gap: Estimate) -> Estimate:
    return Estimate(-gap.mean, -gap.high, -gap.low)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

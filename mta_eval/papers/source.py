"""The input of a paper's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mta_eval.core import Record, Run

PREFACE = """Reported: {paper}; each number is listed under its table or figure. “not in text”: the paper plots the
value without stating it; {reading}.
Measured: the given runs, with 95 % intervals that count samples of one draw as one and do not cover seeds that were not
trained; ± is the sample standard deviation over seeds; n is the number of samples. “–”: not measured, or not in the
paper. Reported and measured values come from different models, texts and prompts: compare the shapes of the curves, not
the numbers. Each table is also in this folder as CSV and LaTeX (booktabs), and each picture as PNG, SVG and PDF.
"""


@dataclass(frozen=True)
class Attention:
    """The attention of models in one sample of `task`: pictures that differ in their suffix, and lines of text."""

    task: str
    pictures: Sequence[Path]
    lines: Sequence[str]


@dataclass(frozen=True)
class PageSource:
    """Records and their runs (name, run), as `several.read_several` returns them; there may be none.

    `counts` are the parameters of this package's models of the paper's 880M, by attention. `note` is printed at the
    top of the page.
    """

    records: Sequence[Record] = ()
    runs: Sequence[tuple[str, Run]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    attention: Attention | None = None
    note: str = ""

"""What a paper's page is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mta_eval.core import Record, Run

PREFACE = """Reported: {paper}; each number under the table or figure that it stands in. “not in text”: the
paper plots the value and does not tell it; none was read off or made up. Measured: the given runs, with 95 % intervals
that take samples drawn together for one and say nothing of seeds that were not trained; ± is the sample standard
deviation over seeds; n counts samples. “–”: not measured, or not in the paper. Other models, other texts and other
prompts stand behind the two sides: compare shapes, not figures. Beside this page lie each table's CSV and LaTeX
(booktabs), and each picture as PNG, SVG and PDF.
"""


@dataclass(frozen=True)
class Attention:
    """Where models look in one sample of `task`: drawn already, in files that differ in their suffix, and in words."""

    task: str
    pictures: Sequence[Path]
    lines: Sequence[str]


@dataclass(frozen=True)
class Source:
    """Records and the runs (name, run) that they are of, as `several.read_several` gives them; none is fine.

    `counts` are parameters of our own models of the paper's 880M, by attention. `told` is said at the top of the page.
    """

    records: Sequence[Record] = ()
    runs: Sequence[tuple[str, Run]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    attention: Attention | None = None
    told: str = ""

"""The papers whose tables and figures are drawn again: reported beside measured.

`reported_*.py` hold what is reported, number by number; `measured.py` is what records say of a model; a `Sheet` has
both for one grid; an `Exhibit` is a table or figure of a paper; `mta.py` and `longheads.py` are the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mta_eval.errors import StoreError
from mta_eval.papers import longheads, mta
from mta_eval.papers.exhibit import Exhibit, write_exhibits
from mta_eval.papers.source import Source


class Paper(NamedTuple):
    """What it shows, the head of its page (told whether anything was measured), and the tasks that fill its cells."""

    exhibits: Callable[[Source], list[Exhibit]]
    preface: Callable[[Source, bool], str]
    tasks: str


PAPERS = {
    "mta": Paper(mta.exhibits, mta.preface, "letter_blocks, niah, babilong, perplexity, lm-eval's of Tables 3 and 4"),
    "longheads": Paper(longheads.exhibits, longheads.preface, "passkey, perplexity"),
}


def write_papers(source: Source, out: Path, names: Sequence[str] = tuple(PAPERS)) -> list[Path]:
    """Writes the page of one paper into the folder `out`, or of several into a folder of each within it.

    Returns the paths, each page before its tables and pictures. Raises StoreError if there are runs and none of them
    fills a cell of any of these papers, or `out` cannot be written.
    """
    found = {name: PAPERS[name].exhibits(source) for name in names}
    measured = {name: any(map(_is_measured, exhibits)) for name, exhibits in found.items()}
    if source.runs and not any(measured.values()):
        tasks = "; ".join(f"{name}: {PAPERS[name].tasks}" for name in names)
        raise StoreError(f"no answers in these runs fill a cell of the paper; its tasks are {tasks}")
    paths = []
    for name, exhibits in found.items():
        folder = out / name if len(names) > 1 else out
        paths += write_exhibits(exhibits, PAPERS[name].preface(source, measured[name]), folder)
    return paths


def _is_measured(exhibit: Exhibit) -> bool:
    return bool((exhibit.frame["samples"].fillna(0).astype(float) > 0).any())

"""Papers whose tables and figures are reproduced: reported values beside measured ones.

reported_*.py          the values that a paper reports
measured.py            the values that records give a model
comparison_table.py    both of them in one table
artifact.py            a table or figure of a paper, with its files
subplots.py            the pictures of comparison tables
mta.py, longheads.py   the page of each paper
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mta_eval.errors import StoreError
from mta_eval.papers.artifact import PaperArtifact, write_artifacts
from mta_eval.papers.longheads import longheads_artifacts, longheads_preface
from mta_eval.papers.mta import mta_artifacts, mta_preface
from mta_eval.papers.source import PageSource


class PaperDefinition(NamedTuple):
    """The artifacts of a paper, the head of its page (by whether anything was measured), and the tasks of its cells."""

    artifacts: Callable[[PageSource], list[PaperArtifact]]
    preface: Callable[[PageSource, bool], str]
    tasks: str


PAPERS = {
    "mta": PaperDefinition(
        mta_artifacts, mta_preface, "letter_blocks, niah, babilong, perplexity, lm-eval's of Tables 3 and 4"
    ),
    "longheads": PaperDefinition(longheads_artifacts, longheads_preface, "passkey, perplexity"),
}


def write_papers(source: PageSource, out: Path, names: Sequence[str] = tuple(PAPERS)) -> list[Path]:
    """Writes the page of one paper into the folder `out`, or of several into a folder of each within it.

    Returns the paths, each page before its tables and pictures. Raises StoreError if there are runs and none of them
    fills a cell of any of these papers, or `out` cannot be written.
    """
    artifacts_of = {name: PAPERS[name].artifacts(source) for name in names}
    measured = {name: any(map(_is_measured, artifacts)) for name, artifacts in artifacts_of.items()}
    if source.runs and not any(measured.values()):
        tasks = "; ".join(f"{name}: {PAPERS[name].tasks}" for name in names)
        raise StoreError(f"no answers in these runs fill a cell of the paper; its tasks are {tasks}")
    paths = []
    for name, artifacts in artifacts_of.items():
        folder = out / name if len(names) > 1 else out
        paths += write_artifacts(artifacts, PAPERS[name].preface(source, measured[name]), folder)
    return paths


def _is_measured(artifact: PaperArtifact) -> bool:
    return bool((artifact.frame["samples"].fillna(0).astype(float) > 0).any())

"""Rescored answers -> the folder that `mta-eval rescore` leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mta_eval.errors import StoreError
from mta_eval.rescoring import pictures, tables, tallies
from mta_eval.rescoring.marks import STORED, find_mark
from mta_eval.rescoring.scoring import Rescored
from mta_eval.results.csv_text import csv_text
from mta_eval.results.table import markdown_table, markdown_text
from mta_eval.whole_files import write_text

SHOWN = 3  # examples of each pair of rules and direction in rescore.md; all kept ones are in disagreements.jsonl
NOTES = """\
Every stored row counts, doubled ones too; an empty output is an answer, a missing one is not and is scored by no rule.
Intervals are of 95 %: Wilson's where all scores are 0 or 1, else the t interval of the mean.
In the tables of disagreements "right" is a full score.
"""


def write_rescored(rescored: Rescored, out: Path) -> list[Path]:
    """Writes rescore.md, rescore.csv, disagreements.jsonl and the heatmaps into `out`; returns what was written.

    Raises StoreError if that cannot be done.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        drawn, left_out = pictures.draw_all(rescored, out)
        page, frame, rows = out / "rescore.md", out / "rescore.csv", out / "disagreements.jsonl"
        write_text(page, _page(rescored, drawn, left_out))
        write_text(frame, csv_text(tallies.rescored_frame(rescored)))
        write_text(rows, "".join(_lines(rescored)))
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror}") from error
    return [page, frame, rows, *drawn]


def _page(rescored: Rescored, drawn: Sequence[Path], left_out: int) -> str:
    parts = ["# Scored again\n", _rules_text(rescored), *tables.sections(rescored)]
    if best := tables.best_settings(rescored):
        parts.append(f"## BABILong: the best prompt\n\n{best}")
    if differ := tables.disagreements(rescored):
        parts.append(f"## Where the rules disagree\n\n{differ}{_examples(rescored)}")
    if drawn:
        shown = "\n".join(f"![{path.stem}]({path.name})" for path in drawn if path.suffix == ".png")
        more = f"\n\n{left_out} more are not drawn; score fewer models at a time for theirs." if left_out else ""
        parts.append(f"## Heatmaps\n\n{shown}{more}\n")
    return "\n".join(parts)


def _rules_text(rescored: Rescored) -> str:
    names = dict.fromkeys((*rescored.rules, *(name for tally in rescored.tallies.values() for name in tally)))
    shown = [*(name for name in names if name != STORED), *([STORED] if STORED in names else [])]
    text = "".join(f"- `{name}`: {find_mark(name).description}\n" for name in shown) + "\n" + NOTES
    if missing := sum(rescored.unanswered.values()):
        text += f"\n{missing} rows hold no output and are left out.\n"
    if rescored.skipped:
        text += f"\nFiles skipped, as they hold no answers: {', '.join(map(str, rescored.skipped))}\n"
    if rescored.passed:
        reasons = "".join(f"- {reason}\n" for reason in rescored.passed.values())
        text += f"\nFiles that no rule here scores:\n\n{reasons}"
    return text


def _examples(rescored: Rescored) -> str:
    text = ""
    for (first, second, task, first_right), examples in rescored.examples.items():
        right, wrong = (first, second) if first_right else (second, first)
        rows = [
            [f"{row['file']}:{row['line']}", row["question"], ", ".join(row["targets"]), row["output"][:200]]
            for row in examples[:SHOWN]
        ]
        table = markdown_table(["row", "question", "target", "output"], rows, left=4)
        text += f"#### {markdown_text(task)}: right by {right}, not by {wrong}\n\n{table}\n"
    return text


def _lines(rescored: Rescored) -> list[str]:
    return [
        json.dumps({"right": first if right else second, "wrong": second if right else first, **example}) + "\n"
        for (first, second, _, right), examples in rescored.examples.items()
        for example in examples
    ]

"""Records of a diagnosis -> one row for each task and model, as a table, a CSV file and small multiples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mta_eval import registry
from mta_eval.core import Record
from mta_eval.diagnosis.mechanisms import MECHANISMS
from mta_eval.results.csv_text import csv_text
from mta_eval.results.draws import estimate_of
from mta_eval.results.effective_length import effective_length, effective_length_text
from mta_eval.results.lift import Lift, is_baseline, lifts
from mta_eval.results.pictures.charts import BANDS, lines
from mta_eval.results.pictures.lines import Axis, Chart, draw_charts
from mta_eval.results.statistics import Estimate
from mta_eval.results.table import GAP, gap_text, interval_text, length_text, markdown_table, model_text, percent_text
from mta_eval.whole_files import write_text

NOTE = (
    "Lift: the score minus that of the best baseline (chance, bag: the sentence that shares most words with the "
    "question, copier: an induction head) on the same samples, all lengths together; * where its 95 % interval is "
    "above 0. Holds to: the longest length up to which the score, corrected for chance, stays above 50 % and 0.85 "
    "times the shortest length's."
)


class Finding(NamedTuple):
    """One task of a mechanism and one model: its score by length, its lift, and how far it holds."""

    mechanism: str
    task: str
    model: str
    scores: dict[int, Estimate]
    lift: Lift | None
    holds: str


def rows_of(records: Sequence[Record]) -> list[Finding]:
    """The rows of all models, task by task in the order of MECHANISMS; those of baselines stand under lift alone."""
    by_task: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_task[record.task].append(record)
    rows = []
    for task in sorted(by_task, key=_place):
        group = by_task[task]
        lifted = lifts(group)
        for model in dict.fromkeys(record.model for record in group if not is_baseline(record.model)):
            own = [record for record in group if record.model == model]
            found = effective_length(own)
            rows.append(
                Finding(
                    mechanism_of(task),
                    task,
                    model,
                    _scores(own),
                    lifted.get(model),
                    GAP if found is None else effective_length_text(found),
                )
            )
    return rows


def mechanism_of(task: str) -> str:
    """The mechanism that a task is of, whatever form its prompts have; "" if it is of none."""
    return next((mechanism.name for mechanism in MECHANISMS if _plain(task) in mechanism.tasks), "")


def diagnosis_table(rows: Sequence[Finding]) -> tuple[list[str], list[list[str]]]:
    """Head and texts of the table."""
    lengths = sorted({length for row in rows for length in row.scores})
    head = ["mechanism", "task", "model", *map(length_text, lengths), "best baseline", "lift (points)", "holds to"]
    return head, [
        [
            row.mechanism,
            row.task,
            model_text(row.model),
            *(_score_text(row.scores.get(length)) for length in lengths),
            f"{model_text(row.lift.baseline.partition(':')[0])} {percent_text(row.lift.score)}" if row.lift else GAP,
            gap_text(row.lift.gap) + " *" * (row.lift.gap.low > 0) if row.lift else GAP,
            row.holds,
        ]
        for row in rows
    ]


def write_diagnosis(records: Sequence[Record], out: Path) -> tuple[list[Path], list[Finding]]:
    """Writes diagnosis.md, .csv and .png, .svg, .pdf into `out`; returns the files and the rows.

    Raises StoreError if they cannot be written.
    """
    rows = rows_of(records)
    head, texts = diagnosis_table(rows)
    markdown, table = out / "diagnosis.md", out / "diagnosis.csv"
    write_text(
        markdown, f"# Diagnosis\n\n{markdown_table(head, texts, left=3)}\n{NOTE}\n\n![diagnosis](diagnosis.png)\n"
    )
    write_text(table, csv_text(_frame(rows)))
    return [markdown, table, *_draw(records, rows, out / "diagnosis")], rows


def _draw(records: Sequence[Record], rows: Sequence[Finding], path: Path) -> list[Path]:
    """A chart for each task: the score of every model by length, and that of the best baseline of the first."""
    lengths = sorted({length for row in rows for length in row.scores})
    charts = []
    for task in dict.fromkeys(row.task for row in rows):
        of_task = [row for row in rows if row.task == task]
        best = next((row.lift.baseline for row in of_task if row.lift), "")
        shown = [record for record in records if record.task == task and not is_baseline(record.model)]
        drawn = dict(lines(shown, "length", lengths))
        if best:
            beside = [record for record in records if record.task == task and record.model == best]
            drawn["best baseline"] = lines(beside, "length", lengths)[best]
        charts.append(Chart(f"{mechanism_of(task)}: {task}", drawn))
    axis = Axis("length (tokens)", [length_text(length) for length in lengths])
    return draw_charts(charts, "Diagnosis: mean score by length", axis, "mean score", BANDS, path)


def _scores(records: Sequence[Record]) -> dict[int, Estimate]:
    lengths: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        lengths[int(record.number("length"))].append(record)
    found = {length: estimate_of(group) for length, group in sorted(lengths.items())}
    return {length: Estimate(*estimate) for length, estimate in found.items() if estimate}


def _score_text(score: Estimate | None) -> str:
    return GAP if score is None else f"{percent_text(score.mean)} {interval_text(score.low, score.high)}"


def _frame(rows: Sequence[Finding]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "mechanism": row.mechanism,
                "task": row.task,
                "model": row.model,
                "length": length,
                "mean": score.mean,
                "low": score.low,
                "high": score.high,
                "baseline": row.lift.baseline if row.lift else None,
                "baseline_mean": row.lift.score if row.lift else None,
                "lift": row.lift.gap.mean if row.lift else None,
                "lift_low": row.lift.gap.low if row.lift else None,
                "lift_high": row.lift.gap.high if row.lift else None,
            }
            for row in rows
            for length, score in row.scores.items()
        ]
    )


def _place(task: str) -> int:
    order = [one for mechanism in MECHANISMS for one in mechanism.tasks]
    return order.index(_plain(task)) if _plain(task) in order else len(order)


def _plain(task: str) -> str:
    """The spec of a task without the form of its prompts."""
    name, _, options = registry.parse(task)
    left = [f"{key}={value}" for key, value in options.items() if key != "prompt"]
    return f"{name}:{','.join(left)}" if left else name

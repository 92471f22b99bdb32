"""Figure 5 (left) and Figure 7 of the MTA paper: BabiLong QA1 to QA5 by how much text hides the facts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mta_eval.core import AxisValue, Record
from mta_eval.papers.artifact import PaperArtifact, artifact_of
from mta_eval.papers.axis_places import AxesStyle
from mta_eval.papers.comparison_table import Cells, ComparisonTable, Row
from mta_eval.papers.measured import Measured, options, task_name
from mta_eval.papers.reported_mta import DISTRACTION, QUESTIONS, plotted
from mta_eval.papers.subplots import draw_tables
from mta_eval.results.measures import accuracy, average
from mta_eval.results.table import axis_text

TASK = "babilong"
LABEL = "distraction (tokens)"
WHERE = (
    "The values are plotted only; samples, prompt and text are not stated. A length here is the whole window, as "
    "`mta-eval run` counts it; 0k are the facts alone."
)

By = dict[str, dict[int, Row]]  # model -> question -> length -> accuracy


def figure_5(models: Sequence[Measured]) -> PaperArtifact:
    """The average over QA1 to QA5 by length; and the number of layers with kernels, which nothing here measures."""
    measured: Cells = {}
    for name, tasks in by_question(models).items():
        means = {length: average(tasks.get(qa, {}).get(length) for qa in QUESTIONS) for length in DISTRACTION}
        cells: Row = {length: cell for length, cell in means.items() if cell}
        if cells:
            measured[name] = cells
    table = ComparisonTable("average of QA1 to QA5", "length", DISTRACTION, plotted(DISTRACTION), measured, "per cent")
    reported_text = (
        f"Left: BabiLong, average of QA1 to QA5, of the fine-tuned models. {WHERE} Right: average perplexity by the "
        "number of layers with key-query kernels; plotted only: two layers beat the Transformer and DIFF, six were "
        "chosen."
    )
    instructions = [
        *_instructions({qa: table.incomplete_columns() for qa in QUESTIONS}),
        "The right half takes a training for each number of layers.",
    ]
    draw = partial(_draw_5, table)
    return artifact_of(
        "Figure 5",
        "BabiLong, average; layers with kernels",
        "Figure 5, section 4.4",
        reported_text,
        [table],
        instructions,
        draw,
    )


def figure_7(models: Sequence[Measured]) -> PaperArtifact:
    """Each of QA1 to QA5 by length."""
    cells_of = by_question(models)
    tables = [
        ComparisonTable(
            f"QA{qa}",
            "length",
            DISTRACTION,
            plotted(DISTRACTION),
            {name: tasks[qa] for name, tasks in cells_of.items() if qa in tasks},
            "per cent",
        )
        for qa in QUESTIONS
    ]
    reported_text = f"BabiLong QA1 to QA5, of the fine-tuned models. {WHERE} Chance at QA3 is stated as 16.67 %."
    instructions = _instructions({qa: table.incomplete_columns() for qa, table in zip(QUESTIONS, tables, strict=True)})
    draw = partial(_draw, tables, "Figure 7: BabiLong by distraction length", 3)
    return artifact_of(
        "Figure 7", "BabiLong, each question", "Figure 7, section 4.4", reported_text, tables, instructions, draw
    )


def by_question(models: Sequence[Measured]) -> By:
    """The accuracy of the babilong records; other options of the task make a row of their own, "smollm2, facts=4"."""
    cells_of: By = {}
    for model in (model.only(lambda record: task_name(record) == TASK) for model in models):
        for kind in dict.fromkeys(map(_kind, model.records)):
            subset = model.only(lambda record, kind=kind: _kind(record) == kind)  # type: ignore[misc]
            tasks: dict[int, Row] = {}
            for qa in QUESTIONS:
                for length in DISTRACTION:
                    if cell := subset.cell(partial(_is, qa, length), accuracy):
                        tasks.setdefault(qa, {})[length] = cell
            if tasks:
                cells_of[f"{model.name}, {kind}" if kind else model.name] = tasks
    return cells_of


def _kind(record: Record) -> str:
    return ",".join(f"{key}={value}" for key, value in options(record).items() if key != "qa")


def _is(qa: int, length: int, record: Record) -> bool:
    return int(options(record).get("qa", 1)) == qa and record.axes.get("length") == length


def _instructions(missing: dict[int, list[AxisValue]]) -> list[str]:
    """One command for all questions that lack the same lengths."""
    instructions = []
    for lengths in dict.fromkeys(tuple(lacking) for lacking in missing.values() if lacking):
        questions = [qa for qa, lacking in missing.items() if tuple(lacking) == lengths]
        tasks = " ".join(f"babilong:qa={qa}" for qa in questions)
        texts = ",".join(axis_text("length", length).lower() for length in lengths)
        name = "".join(map(str, questions))
        instructions.append(
            f"mta-eval run {tasks} --model MODEL --lengths {texts} --depths any --repeats 100 "
            f"--out runs/babilong-{name}"
        )
    return instructions


def _draw(tables: Sequence[ComparisonTable], heading: str, across: int, stem: Path) -> list[Path]:
    return draw_tables(tables, heading, AxesStyle("accuracy (%)", LABEL), stem, across)


def _draw_5(table: ComparisonTable, stem: Path) -> list[Path]:
    return _draw([table], "Figure 5, left: BabiLong, average of QA1 to QA5", 1, stem)

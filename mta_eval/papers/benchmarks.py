"""Tables 3, 4, 8 and 9 of the MTA paper: common benchmarks, LAMBADA, parameters, the cost of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from mta_eval.core import Record
from mta_eval.papers.artifact import PaperArtifact, artifact_of
from mta_eval.papers.comparison_table import Cells, ComparisonTable, Notes, Reported, Row
from mta_eval.papers.measured import NAMES, Measure, Measured, task_name
from mta_eval.papers.reported_mta import (
    AVERAGE,
    BENCHMARKS,
    COSTS,
    LAMBADA,
    TABLE_3,
    TABLE_3_STD,
    TABLE_4,
    TABLE_8,
    TABLE_9,
)
from mta_eval.results.measures import Measurement, accuracy, average, perplexity

TASKS = {  # as lm-eval names them
    "BoolQ": ("boolq",),
    "PIQA": ("piqa",),
    "SIQA": ("siqa", "social_iqa"),
    "HellaSwag": ("hellaswag",),
    "WinoGrande": ("winogrande",),
    "ARC-e": ("arc_easy",),
    "ARC-c": ("arc_challenge",),
    "OBQA": ("openbookqa",),
    "MMLU": ("mmlu",),
    "standard": ("lambada_standard",),
    "OpenAI": ("lambada_openai",),
}
INSTRUCTION = (
    "`mta-eval suite mta-paper --model MODEL` asks lm-eval's tasks {tasks}. Records of tasks of these names fill these "
    "cells."
)


def table_3(models: Sequence[Measured]) -> PaperArtifact:
    """Zero-shot accuracy on nine benchmarks."""
    columns = (*BENCHMARKS, AVERAGE)
    measured = cells_by_model(models, {name: partial(_is, TASKS[name]) for name in BENCHMARKS}, accuracy, AVERAGE)
    reported: Reported = {name: dict(zip(columns, row, strict=True)) for name, row in TABLE_3.items()}
    notes: Notes = {(name, AVERAGE): f" ± {std:.1f}" for name, std in TABLE_3_STD.items()}
    table = ComparisonTable("", "benchmark", columns, reported, measured, "per cent", 1, notes)
    reported_text = (
        "Accuracy in per cent of the 880M models, zero-shot (MMLU with five examples, by appendix D), means of two "
        "runs; the deviation of the average is given for two models. Gaps of half a point are not shown to be real."
    )
    tasks = ", ".join(f"`{TASKS[name][-1]}`" for name in BENCHMARKS)
    return artifact_of(
        "Table 3", "common benchmarks", "Table 3", reported_text, [table], [INSTRUCTION.format(tasks=tasks)]
    )


def table_4(models: Sequence[Measured]) -> PaperArtifact:
    """Perplexity on LAMBADA."""
    measured = cells_by_model(models, {name: partial(_is, TASKS[name]) for name in LAMBADA}, perplexity)
    reported: Reported = {name: dict(zip(LAMBADA, row, strict=True)) for name, row in TABLE_4.items()}
    table = ComparisonTable("", "LAMBADA", LAMBADA, reported, measured, "perplexity", 1)
    tasks = " and ".join(f"`{TASKS[name][0]}`" for name in LAMBADA)
    reported_text = "Perplexity, not accuracy, of the 880M models."
    return artifact_of("Table 4", "LAMBADA", "Table 4", reported_text, [table], [INSTRUCTION.format(tasks=tasks)])


def table_8(counts: Mapping[str, int]) -> PaperArtifact:
    """Parameters of the 880M models; `counts` are those of our own models of the same sizes, by attention."""
    column = "parameters"
    measured: Cells = {
        f"{NAMES.get(kind, kind)}, counted here": {column: Measurement(count, None, None, 0)}
        for kind, count in counts.items()
    }
    reported: Reported = {name: {column: float(count)} for name, (count, _) in TABLE_8.items()}
    notes: Notes = {(name, column): f" (plain + {formula})" for name, (_, formula) in TABLE_8.items() if formula}
    table = ComparisonTable("", "", (column,), reported, measured, "weights", 0, notes)
    reported_text = (
        "Actual counts, and the formula of what each adds to the plain Transformer: L layers, M heads of width d, "
        "kernels of c_q queries × c_k keys and of c_h heads."
    )
    instruction = "`mta-eval paper mta` counts them itself, on models of these sizes without weights."
    return artifact_of("Table 8", "parameters of the 880M models", "Table 8", reported_text, [table], [instruction])


def table_9() -> PaperArtifact:
    """The cost of training. Nothing here measures it."""
    reported: Reported = {name: dict(zip(COSTS, row, strict=True)) for name, row in TABLE_9.items()}
    table = ComparisonTable("", "", COSTS, reported, {}, "see column")
    reported_text = (
        "Training the 880M models on 32 H200, not optimised; Transformer and DIFF through torch's fused attention. The "
        "paper reports no cost of inference."
    )
    instruction = (
        "No run of mta-eval measures the cost of that training; it takes such a machine. `python bench/attention.py` "
        "compares time and memory of single attention layers on the machine at hand."
    )
    return artifact_of("Table 9", "cost of training", "Table 9", reported_text, [table], [instruction])


def cells_by_model(
    models: Sequence[Measured], wanted: Mapping[str, Callable[[Record], bool]], measure: Measure, whole: str = ""
) -> Cells:
    """Model -> column -> cell of the records that the column wants; with a column `whole` for the average of all."""
    cells_of: Cells = {}
    for model in models:
        cells: Row = {name: cell for name, wants in wanted.items() if (cell := model.cell(wants, measure))}
        mean = average(cells.get(name) for name in wanted) if whole else None
        if cells:
            cells_of[model.name] = cells | ({whole: mean} if mean else {})
    return cells_of


def _is(names: Sequence[str], record: Record) -> bool:
    task = task_name(record)
    return task in names or (names == TASKS["MMLU"] and task.startswith("mmlu_"))

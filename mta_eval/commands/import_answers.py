"""`mta-eval import`: what another pipeline answered to exported samples, as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal


def import_answers(
    samples: Annotated[Path, typer.Argument(help="JSONL file of mta-eval export.")],
    answers: Annotated[
        Path,
        typer.Argument(help='JSONL file of answers: {"id": …, "output": …} and what else is known.'),
    ],
    name: Annotated[str, typer.Option(help="What the model is called in the run.")],
    out: Annotated[Path, typer.Option(help="Run folder, a new one or one that grows.")],
) -> None:
    """Score what another pipeline answered to exported samples, and keep it as a run like any other.

    For checkpoints see import-checkpoint.
    """
    from mta_eval.results import importing

    imported = importing.import_run(samples, answers, name, out)
    terminal.print_summary(imported.records, out)
    if imported.missing:
        terminal.print_lines([f"{imported.missing} samples have no answer in {answers}"])
        raise SystemExit(1)

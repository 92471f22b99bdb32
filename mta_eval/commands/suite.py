"""`mta-eval suite`: all experiments of a paper on models."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval import registry
from mta_eval.arguments import parse_lengths
from mta_eval.commands import report, terminal
from mta_eval.commands.options import ModelSpecs, Repeats, Seed


class SuiteName(StrEnum):
    """The suites."""

    mta_paper = "mta-paper"
    longheads_paper = "longheads-paper"


def suite(
    name: Annotated[SuiteName, typer.Argument(help="Suite.")],
    model: ModelSpecs,
    out: Annotated[Path, typer.Option(help="Folder; each part is a run in it. The same command continues it.")],
    repeats: Repeats = 5,
    seed: Seed = 0,
    lengths: Annotated[str, typer.Option(help="Other lengths than the suite's, for every part: 512,1k.")] = "",
    text: Annotated[str, typer.Option(help="Texts to measure perplexity on: file, folder, dataset:NAME, prose.")] = "",
    without: Annotated[str, typer.Option(help="Parts to leave out: benchmarks,perplexity.")] = "",
    limit: Annotated[int | None, typer.Option(help="Questions of each benchmark at most.", min=1)] = None,
    include_path: Annotated[
        Path | None, typer.Option(help="Folder of lm-eval tasks that take precedence over its own.")
    ] = None,
) -> None:
    """Run all experiments of a paper on models, and set what was measured beside what it reports."""
    from mta_eval.papers.suites.parts import SUITES
    from mta_eval.papers.suites.running import Choices, run_suite

    left_out = tuple(part.strip() for part in without.split(",") if part.strip())
    choices = Choices(repeats, seed, parse_lengths(lengths), text, left_out, limit, include_path)
    models = registry.build_all(model, registry.build_model)
    ended = run_suite(SUITES[name.value], models, choices, out, terminal.print_lines, terminal.print_summary)
    if ended.runs:
        report.write_report_of_runs(ended.runs, "length", "depth", out / "report", attention=False, every=None)
    if ended.failed:
        raise SystemExit(1)

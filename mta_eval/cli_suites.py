"""The command that runs a whole suite: arguments only."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval import registry
from mta_eval.commands import asking
from mta_eval.commands.arguments import parse_lengths

app = typer.Typer()


class SuiteName(StrEnum):
    """The suites."""

    mta_paper = "mta-paper"
    longheads_paper = "longheads-paper"


@app.command()
def suite(
    name: Annotated[SuiteName, typer.Argument(help="Whose experiments.")],
    model: Annotated[list[str], typer.Option("--model", help="Model spec; repeatable.")],
    out: Annotated[Path, typer.Option(help="A folder; each part is a run in it. The same command goes on with it.")],
    repeats: Annotated[int, typer.Option(help="Samples per length and depth.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="All samples hang on it.")] = 0,
    lengths: Annotated[str, typer.Option(help="Other lengths than the suite's, for every part: 512,1k.")] = "",
    text: Annotated[str, typer.Option(help="What perplexity is measured on: file, folder, dataset:NAME, prose.")] = "",
    without: Annotated[str, typer.Option(help="Parts to leave out: benchmarks,perplexity.")] = "",
    limit: Annotated[int | None, typer.Option(help="Questions of each benchmark at most.", min=1)] = None,
    include_path: Annotated[
        Path | None, typer.Option(help="A folder of lm-eval tasks that come before its own.")
    ] = None,
) -> None:
    """Run all experiments of a paper on models, and set what was measured beside what it reports."""
    from mta_eval.papers.suites.parts import SUITES
    from mta_eval.papers.suites.running import Choices, run

    left_out = tuple(part.strip() for part in without.split(",") if part.strip())
    choices = Choices(repeats, seed, parse_lengths(lengths), text, left_out, limit, include_path)
    run(SUITES[name.value], asking.build_all(model, registry.build_model), choices, out)

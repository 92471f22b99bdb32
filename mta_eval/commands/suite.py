"""`mta-eval suite`: all experiments of a paper on models, or a diagnosis of their attention."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval import registry
from mta_eval.arguments import parse_lengths
from mta_eval.commands import report, terminal
from mta_eval.commands.options import ModelSpecs, PromptChoice, PromptForm, PromptOptions, Repeats, Seed
from mta_eval.core import Model
from mta_eval.errors import SpecError


class SuiteName(StrEnum):
    """The suites."""

    mta_paper = "mta-paper"
    longheads_paper = "longheads-paper"
    diagnose = "diagnose"


class DiagnosisPreset(StrEnum):
    """Which lengths a diagnosis has."""

    laptop = "laptop"
    gpu = "gpu"


def suite(
    name: Annotated[SuiteName, typer.Argument(help="Suite: a paper's experiments, or diagnose.")],
    model: ModelSpecs,
    out: Annotated[Path, typer.Option(help="Folder for the runs. The same command continues them.")],
    repeats: Repeats = 5,
    seed: Seed = 0,
    lengths: Annotated[str, typer.Option(help="Other lengths than the suite's, for every part: 512,1k.")] = "",
    text: Annotated[str, typer.Option(help="Texts to measure perplexity on: file, folder, dataset:NAME, prose.")] = "",
    without: Annotated[str, typer.Option(help="Parts to leave out: benchmarks,perplexity.")] = "",
    limit: Annotated[int | None, typer.Option(help="Questions of each benchmark at most.", min=1)] = None,
    include_path: Annotated[
        Path | None, typer.Option(help="Folder of lm-eval tasks that take precedence over its own.")
    ] = None,
    preset: Annotated[
        DiagnosisPreset | None,
        typer.Option(help="Lengths of a diagnosis: laptop, 512 to 2K (default); gpu, 4K to 128K."),
    ] = None,
    prompt: PromptForm = PromptChoice.task,
) -> None:
    """Run all experiments of a paper on models, beside what it reports; or diagnose which mechanism of attention fails.

    A diagnosis asks small tasks, each of which needs one mechanism, beside baselines without weights.
    """
    models = registry.build_all(model, registry.build_model)
    if name == SuiteName.diagnose:
        _refuse({"--text": text, "--without": without, "--limit": limit, "--include-path": include_path}, "of a paper")
        return _diagnose(models, out, repeats, seed, parse_lengths(lengths), preset or DiagnosisPreset.laptop, prompt)
    _refuse({"--preset": preset, "--prompt": prompt if prompt != PromptChoice.task else None}, "of a diagnosis")
    from mta_eval.papers.suites.parts import SUITES
    from mta_eval.papers.suites.running import Choices, run_suite

    left_out = tuple(part.strip() for part in without.split(",") if part.strip())
    choices = Choices(repeats, seed, parse_lengths(lengths), text, left_out, limit, include_path)
    ended = run_suite(SUITES[name.value], models, choices, out, terminal.print_lines, terminal.print_summary)
    if ended.runs:
        report.write_report_of_runs(ended.runs, "length", "depth", out / "report", attention=False, every=None)
    if ended.failed:
        raise SystemExit(1)
    return None


def _diagnose(
    models: Mapping[str, Model],
    out: Path,
    repeats: int,
    seed: int,
    lengths: tuple[int, ...],
    preset: DiagnosisPreset,
    prompt: PromptChoice,
) -> None:
    """Ask the tasks of a diagnosis, print its table and write its files."""
    from mta_eval.diagnosis.asking import diagnosis_plan, diagnosis_specs
    from mta_eval.diagnosis.diagnose import NOTE, diagnosis_table, write_diagnosis
    from mta_eval.evaluation import answer_all

    asking = PromptOptions(prompt=prompt)
    specs, left_out = diagnosis_specs(models, prompt.value)
    if left_out:
        terminal.note(f"left out, as they cannot be asked by chat: {', '.join(left_out)}")
    tasks, settings = asking.tasks_and_settings(specs, models)
    plan = diagnosis_plan(tasks, models, settings, lengths, preset.value, repeats, seed)
    records = answer_all(plan, out)
    files, rows = write_diagnosis(records, out)
    terminal.print_table(*diagnosis_table(rows), left=3)
    terminal.print_lines([NOTE, *map(str, files)])
    if any(record.error for record in records):
        raise SystemExit(1)


def _refuse(given: Mapping[str, object], kind: str) -> None:
    """Raises SpecError for an option that this suite does not have."""
    for option, value in given.items():
        if value:
            raise SpecError(f"{option} is {kind}; leave it out")

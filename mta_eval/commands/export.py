"""`mta-eval export`: samples for other pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval import registry
from mta_eval.arguments import parse_depths, parse_lengths
from mta_eval.commands import terminal
from mta_eval.commands.options import (
    NO_OPTIONS_GIVEN,
    Depths,
    Lengths,
    PromptOptions,
    Repeats,
    Seed,
    Tokenizer,
    takes_prompt_options,
)
from mta_eval.core import Sweep, cells_of
from mta_eval.errors import SpecError


@takes_prompt_options
def export(
    task: Annotated[str, typer.Argument(help="Task spec.")],
    model: Tokenizer,
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    lengths: Lengths = "",
    depths: Depths = "0,0.25,0.5,0.75,1",
    repeats: Repeats = 1,
    seed: Seed = 0,
    asking: PromptOptions = NO_OPTIONS_GIVEN,
) -> None:
    """Write samples for other pipelines, one JSON object per line; only the tokenizer is loaded, no weights.

    Each line has the prompt, its targets, where it ends (stop, max_new_tokens), and the rule that scores its answer.
    The way back is import.
    """
    from mta_eval.results.sample_json import Exported, rule_of, sample_line
    from mta_eval.results.text_files import write_lines

    maker = registry.build_model(model)
    tasks, settings = asking.tasks_and_settings([task], {model: maker})
    if len(tasks) > 1:
        raise SpecError(f"export writes the samples of one task, and {task!r} is {len(tasks)}")
    (built,), tokenizer = tasks.values(), maker.tokenizer.with_settings(settings)
    sweep = Sweep(parse_lengths(lengths) or built.default_lengths, parse_depths(depths), repeats, seed)
    cells = cells_of(built, sweep, tokenizer)
    about = seed, rule_of(built), registry.spec_of(maker), tokenizer.fingerprint
    write_lines((sample_line(Exported(built.sample(cell, seed, tokenizer), *about)) for cell in cells), out)
    terminal.print_line(f"{len(cells)} samples in {out}")

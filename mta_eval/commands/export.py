"""`mta-eval export`: samples for other pipelines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from mta_eval import registry
from mta_eval.arguments import parse_depths, parse_lengths
from mta_eval.commands.options import Depths, Lengths, Repeats, Seed, Tokenizer
from mta_eval.core import Sweep, cells_of


def export(
    task: Annotated[str, typer.Argument(help="Task spec.")],
    model: Tokenizer,
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    lengths: Lengths = "",
    depths: Depths = "0,0.25,0.5,0.75,1",
    repeats: Repeats = 1,
    seed: Seed = 0,
) -> None:
    """Write samples for other pipelines, one JSON object per line; only the tokenizer is loaded, no weights."""
    from mta_eval.results.text_files import write_lines

    built, tokenizer = registry.build_task(task), registry.build_model(model).tokenizer
    sweep = Sweep(parse_lengths(lengths) or built.default_lengths, parse_depths(depths), repeats, seed)
    cells = cells_of(built, sweep, tokenizer)
    samples = (dataclasses.asdict(built.sample(cell, seed, tokenizer)) for cell in cells)
    write_lines((json.dumps(sample, ensure_ascii=False) for sample in samples), out)
    typer.echo(f"{len(cells)} samples in {out}")

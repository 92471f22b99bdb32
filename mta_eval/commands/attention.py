"""`mta-eval attention`: attention maps of checkpoints on one sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.arguments import parse_depth, parse_length
from mta_eval.commands import terminal
from mta_eval.commands.options import Depth, Repeat, Seed
from mta_eval.core import Cell


def attention(
    checkpoints: Annotated[list[str], typer.Argument(help="Folder, hub id or model spec; several are compared.")],
    task: Annotated[str, typer.Option(help="Task spec, such as niah:needles=4.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .svg or .pdf.")],
    length: Annotated[str, typer.Option(help="Window size in tokens; default: 1k, or the model's if smaller.")] = "",
    depth: Depth = "0.5",
    repeat: Repeat = 0,
    seed: Seed = 0,
    rows: Annotated[
        int,
        typer.Option(help="Last tokens of the prompt to show; 0: 16 of one checkpoint, 2 of several.", min=0, max=1000),
    ] = 0,
    heads: Annotated[
        int, typer.Option(help="Heads to show, those with most attention on the needle.", min=1, max=100)
    ] = 4,
) -> None:
    """Draw the attention from a question's tokens to the needle: which head of which layer attends to it."""
    from mta_eval.results import inspection

    at = parse_depth(depth, "attention")
    cell = Cell(parse_length(length) if length else inspection.default_length(checkpoints), at, repeat)
    if len(checkpoints) == 1:
        terminal.print_line(
            inspection.draw_checkpoint_attention(checkpoints[0], task, cell, seed, rows or 16, heads, out)
        )
    else:
        for line in inspection.compare_attention(checkpoints, task, cell, seed, rows or 2, heads, out):
            terminal.print_line(line)
    terminal.print_line(out)

"""`mta-eval train`: a model of the attention family from a recipe."""

from __future__ import annotations

import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import MOST_STEPS
from mta_eval.commands.training_bar import training_bar
from mta_eval.errors import StoreError
from mta_eval.outside import LARGEST


class Preset(StrEnum):
    """Size of model and training."""

    cpu = "cpu"
    paper = "paper"


class Target(StrEnum):
    """What of the target block is the answer."""

    all = "all"
    first = "first"
    last = "last"


def train(
    task: Annotated[str, typer.Argument(help="Task to train on: letter_blocks.")],
    out: Annotated[Path, typer.Option(help="Folder of the training; the same command continues it.")],
    model: Annotated[str, typer.Option(help="Attention variant (mta-eval list attention).")] = "mta",
    preset: Annotated[
        Preset, typer.Option(help="cpu: minutes on 2 cores; paper: the paper's recipe, for a GPU.")
    ] = Preset.cpu,
    seed: Annotated[
        int, typer.Option(help="Random seed of weights, rows and dropout.", min=-LARGEST, max=LARGEST)
    ] = 42,
    block: Annotated[int, typer.Option(help="Letters in a block; the paper has 5 and 8.")] = 5,
    target: Annotated[Target, typer.Option(help="Answer the whole block, its first or its last letter.")] = Target.all,
    steps: Annotated[int, typer.Option(help="Training steps; 0: the preset's.", min=0, max=MOST_STEPS)] = 0,
    every: Annotated[int, typer.Option(help="Steps between evaluations; 0: the preset's.", min=0, max=MOST_STEPS)] = 0,
    stop_below: Annotated[
        float | None, typer.Option(help="Stop early once this share of held-out answers is wrong: 0.01.", min=0, max=1)
    ] = None,
    device: Annotated[str, typer.Option(help="auto: cuda, mps or cpu, the first there is.")] = "auto",
    write_rows: Annotated[
        int, typer.Option(help="Write this many training rows as JSONL instead.", min=0, max=MOST_STEPS)
    ] = 0,
) -> None:
    """Train a model of the attention family from a recipe. Stopped or killed, the same command continues where it was.

    Several devices: torchrun --nproc-per-node N -m mta_eval train …
    """
    from mta_eval.results.text_files import write_lines
    from mta_eval.training import recipes, training
    from mta_eval.training.letter_block_recipe import rows_as_json

    changes: dict[str, Any] = {"steps": steps, "evaluate_every": every}
    changes = {name: value for name, value in changes.items() if value}
    recipe = recipes.recipe_for(task, model, preset.value, seed, block, target.value, **changes)
    if write_rows:
        if out.exists():
            raise StoreError(f"{str(out)!r} is there already; name a new file")
        write_lines(rows_as_json(recipe, write_rows), out)
        terminal.print_line(f"{write_rows} rows in {out}")
        return
    with training_bar() as watch:
        errors = training.train(recipe, out, watch, device, stop_below, _command())
    if watch.began is not None:  # only one of several processes speaks
        wrong = f"{errors['answers']:.1%} of answers and {errors['tokens']:.2%} of their tokens wrong"
        terminal.print_line(f"{wrong}, of {recipe.schedule.tested:,}")
        terminal.print_line(out)


def _command() -> str:
    """The command that was typed, for the model's card."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    program = ["mta-eval"] if processes == 1 else ["torchrun", "--nproc-per-node", str(processes), "-m", "mta_eval"]
    return shlex.join([*program, *sys.argv[1:]])

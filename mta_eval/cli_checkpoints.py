"""The commands about checkpoints: made from others, and looked into. Arguments and printing only."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands.arguments import parse_depths, parse_length, parse_options
from mta_eval.core import Cell
from mta_eval.errors import SpecError

app = typer.Typer()


class Attention(StrEnum):
    """What a Llama-type model can become and still begin as itself."""

    mta = "mta"
    talking_heads = "talking_heads"
    transformer = "transformer"


Checkpoint = Annotated[str, typer.Argument(help="A folder, hub id or spec of a Llama-type model or one of ours.")]
Out = Annotated[Path, typer.Option(help="The new folder.")]


@app.command("import-checkpoint")
def import_checkpoint(
    folder: Annotated[Path, typer.Argument(help="Holds consolidated.pth (or .safetensors) and params.json.")],
    out: Out,
    tokenizer: Annotated[str, typer.Option(help="Folder or hub id whose tokenizer goes into the new folder.")] = "",
) -> None:
    """Turn a checkpoint of the released MTA code (lingua) into one that transformers and mta-eval open."""
    from mta_eval.models.checkpoints import released

    typer.echo(released.import_checkpoint(folder, out, tokenizer or None))


@app.command()
def retrofit(
    source: Checkpoint,
    out: Out,
    attention: Annotated[Attention, typer.Option(help="The new attention, its kernels the identity.")] = Attention.mta,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of MTAConfig, such as convolution_layers=2,6 or norm=plain; repeatable."),
    ] = None,
) -> None:
    """Give a Llama-type model another attention, as which it begins unchanged. A norm or a gate changes its logits."""
    from mta_eval.models.checkpoints import retrofit as retrofitting

    chosen = parse_options(options or [])
    difference = retrofitting.retrofit(source, attention.value, out, chosen)
    typer.echo(f"{out}: {attention.value}; its logits differ from the original's by at most {difference:.1e}")
    if {"norm", "gate", "kernel_init"} & set(chosen):
        typer.echo("norm, gate and other kernels than the identity change what the model says: train it before use")


@app.command()
def kernels(checkpoint: Checkpoint, out: Out) -> None:
    """Draw the learned kernels, a picture for each layer and kind, and write their figures as CSV."""
    from mta_eval.results import inspection

    for path in inspection.draw_kernels(checkpoint, out):
        typer.echo(path)


@app.command()
def attention(
    checkpoints: Annotated[list[str], typer.Argument(help="A folder, hub id or model spec; several are compared.")],
    task: Annotated[str, typer.Option(help="Task spec, such as niah:needles=4.")],
    out: Annotated[Path, typer.Option(help="The picture: .png, .svg or .pdf.")],
    length: Annotated[str, typer.Option(help="Whole window in tokens; 1k, or the model's if that is less.")] = "",
    depth: Annotated[str, typer.Option(help="Where the needle stands, 0 to 1, or any.")] = "0.5",
    repeat: Annotated[int, typer.Option(help="Which of the repeats.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="The sample hangs on it.")] = 0,
    rows: Annotated[
        int, typer.Option(help="How many of the prompt's last tokens; 0: 16 of one checkpoint, 2 of several.", min=0)
    ] = 0,
    heads: Annotated[int, typer.Option(help="How many heads, those that look at the needle most.", min=1)] = 4,
) -> None:
    """Draw the attention from a question's tokens to the needle: which head of which layer looks at it."""
    from mta_eval.results import inspection

    depths = parse_depths(depth)
    if len(depths) > 1:
        raise SpecError("attention looks at one sample; give one --depth")
    cell = Cell(parse_length(length) if length else inspection.default_length(checkpoints), depths[0], repeat)
    if len(checkpoints) == 1:
        typer.echo(inspection.draw_attention(checkpoints[0], task, cell, seed, rows or 16, heads, out))
    else:
        for line in inspection.compare_attention(checkpoints, task, cell, seed, rows or 2, heads, out):
            typer.echo(line)
    typer.echo(out)

"""`mta-eval retrofit`: another attention for a Llama-type model."""

from __future__ import annotations

from typing import Annotated

import typer

from mta_eval.arguments import parse_options, typed_command
from mta_eval.commands import terminal
from mta_eval.commands.options import Checkpoint, NewFolder, WithCode


def retrofit(
    source: Checkpoint,
    out: NewFolder,
    attention: Annotated[
        str, typer.Option(help="Attention variant (mta-eval list attention); kernels begin as the identity.")
    ] = "mta",
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of MTAConfig, such as convolution_layers=2,6 or norm=plain; repeatable."),
    ] = None,
    with_code: WithCode = False,
) -> None:
    """Give a Llama-type model another attention. Identity kernels keep its logits; a norm or a gate changes them."""
    from mta_eval.models.checkpoints import retrofit as retrofitting

    chosen = parse_options(options or [])
    difference = retrofitting.retrofit(source, attention, out, chosen, with_code, typed_command())
    terminal.print_line(f"{out}: {attention}; its logits differ from the original's by at most {difference:.1e}")
    if {"norm", "gate", "kernel_init"} & set(chosen):
        terminal.print_line(
            "norm, gate and other kernels than the identity change what the model says: train it before use"
        )

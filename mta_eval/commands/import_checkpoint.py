"""`mta-eval import-checkpoint`: a checkpoint of the released MTA code for transformers and mta-eval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import NewFolder, WithCode


def import_checkpoint(
    folder: Annotated[Path, typer.Argument(help="Folder with consolidated.pth (or .safetensors) and params.json.")],
    out: NewFolder,
    tokenizer: Annotated[str, typer.Option(help="Folder or hub id of the tokenizer to put into the new folder.")] = "",
    softmax: Annotated[
        Literal["once", "twice"] | None,
        typer.Option(help="How often the code that trained it takes softmax in layers with nothing after it."),
    ] = None,
    with_code: WithCode = False,
) -> None:
    """Convert a checkpoint of the released MTA code (lingua) to a folder that transformers and mta-eval open."""
    from mta_eval.models.checkpoints import released

    terminal.print_line(released.import_checkpoint(folder, out, tokenizer or None, softmax, with_code))

"""`mta-eval kernels`: pictures of a checkpoint's learned kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Checkpoint


def kernels(checkpoint: Checkpoint, out: Annotated[Path, typer.Option(help="Folder to write.")]) -> None:
    """Draw the learned kernels, a picture for each layer and kind, and write their values as CSV."""
    from mta_eval.results import inspection

    for path in inspection.draw_kernels(checkpoint, out):
        terminal.print_line(path)

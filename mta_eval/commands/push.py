"""`mta-eval push`: a run's records on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.errors import SpecError


def push(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    repo: Annotated[str, typer.Argument(help="Data set of the hub: OWNER/NAME, or NAME of your own.")],
    public: Annotated[bool, typer.Option("--public", help="Make the data set public, not private.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the data set into this folder to look at it, and push nothing.")
    ] = None,
) -> None:
    """Push a run's records to the Hugging Face hub: a data set with a card that names tasks, models and the command.

    The key is that of hf auth login, or HF_TOKEN. Records hold answers, and the text around needles.
    """
    from mta_eval.integrations.hub import push_run, write_data_set

    if out is None:
        return terminal.print_line(push_run(run, repo, public))
    if public:
        raise SpecError("--public is for what is pushed, and --out pushes nothing; leave one of them out")
    out.mkdir(parents=True, exist_ok=True)
    write_data_set(run, out, repo)
    return terminal.print_line(out)

"""`mta-eval view`: an index of runs with a leaderboard, served on this machine or written as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mta_eval.commands import terminal


def view(
    folder: Annotated[Path, typer.Argument(help="Folder with runs, at any depth.")],
    port: Annotated[int, typer.Option(help="Port on this machine; 0: one that is free.", min=0, max=65535)] = 0,
    every: Annotated[
        int, typer.Option(help="Seconds after which pages load again while runs go on.", min=1, max=86_400)
    ] = 10,
    bundle: Annotated[Path | None, typer.Option(help="Write the pages into this folder instead of serving.")] = None,
) -> None:
    """Serve an index of runs with a leaderboard and a page for each run, to browsers on this machine alone."""
    from mta_eval.results.view.bundle import write_bundle
    from mta_eval.results.view.serving import ViewServer
    from mta_eval.results.view.shelf import Shelf

    if bundle:
        terminal.print_lines(map(str, write_bundle(Shelf(folder), bundle)))
        return
    with ViewServer(Shelf(folder, every), port) as server:
        terminal.print_line(f"{server.address} shows the runs of {folder}; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return

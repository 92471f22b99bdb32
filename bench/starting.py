"""How the benchmarks start: as the commands of mta-eval do, so that a mistake is one line on stderr and exit code 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

import typer

from mta_eval.cli import end_in_one_line
from mta_eval.errors import SpecError

Dtype = Literal["float32", "bfloat16", "float16"]


def start(main: Callable[..., None]) -> None:
    """Run `main` with the arguments of this process, and end it."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(main)
    end_in_one_line(app, Path(sys.argv[0]).name)


def parse_choices(text: str, known: Collection[str], option: str) -> list[str]:
    """The names in `text`, parted by commas. Raises SpecError."""
    names = [name.strip() for name in text.split(",")]
    if wrong := [name for name in names if name not in known]:
        raise SpecError(f"{option} has no {wrong[0]!r}; there is: {', '.join(known)}")
    return names


def parse_kernel(text: str) -> list[int]:
    """ "6x11" -> [6, 11]. Raises SpecError."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", text)
    if not match:
        raise SpecError(f"--kernel is QUERIESxKEYS, such as 6x11, not {text!r:.40}")
    return [int(match[1]), int(match[2])]

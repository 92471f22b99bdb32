"""The door for arguments: what Python would read as a path or a number, but nobody means by it, is refused here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.core import TyperCommand

from mta_eval.errors import SpecError

SHOWN = 40  # characters of a number in an error


class CheckedCommand(TyperCommand):
    """A command that takes no empty path, which would be the current folder, and no number in other signs than 0-9."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click.Command. Raises SpecError that names the option."""
        given = self.make_parser(ctx).parse_args(args=list(args))[0]
        hints = get_type_hints(self.callback) if self.callback else {}
        for param in self.params:
            kinds = _kinds(hints.get(param.name))
            for text in _texts(given.get(param.name or "")):
                if Path in kinds and not text.strip():
                    raise SpecError(f"{_name(param)} is empty; name a file or a folder (. is the current one)")
                if kinds & {int, float} and not (text.isascii() and "_" not in text):
                    raise SpecError(f"{_name(param)} is {text!r:.{SHOWN}}, which is no number; write it in digits")
        return super().parse_args(ctx, args)


def _kinds(annotation: object) -> set[object]:
    """The type of a parameter's value, or of each of its values; None where it may be left out."""
    return {annotation} | {kind for part in get_args(annotation) for kind in _kinds(part)}


def _name(param: Any) -> str:
    options = [option for option in param.opts if option.startswith("-")]
    return options[0] if options else str(param.name)


def _texts(value: object) -> Iterator[str]:
    """Every text in what the parser found: one, several, or none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)

"""Text that others wrote, as part of a line on a terminal."""

from __future__ import annotations

import re

# the sequences that terminals take for commands (ECMA-48): strings up to their end (titles, links), then all others
COMMANDS = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?"
)

SEPARATORS = "\x1c\x1d\x1e\x1f\x85"  # control characters that Python takes for white space


def one_line(text: str) -> str:
    """`text` in one line, without terminal commands and whatever else does not print (bidi marks, lone surrogates)."""
    shown = (_shown(character) for character in COMMANDS.sub("", text))
    return " ".join("".join(shown).split())


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() and character not in SEPARATORS else ""

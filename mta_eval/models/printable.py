"""Text that others wrote, as part of a line on a terminal."""

from __future__ import annotations

import re

# the sequences that terminals take for commands (ECMA-48): strings up to their end (titles, links), then all others
COMMANDS = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?"
)


def one_line(text: str) -> str:
    """`text` in one line, without terminal commands and whatever else does not print (bidi marks, lone surrogates)."""
    words = " ".join(COMMANDS.sub("", text).split())
    return "".join(character for character in words if character.isprintable())

"""The one printer: text that others wrote (models, tasks, servers, files), as a terminal may show it."""

from __future__ import annotations

import logging
import re
import sys
import traceback
import warnings
from types import TracebackType
from typing import Any

# the sequences that terminals take for commands (ECMA-48): strings up to their end (titles, links), then all others
COMMANDS = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?"
)

# control characters but tab and newline, marks that reverse the direction of text, halves of surrogate pairs
HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST_LINE = 800  # characters of a line of ours
SEPARATORS = "\x1c\x1d\x1e\x1f\x85"  # control characters that Python takes for white space


def one_line(text: str) -> str:
    """`text` in one line, without terminal commands and whatever else does not print (bidi marks, lone surrogates)."""
    shown = (_shown(character) for character in COMMANDS.sub("", text))
    return " ".join("".join(shown).split())


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() and character not in SEPARATORS else ""


def printable(text: str) -> str:
    """`text` with its lines and tabs, without terminal commands, other control characters and what turns lines around.

    Marks that join letters stay: some scripts cannot be read without them.
    """
    return HARMFUL.sub("", COMMANDS.sub("", text))


def json_for_terminals(text: str) -> str:
    """JSON whose texts hold no character that a terminal may act on: each is escaped, and means the same."""
    return HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def short_line(text: str) -> str:
    """`one_line`, without its middle where it is longer than anybody reads: what is wrong stands before, how to mend it
    after what a user gave."""
    line = one_line(text)
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} … {line[-LONGEST_LINE // 2 :]}"


class PrintableRecord(logging.LogRecord):
    """What a library logs, as a terminal may show it: its messages repeat what files and servers hold."""

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        return printable(super().getMessage())


def guard_terminal() -> None:
    """Warnings, logs and tracebacks of whatever is run from now on reach the terminal without commands for it."""
    formatted = warnings.formatwarning
    if formatted.__module__ != __name__:

        def formatwarning(*about: Any, **more: Any) -> str:  # as Python calls it
            return printable(formatted(*about, **more))

        warnings.formatwarning = formatwarning
    logging.setLogRecordFactory(PrintableRecord)
    sys.excepthook = _print_traceback


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(printable("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def say(text: str) -> None:
    """One line of ours on stderr."""
    print(f"mta-eval: {short_line(text)}", file=sys.stderr, flush=True)

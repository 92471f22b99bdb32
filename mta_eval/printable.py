"""The one printer: all that is written to a terminal goes through here, ours and what others wrote (models, tasks,
servers, files). No text acts on the terminal, and none ends in a traceback because the terminal lacks a character.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import re
import sys
import traceback
import unicodedata
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# the sequences that terminals take for commands (ECMA-48): strings up to their end (titles, links), then all others
COMMANDS = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?"
)

# control characters but tab and newline, marks that reverse the direction of text, halves of surrogate pairs
HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST_LINE = 800  # characters of a line of ours
SEPARATORS = "\x1c\x1d\x1e\x1f\x85"  # control characters that Python takes for white space

PLAIN = "mta-eval-plain"  # the name of `_encode_plain` among Python's ways to go on where a character has no code
REPLACED = ("strict", "surrogateescape", "backslashreplace")  # Python's own ways; another one was chosen by the user
IN_ASCII = {"×": "x", "–": "-", "—": "-", "−": "-", "·": "-", "•": "*", "…": "...", "±": "+-", "†": "+", "→": "->"} | {
    **{"≥": ">=", "≤": "<=", "≈": "~", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "€": "EUR"},
    **dict.fromkeys("─━═╌╍╴╶╸╺╼╾", "-"),
    **dict.fromkeys("│┃║╎╏", "|"),
}
BOXES, BLOCKS = range(0x2500, 0x2580), range(0x2580, 0x25A0)  # corners and crossings; bars


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


def in_ascii(text: str) -> str:
    """`text` in ASCII: marks and boxes by what looks like them, letters without their accents, the rest as \\u4e2d."""
    return "".join(character if character.isascii() else _in_ascii(character) for character in text)


def _in_ascii(character: str) -> str:
    if character in IN_ASCII:
        return IN_ASCII[character]
    if ord(character) in BOXES or ord(character) in BLOCKS:
        return "+" if ord(character) in BOXES else "#"
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return plain if plain and plain.isascii() else character.encode("ascii", "backslashreplace").decode()


def _encode_plain(error: UnicodeError) -> tuple[str, int]:
    """What Python writes for the characters that an encoding lacks; see codecs.register_error."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN, _encode_plain)


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
    """What is written from now on reaches the terminal in characters that it has, and without commands for it:
    warnings, logs and tracebacks of whatever is run too."""
    formatted = warnings.formatwarning
    if formatted.__module__ != __name__:

        def formatwarning(*about: Any, **more: Any) -> str:  # as Python calls it
            return printable(formatted(*about, **more))

        warnings.formatwarning = formatwarning
    logging.setLogRecordFactory(PrintableRecord)
    sys.excepthook = _print_traceback
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in REPLACED:
            stream.reconfigure(errors=PLAIN)


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    write("".join(traceback.format_exception(kind, error, trace)), on_stderr=True, end="")


def say(text: str) -> None:
    """One line of ours on stderr."""
    write(f"mta-eval: {short_line(text)}", on_stderr=True)


def write(text: str, on_stderr: bool = False, end: str = "\n") -> None:
    """A text on stdout, for results, or on stderr, for what is said beside them."""
    print(printable(text), end=end, file=sys.stderr if on_stderr else sys.stdout, flush=on_stderr)


def write_json(fields: Mapping[str, object]) -> None:
    """An object as one line of JSON on stdout: the same whatever characters stdout has, some of them escaped."""
    text = json_for_terminals(json.dumps(fields, ensure_ascii=False))
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(fields)
    print(text)


def console(on_stderr: bool = False) -> Console:
    """Stdout or stderr as rich sees them: whether it is a terminal, and how wide."""
    from rich.console import Console

    return Console(stderr=on_stderr)

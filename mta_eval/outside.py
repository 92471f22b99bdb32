"""The doors for data from outside: files that must be files, JSON that anybody may have written, and typed numbers.

All raise what readers of files turn into one line anyway: OSError and ValueError.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any

DEEPEST = 100  # lists and objects within one another; what is read is walked and written again, a call for each
LARGEST = 2**63 - 1  # whole numbers: what tables, tensors and files can hold

MOST_DIGITS = 18  # of a whole number that is typed: what 64 bits surely hold
WHOLE = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


def typed_integer(text: str) -> int:
    """A whole number as people write it: no 1_0, no １, at most 18 digits. Raises ValueError."""
    if not WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{text!r:.40} is no whole number of at most {MOST_DIGITS} digits")
    return int(text)


def typed_float(text: str) -> float:
    """A finite number as people write it: no 1_0, no １, no nan, no 1e400. Raises ValueError."""
    number = float(text) if DECIMAL.fullmatch(text.strip()) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r:.40} is no number")
    return number


def regular(path: Path) -> Path:
    """`path`, which is a regular file: no device and no pipe, which may never end. Raises OSError, also for its name.

    A folder is IsADirectoryError, as when it is opened.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a NUL character, which no name can hold
        raise OSError(errno.EINVAL, "its name holds a NUL character", str(path)) from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(path))
    return path


def resolved(path: Path) -> Path:
    """`path.resolve()`. Raises OSError for links in a circle, as whatever opens them does."""
    try:
        return path.resolve()
    except RuntimeError as error:  # pathlib's, before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


def read_json(text: str | bytes) -> Any:  # as json.loads: who reads it checks what it is
    """The JSON in a text. Raises ValueError if it is none, or lists and objects are nested more than 100 deep."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from error
    openings = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if openings > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    return value


def _depth(value: object) -> int:
    """How many lists and objects of `value` are within one another; without a call for each, which may be too many."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, list | dict)]:
        depth += 1
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
    return depth

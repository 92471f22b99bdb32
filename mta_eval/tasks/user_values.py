"""Values of a user's own, for needles: the rows of a file, and one sample's draw from them.

ski in the park                         a value in each line
Oslo<tab>ski in the park                or a key and its value, parted by a tab
{"key": "Oslo", "value": "ski"}         or JSON lines, in a file named .jsonl; "key" may be left out
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from mta_eval.errors import SpecError, TextError
from mta_eval.outside import read_json
from mta_eval.scoring.numbers import normalised_number
from mta_eval.tasks.prompts.pools import can_hide
from mta_eval.tasks.prompts.sources import TextSource, read_text

_FIELDS = {"key", "value"}  # of a JSON line
_PASSED_OVER = "\"'*`([{"  # what scoring passes over at the start of an answer


class KeyedValue(NamedTuple):
    """A row of a user's file. `key` is "" where the file has values alone; `line` counts from 1."""

    line: int
    key: str
    value: str


def read_user_values(where: str) -> tuple[KeyedValue, ...]:
    """The rows of a user's file, read anew each time. Raises TextError that names file and line."""
    if os.path.isdir(os.path.expanduser(where)):
        raise TextError(f"{where!r} is a folder; name a file with a value in each line")
    return _parse(where, read_text(Path(where)))


@lru_cache(maxsize=8)
def _parse(where: str, text: str) -> tuple[KeyedValue, ...]:
    """The rows of the file's text; white space in them becomes single spaces, blank lines are left out."""
    split = _json_row if where.endswith(".jsonl") else _plain_row
    rows: list[KeyedValue] = []
    lines: dict[str, int] = {}
    # not splitlines(), which also parts at line ends that JSON allows within a text
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = KeyedValue(number, *(" ".join(part.split()) for part in split(line)))
            _check_row(row, rows[0] if rows else row)
            value = normalised_number(row.value) or row.value.casefold()
            if value in lines:
                raise ValueError(f"has the value {row.value!r} of line {lines[value]} again")
        except ValueError as error:
            raise TextError(f"{where!r} line {number} {error}") from error
        lines[value] = number
        rows.append(row)
    if not rows:
        raise TextError(f"{where!r} is empty; write a value in each line, or a key and its value parted by a tab")
    return tuple(rows)


def _plain_row(line: str) -> tuple[str, str]:
    key, *values = line.split("\t")
    if len(values) > 1:
        raise ValueError(f"has {len(values)} tabs; write a key, one tab and its value")
    if not key.strip():
        raise ValueError("has no key before the tab")
    return (key, values[0]) if values else ("", key)


def _json_row(line: str) -> tuple[str, str]:
    try:
        row = read_json(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or "value" not in row or not row.keys() <= _FIELDS:
        raise ValueError('is no JSON object {"value": …} or {"key": …, "value": …}')
    key, value = row.get("key", ""), row["value"]
    for text in (key, value):
        if isinstance(text, bool) or not isinstance(text, str | int):
            raise ValueError(f"has {json.dumps(text)}; keys and values are texts or whole numbers")
    if "key" in row and not str(key).strip():
        raise ValueError("has an empty key")
    return str(key), str(value)


def _check_row(row: KeyedValue, first: KeyedValue) -> None:
    """Raises ValueError, the end of an error line, for a row that can never be hidden and scored."""
    key, value = row.key.lower(), row.value.lower()
    if not value:
        raise ValueError("has no value")
    if bool(row.key) != bool(first.key):
        kind = {True: "a key and a value", False: "a value alone"}
        raise ValueError(f"has {kind[bool(row.key)]}, but line {first.line} has {kind[bool(first.key)]}; choose one")
    if row.key and (key in value or value in key):
        raise ValueError(f"has a key and a value of which one holds the other: {row.key!r}, {row.value!r}")
    if value[0] in _PASSED_OVER:
        raise ValueError(f"has a value that begins with {value[0]}, which scoring passes over; leave it out")


class ValueDraw:
    """One sample's keys and values out of a user's rows, and decoys: none in another, in `used`, or in the haystack.

    Pure chance of `random`; `used` grows by what is drawn. `short` begins an error's line, as `need_values` says it.
    """

    def __init__(
        self, rows: Sequence[KeyedValue], random: Random, source: TextSource, used: Iterable[str], short: str
    ) -> None:
        self._random, self._source, self._short = random, source, short
        self.used = list(used)
        self._drawn = 0
        rows = random.sample(rows, len(rows))
        self._groups: dict[str, list[str]] = {}
        for row in rows:
            self._groups.setdefault(row.key, []).append(row.value)

    def pairs(self, counts: Sequence[int], make_key: Callable[[Sequence[str]], str]) -> list[tuple[str, str]]:
        """For each of `counts` a key with so many values. A file without keys gets those of `make_key(used)`.

        Raises SpecError if there are too few.
        """
        found: list[tuple[str, str]] = []
        for count in counts:
            found += self._pairs_of_one_key(count, make_key)
            self._drawn += count
        return found

    def decoys(self, count: int) -> list[str]:
        """`count` more values, of any keys. Raises SpecError if there are too few."""
        found = self._fitting((value for values in self._groups.values() for value in values), count)
        if len(found) < count:
            raise self._too_few(len(found))
        return found

    def _pairs_of_one_key(self, count: int, make_key: Callable[[Sequence[str]], str]) -> list[tuple[str, str]]:
        most = 0
        for own_key, values in self._groups.items():
            if own_key and not can_hide(own_key, self.used, self._source):
                continue
            key, before = own_key or make_key(self.used), len(self.used)
            self.used += [key] if key else []
            found = self._fitting(values, count)
            if len(found) == count:
                return [(key, value) for value in found]
            del self.used[before:]
            most = max(most, len(found))
        raise self._too_few(most)

    def _fitting(self, values: Iterable[str], count: int) -> list[str]:
        """The first `count` of `values` that can be hidden beside all that is used, or fewer; they are used now."""
        found: list[str] = []
        for value in values:
            if len(found) == count:
                break
            if can_hide(value, self.used, self._source):
                found.append(value)
                self.used.append(value)
        return found

    def _too_few(self, more: int) -> SpecError:
        return SpecError(
            f"{self._short}, but only {self._drawn + more} can be hidden together: no key or value may stand in "
            "another, in the words of needle and question, or in the haystack, and each needle that is not asked has "
            "its own key"
        )


def need_values(where: str, rows: Sequence[KeyedValue], needles: int, choices: int) -> str:
    """Says how many values of a file are needed, to begin an error's line. Raises SpecError if it has fewer."""
    keys = f" of {len({row.key for row in rows})} keys" if rows[0].key else ""
    needed = f"{needles} needles" + (f" and {choices} choices" if choices > needles else "")
    line = f"niah: {where!r} has {len(rows)} values{keys}, and {needed} need {max(needles, choices)}"
    if len(rows) < max(needles, choices):
        raise SpecError(f"{line}; add {max(needles, choices) - len(rows)}")
    return line


def longest(rows: Iterable[KeyedValue]) -> int:
    """The characters of the longest row."""
    return max(len(row.key) + len(row.value) for row in rows)

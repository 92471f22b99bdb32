"""Real bAbI: the published text format by path, and BABILong's published hub data set by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from mta_eval.errors import SpecError, TextError
from mta_eval.outside import read_json
from mta_eval.tasks.babi.worlds import Story
from mta_eval.tasks.prompts.sources import read_text


class PublishedRows(Protocol):
    """Rows with input, question and target."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Mapping[str, str]: ...


@lru_cache(maxsize=16)
def read_stories(where: str, qa: int) -> tuple[Story, ...]:
    """All stories of a bAbI file, or of the qaN test file in a folder. Raises TextError.

    A line is "ID fact", or "ID question<tab>answer<tab>supporting IDs"; ID 1 begins a new story.
    """
    path = Path(where)
    if path.is_dir():
        files = sorted(path.rglob(f"qa{qa}_*test*.txt"))
        if not files:
            raise TextError(f"folder {where!r} holds no file qa{qa}_*test*.txt")
        path = files[0]
    stories: list[Story] = []
    facts: dict[int, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        match = re.fullmatch(r"(\d+) (.+)", line.strip())
        if not match:
            if line.strip():
                raise TextError(f"{str(path)!r} line {number} is not in the bAbI format: {line[:40]!r}")
            continue
        index, rest = int(match[1]), match[2].split("\t")
        if index == 1:
            facts = {}
        if len(rest) == 1:
            facts[index] = rest[0].strip()
            continue
        try:
            stories.append(_story(facts, rest))
        except ValueError as error:
            raise TextError(f"{str(path)!r} line {number} {error}") from error
    if not stories:
        raise TextError(f"{str(path)!r} holds no bAbI question (a line with tabs)")
    return tuple(stories)


def _story(facts: Mapping[int, str], columns: Sequence[str]) -> Story:
    """The story that a question ends: its columns after the facts so far, by their IDs; without supporting IDs the last
    fact is taken for one. Raises ValueError, the end of an error line.
    """
    question, answer, support = columns[0].strip(), columns[1].strip(), "".join(columns[2:]).split()
    if not facts:
        raise ValueError("asks before there is a fact")
    if not answer:
        raise ValueError("has no answer")
    rows = {str(index): place for place, index in enumerate(facts)}
    if unknown := [row for row in support if row not in rows]:
        raise ValueError(f"names the supporting fact {unknown[0]!r}, which its story has not")
    places = sorted(rows[row] for row in support) or [len(rows) - 1]
    return Story(tuple(facts.values()), question, answer, tuple(places))


@lru_cache(maxsize=16)
def read_rows(name: str, length: int, qa: int) -> PublishedRows:
    """Rows (input, question, target) of BABILong's published data for one length and task. Raises TextError, SpecError.

    The published lengths are 0k, 1k, 128k, 1M and so on. `name` is a folder of files as the published generator writes
    them, qa1/0k.json with a list of rows, or a data set: its configurations are the lengths, its splits the tasks.
    """
    if length % 1024:
        raise SpecError(f"the published BABILong has lengths 0k, 1k, 2k, …; {length} is not one of them")
    config = f"{length // 2**20}M" if length and length % 2**20 == 0 else f"{length // 1024}k"
    if any(Path(name).glob("qa*/*k.json")):
        return _read_row_file(Path(name) / f"qa{qa}" / f"{config}.json")
    from datasets import load_dataset

    try:
        rows: PublishedRows = load_dataset(name, config, split=f"qa{qa}")
    except Exception as error:  # datasets raises whatever its loader, builder or network raises
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise TextError(f"cannot read data set {name!r} ({config}, qa{qa}): {reason}") from error
    return rows


def _read_row_file(path: Path) -> PublishedRows:
    try:
        rows = read_json(read_text(path))
    except ValueError as error:
        raise TextError(f"{str(path)!r} is no JSON: {error}") from error
    columns = ("input", "question", "target")
    if not isinstance(rows, list) or not rows:
        raise TextError(f"{str(path)!r} is no list of samples")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not all(isinstance(row.get(column), str) for column in columns):
            raise TextError(f"{str(path)!r} sample {number} has not the texts {', '.join(columns)}")
    return rows

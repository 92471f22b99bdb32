"""Real bAbI: the published text format by path, and BABILong's published hub data set by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from mta_eval.errors import SpecError, TextError
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
        rows = list(facts)
        support = sorted(rows.index(int(row)) for row in "".join(rest[2:]).split() if int(row) in facts)
        stories.append(
            Story(tuple(facts.values()), rest[0].strip(), rest[1].strip(), tuple(support or range(len(rows))[-1:]))
        )
    if not stories:
        raise TextError(f"{str(path)!r} holds no bAbI question (a line with tabs)")
    return tuple(stories)


@lru_cache(maxsize=16)
def read_rows(name: str, length: int, qa: int) -> PublishedRows:
    """Rows (input, question, target) of BABILong's published data for one length and task. Raises TextError, SpecError.

    The published lengths are configurations such as 0k, 1k, 128k, 1M; each holds one split per task.
    """
    from datasets import load_dataset

    if length % 1024:
        raise SpecError(f"the published BABILong has lengths 0k, 1k, 2k, …; {length} is not one of them")
    config = f"{length // 2**20}M" if length and length % 2**20 == 0 else f"{length // 1024}k"
    try:
        rows: PublishedRows = load_dataset(name, config, split=f"qa{qa}")
    except Exception as error:  # datasets raises whatever its loader, builder or network raises
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise TextError(f"cannot read data set {name!r} ({config}, qa{qa}): {reason}") from error
    return rows

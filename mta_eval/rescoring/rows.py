"""What the readers of answer files share: a row, JSON objects one by one, and what is said of a damaged line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mta_eval.core import Json
from mta_eval.errors import TextError
from mta_eval.outside import read_json, regular
from mta_eval.rescoring.sources import AnswerFile
from mta_eval.scoring import ScoredOutput

JsonObject = dict[str, Json]
Scores = Counter[tuple[float, str]]  # (score, draw) of rows, counted
PARTS = {"nolima": "result", "helmet": "row of data"}  # what a row is in files where it is no line
QA = re.compile(r"(?:^|[_-])qa(\d{1,2})(?:[_-]|$)")


class Row(NamedTuple):
    """One stored answer: what rules look at, where it belongs, and the score it came with, from 0 to `best`.

    `answered` is False where the file holds no output: no rule can score that. `depth` is from 0 to 1, `length` in
    tokens; both None where unknown. `line`, or the row of a run's list, counts from 1. `draw`: what the sample was
    drawn with, "" if alone.
    """

    scored: ScoredOutput
    line: int
    model: str
    setting: str = ""
    length: int | None = None
    depth: float | None = None
    stored: float | None = None
    best: float = 1
    answered: bool = True
    draw: str = ""


def objects_in(path: Path, may_be_torn: bool = False) -> Iterator[tuple[int, JsonObject]]:
    """(line, object) of JSONL, or of a JSON file's one object or list of objects."""
    if path.suffix == ".json":
        yield from _whole_json(path)
        return
    with regular(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                raw = read_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except ValueError as error:
                if may_be_torn and not line.endswith(b"\n"):
                    return
                raise TextError(f"{str(path)!r} line {number} is damaged: {error}") from error
            if not isinstance(raw, dict):
                raise TextError(f"{str(path)!r} line {number} is damaged: it is no JSON object")
            yield number, raw


def _whole_json(path: Path) -> Iterator[tuple[int, JsonObject]]:
    text = regular(path).read_text("utf-8-sig")
    try:
        raw = read_json(text)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise TextError(f"{str(path)!r} line {line} is damaged: {getattr(error, 'msg', error)}") from error
    for number, entry in enumerate(raw if isinstance(raw, list) else [raw], 1):
        if not isinstance(entry, dict):
            raise TextError(f"{str(path)!r} entry {number} is damaged: it is no JSON object")
        yield number, entry


def row_of(source: AnswerFile, line: int, output: Json, targets: tuple[str, ...], task: str, question: str = "") -> Row:
    """A row whose setting and length are its source's. `output` None: none is stored. Raises TextError if no text."""
    if output is not None and not isinstance(output, str):
        raise damaged(source, line, f"its answer is no text but {type(output).__name__}")
    qa = qa_of(task) if source.kind == "babilong" or "babilong" in task else None
    scored = ScoredOutput(output or "", targets, question, qa, task)
    return Row(scored, line, source.model, source.setting, source.length, answered=output is not None)


@lru_cache
def qa_of(task: str) -> int | None:
    """The number of a BABILong task: "qa2" and "babilong_qa2" -> 2; None for any other."""
    match = QA.search(task)
    return int(match[1]) if match else None


def mapping_of(value: Json) -> Mapping[str, Json]:
    """The object that a field holds, empty where it holds none."""
    return value if isinstance(value, dict) else {}


def texts_of(value: Json) -> tuple[str, ...]:
    """The texts of a field that holds one or a list."""
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def damaged(source: AnswerFile, line: int, reason: str) -> TextError:
    """The error of a line, or of a row of a run's list, that is not as its format wants it."""
    part = PARTS.get(source.kind, "line")
    return TextError(f"{str(source.path)!r} {part} {line} is damaged: {reason}")

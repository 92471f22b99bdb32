"""A source -> its rows, one after another: no file is ever held whole.

Each reader raises TextError that names the file and the line (in a CSV the row, as its fields hold line ends).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mta_eval.core import Json
from mta_eval.errors import TextError
from mta_eval.outside import LARGEST, read_json, regular
from mta_eval.rescoring.sources import AnswerFile, length_in_name
from mta_eval.results.grid import is_number
from mta_eval.results.record_json import record_of
from mta_eval.scoring import ScoredOutput

JsonObject = dict[str, Json]
CHUNK = 50_000  # rows of a CSV at a time
QA = re.compile(r"(?:^|[_-])qa(\d{1,2})(?:[_-]|$)")


class Row(NamedTuple):
    """One stored answer: what rules look at, where it belongs, and the score it came with (0..1).

    `answered` is False where the file holds no output: nothing to score. `depth` is from 0 to 1, `length` in tokens;
    both None where unknown. `line` counts from 1.
    """

    scored: ScoredOutput
    line: int
    model: str
    setting: str = ""
    length: int | None = None
    depth: float | None = None
    stored: float | None = None
    answered: bool = True


def read_answer_rows(source: AnswerFile, task: str = "") -> Iterator[Row]:
    """The rows of `source`; `task` names the task where the source does not. Raises TextError."""
    try:
        for row in READERS[source.kind](source, task):
            if row.length is not None and not 0 <= row.length <= LARGEST:
                raise _damaged(source, row.line, f"its length, {row.length!s:.30}, is none that a table can hold")
            yield row
    except UnicodeDecodeError as error:
        raise TextError(f"{str(source.path)!r} is no UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise TextError(f"cannot read {str(source.path)!r}: {error.strerror}") from error


def _read_babilong(source: AnswerFile, task: str) -> Iterator[Row]:
    """The evaluation CSV of booydar/babilong. An empty output is an answer, and wrong: so they are published."""
    task = source.task or task
    qa = _qa_of(task)
    if qa is None:
        raise TextError(f"{str(source.path)!r}: the name does not tell the task (qa1_4k_….csv); give --task qa1")
    for number, (target, output, question) in enumerate(_csv_rows(source.path), 1):
        if not isinstance(target, str) or not target:
            raise TextError(f"{str(source.path)!r} row {number} is damaged: it has no target")
        text = output if isinstance(output, str) else ""
        prompt = question if isinstance(question, str) else ""
        yield Row(ScoredOutput(text, (target,), prompt, qa, task), number, source.model, source.setting, source.length)


def _csv_rows(path: Path) -> Iterator[tuple[object, object, object]]:
    # keep_default_na: an answer such as "None" or "NA" is a word, not a gap
    try:
        with pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=CHUNK, encoding="utf-8-sig") as chunks:
            for chunk in chunks:
                if not isinstance(chunk.index, pd.RangeIndex):  # pandas makes an index of fields beyond the head's
                    raise TextError(f"{str(path)!r} is damaged: its rows have more fields than its head")
                columns = ("target", "output", "question")
                fields = (chunk[name].tolist() if name in chunk else [""] * len(chunk) for name in columns)
                yield from zip(*fields, strict=True)
    except pd.errors.ParserError as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise TextError(f"{str(path)!r} is damaged: {reason}") from error


def _read_infinitebench(source: AnswerFile, task: str) -> Iterator[Row]:
    """The predictions of OpenBMB/InfiniteBench: `prediction` or `pred`; `ground_truth` or `label`, text or a list.

    Of a list the first counts, as published.
    """
    task = source.task or task
    label = ""
    for line, raw in _objects(source.path):
        label = label or ("ground_truth" if "ground_truth" in raw else "label")
        target = raw.get(label)
        if isinstance(target, list):
            target = target[0] if target else None
        if target is None:
            raise _damaged(source, line, f"it has no {label}")
        output = raw.get("prediction", raw.get("pred"))
        yield _row(source, line, output, (str(target),), task)


def _read_ruler(source: AnswerFile, task: str) -> Iterator[Row]:
    for line, raw in _objects(source.path):
        targets = _texts(raw["outputs"]) if "outputs" in raw else ()
        if not targets:
            raise _damaged(source, line, "it has no outputs")
        yield _row(source, line, raw.get("pred"), targets, source.task or task)


def _read_needlehaystack(source: AnswerFile, task: str) -> Iterator[Row]:
    """One file for each cell. Its score, 1 to 10, is a judge's: stored as a share of 10. There is no target."""
    for line, raw in _objects(source.path):
        score, length, depth = raw.get("score"), raw.get("context_length"), raw.get("depth_percent")
        if not is_number(length) or not is_number(depth) or not (0 <= length <= LARGEST and 0 <= depth <= 100):
            raise _damaged(source, line, "it needs context_length and depth_percent, from 0 to 100")
        if score is not None and not (is_number(score) and 0 <= score <= 10):
            raise _damaged(source, line, f"its score {score!r} is not from 1 to 10")
        row = _row(source, line, raw.get("model_response"), (), source.task or task)
        yield row._replace(
            model=str(raw.get("model") or source.model),
            length=int(length),
            depth=round(depth / 100, 6),
            stored=None if score is None else score / 10,
        )


def _read_lm_eval(source: AnswerFile, task: str) -> Iterator[Row]:
    """lm-eval's samples_*.jsonl. Length and depth are the doc's where it has them, else the length is its run's."""
    for line, raw in _objects(source.path):
        doc = _mapping(raw.get("doc"))
        output = raw.get("filtered_resps", raw.get("resps"))
        while isinstance(output, list):
            output = output[0] if output else None
        targets = _texts(doc.get("outputs") or doc.get("targets") or doc.get("target", raw.get("target")))
        length = length_in_name(str(doc.get("max_length", doc.get("length", ""))))
        depth = doc.get("depth")
        filter_name = [str(raw["filter"])] if raw.get("filter", "none") != "none" else []
        row = _row(source, line, output, targets, source.task or task, str(doc.get("question", "")))
        yield row._replace(
            setting=" ".join([source.setting, *filter_name]).strip(),
            length=source.length if length is None else length,
            depth=depth if is_number(depth) and 0 <= depth <= 1 else None,
            stored=_stored(raw, length),
        )


def _stored(raw: JsonObject, length: int | None) -> float | None:
    """The score that lm-eval wrote into a sample. RULER names its metrics by length and fills the others with -1."""
    metrics = raw.get("metrics")
    for name in (str(length), *(map(str, metrics) if isinstance(metrics, list) else ())):
        value = raw.get(name)
        if is_number(value) and 0 <= value <= 1:
            return float(value)
    return None


def _read_records(source: AnswerFile, _: str) -> Iterator[Row]:
    """Our own records. Of a run that was killed the last line may be torn: it is passed over."""
    for line, raw in _objects(source.path, may_be_torn=True):
        try:
            record = record_of(raw)
            scored = ScoredOutput.of(record, record.output or "")
        except (TypeError, ValueError) as error:
            raise _damaged(source, line, str(error)) from error
        length, depth = record.axes.get("length"), record.axes.get("depth")
        yield Row(
            scored,
            line,
            record.model,
            source.setting,
            length if isinstance(length, int) else None,
            depth if is_number(depth) else None,
            record.score,
            record.output is not None,
        )


READERS: dict[str, Callable[[AnswerFile, str], Iterator[Row]]] = {
    "babilong": _read_babilong,
    "infinitebench": _read_infinitebench,
    "lm_eval": _read_lm_eval,
    "needlehaystack": _read_needlehaystack,
    "records": _read_records,
    "ruler": _read_ruler,
}


def _objects(path: Path, may_be_torn: bool = False) -> Iterator[tuple[int, JsonObject]]:
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


def _row(source: AnswerFile, line: int, output: Json, targets: tuple[str, ...], task: str, question: str = "") -> Row:
    if output is not None and not isinstance(output, str):
        raise _damaged(source, line, f"its answer is no text but {type(output).__name__}")
    qa = _qa_of(task) if source.kind == "babilong" or "babilong" in task else None
    scored = ScoredOutput(output or "", targets, question, qa, task)
    return Row(scored, line, source.model, source.setting, source.length, answered=output is not None)


@lru_cache
def _qa_of(task: str) -> int | None:
    match = QA.search(task)
    return int(match[1]) if match else None


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _texts(value: Json) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _damaged(source: AnswerFile, line: int, reason: str) -> TextError:
    return TextError(f"{str(source.path)!r} line {line} is damaged: {reason}")

"""A source -> its rows, one after another: of CSV and JSONL no file is ever held whole.

Each reader raises TextError that names the file and the line (in a CSV the row, as its fields hold line ends).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from mta_eval.core import Json
from mta_eval.errors import TextError
from mta_eval.outside import LARGEST
from mta_eval.rescoring.nested import read_helmet, read_nolima
from mta_eval.rescoring.rows import JsonObject, Row, damaged, mapping_of, objects_in, qa_of, row_of, texts_of
from mta_eval.rescoring.sources import AnswerFile, length_in_name
from mta_eval.results import store
from mta_eval.results.draws import draw_of
from mta_eval.results.grid import is_number
from mta_eval.results.record_json import record_of
from mta_eval.scoring import ScoredOutput

CHUNK = 50_000  # rows of a CSV at a time


def read_answer_rows(source: AnswerFile, task: str = "") -> Iterator[Row]:
    """The rows of `source`; `task` names the task where the source does not. Raises TextError."""
    try:
        for row in READERS[source.kind](source, task):
            if row.length is not None and not 0 <= row.length <= LARGEST:
                raise damaged(source, row.line, f"its length, {row.length!s:.30}, is none that a table can hold")
            yield row
    except UnicodeDecodeError as error:
        raise TextError(f"{str(source.path)!r} is no UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise TextError(f"cannot read {str(source.path)!r}: {error.strerror}") from error


def _read_babilong(source: AnswerFile, task: str) -> Iterator[Row]:
    """The evaluation CSV of booydar/babilong. An empty output is an answer, and wrong: so they are published."""
    task = source.task or task
    qa = qa_of(task)
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
    for line, raw in objects_in(source.path):
        label = label or ("ground_truth" if "ground_truth" in raw else "label")
        target = raw.get(label)
        if isinstance(target, list):
            target = target[0] if target else None
        if target is None:
            raise damaged(source, line, f"it has no {label}")
        output = raw.get("prediction", raw.get("pred"))
        yield row_of(source, line, output, (str(target),), task)


def _read_ruler(source: AnswerFile, task: str) -> Iterator[Row]:
    for line, raw in objects_in(source.path):
        targets = texts_of(raw["outputs"]) if "outputs" in raw else ()
        if not targets:
            raise damaged(source, line, "it has no outputs")
        yield row_of(source, line, raw.get("pred"), targets, source.task or task)


def _read_longbench(source: AnswerFile, task: str) -> Iterator[Row]:
    for line, raw in objects_in(source.path):
        targets = texts_of(raw.get("answers"))
        if not targets:
            raise damaged(source, line, "it has no answers")
        row = row_of(source, line, raw.get("pred"), targets, source.task or task)
        yield _with_choices(row, raw.get("all_classes"))


def _read_longbench_v2(source: AnswerFile, task: str) -> Iterator[Row]:
    """The results of LongBench v2's pred.py. `length` is a class there: short, medium or long, its setting here."""
    for line, raw in objects_in(source.path):
        row = row_of(source, line, raw.get("response"), texts_of(raw.get("answer")), source.task or task)
        judged = raw.get("judge")
        yield row._replace(
            setting=str(raw.get("length") or ""), stored=float(judged) if isinstance(judged, bool) else None
        )


def _with_choices(row: Row, choices: Json) -> Row:
    return row._replace(scored=row.scored._replace(choices=texts_of(choices))) if choices else row


def _read_needlehaystack(source: AnswerFile, task: str) -> Iterator[Row]:
    """A cell of the needle test, or a grid of them. The score, 1 to 10, is a judge's. There is no target.

    Published grids hold the scores alone: no `model_response`.
    """
    for line, raw in objects_in(source.path):
        score, length, depth = raw.get("score"), raw.get("context_length"), raw.get("depth_percent")
        if not is_number(length) or not is_number(depth) or not (0 <= length <= LARGEST and 0 <= depth <= 100):
            raise damaged(source, line, "it needs context_length and depth_percent, from 0 to 100")
        if score is not None and not (is_number(score) and 0 <= score <= 10):
            raise damaged(source, line, f"its score {score!r} is not from 1 to 10")
        row = row_of(source, line, raw.get("model_response"), (), source.task or task)
        yield row._replace(
            model=str(raw.get("model") or source.model),
            length=int(length),
            depth=round(depth / 100, 6),
            stored=score,
            best=10,
        )


def _read_lm_eval(source: AnswerFile, task: str) -> Iterator[Row]:
    """lm-eval's samples_*.jsonl. Length and depth are the doc's where it has them, else the length is its run's."""
    for line, raw in objects_in(source.path):
        doc = mapping_of(raw.get("doc"))
        output = raw.get("filtered_resps", raw.get("resps"))
        while isinstance(output, list):
            output = output[0] if output else None
        given = doc.get("outputs") or doc.get("targets") or doc.get("answers")
        targets = texts_of(given or doc.get("target", raw.get("target")))
        length = length_in_name(str(doc.get("max_length", doc.get("length", ""))))
        depth = doc.get("depth")
        filter_name = [str(raw["filter"])] if raw.get("filter", "none") != "none" else []
        row = row_of(source, line, output, targets, source.task or task, str(doc.get("question", "")))
        row = _with_choices(row, doc.get("all_classes"))
        yield row._replace(
            setting=" ".join([source.setting, *filter_name]).strip(),
            length=source.length if length is None else length,
            depth=depth if is_number(depth) and 0 <= depth <= 1 else None,
            stored=None if output is None else _stored(raw, length),
            draw=f"{doc.get('seed')} {draw}" if isinstance(draw := doc.get("draw"), str) and draw else "",
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
    """Our own records. Of a run that was killed the last line may be torn: it is passed over.

    A run that grew to several seeds has records without the axis "seed": those of its first.
    """
    folder = source.path.parent
    seed = store.read_run(folder).sweep.seed if (folder / store.QUESTION).exists() else 0
    for line, raw in objects_in(source.path, may_be_torn=True):
        try:
            record = record_of(raw).with_seed(seed)
            scored = ScoredOutput.of(record, record.output or "")
        except (TypeError, ValueError) as error:
            raise damaged(source, line, str(error)) from error
        length, depth = record.axes.get("length"), record.axes.get("depth")
        yield Row(
            scored,
            line,
            record.model,
            source.setting,
            length if isinstance(length, int) else None,
            depth if is_number(depth) else None,
            None if record.output is None else record.score,
            answered=record.output is not None,
            draw=" ".join(map(str, draw)) if isinstance(draw := draw_of(record), tuple) else "",
        )


READERS: dict[str, Callable[[AnswerFile, str], Iterator[Row]]] = {
    "babilong": _read_babilong,
    "helmet": read_helmet,
    "infinitebench": _read_infinitebench,
    "lm_eval": _read_lm_eval,
    "longbench": _read_longbench,
    "longbench_v2": _read_longbench_v2,
    "needlehaystack": _read_needlehaystack,
    "nolima": read_nolima,
    "records": _read_records,
    "ruler": _read_ruler,
}

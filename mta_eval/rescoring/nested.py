"""Files of one run each, what was asked at the top and its answers in a list under it: NoLiMa's and HELMET's results.

Read from what their code writes: adobe-research/NoLiMa evaluation/async_evaluate.py, princeton-nlp/HELMET eval.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from mta_eval.core import Json
from mta_eval.errors import TextError
from mta_eval.rescoring.rows import JsonObject, Row, damaged, mapping_of, objects_in, row_of, texts_of
from mta_eval.rescoring.sources import AnswerFile
from mta_eval.results.grid import is_number
from mta_eval.scoring import NOLIMA_RULES, helmet_metric

THINKING = 32768  # tokens that HELMET adds to the length of a run with "thinking", after it has named the file
_LENGTHS = re.compile(r"_\d+shot|_\d{4,}$")  # in names of HELMET's data sets: the same set at another length


def read_nolima(source: AnswerFile, _: str) -> Iterator[Row]:
    """The results of one NoLiMa test: a needle and a question, asked at many depths of one text.

    The target is the character that a depth drew, if the needle names one, else the gold answers. Without answers to
    "direct" questions, which name the needle's own words, NoLiMa's published scores are means over all tests of a
    length: they are a task of their own. So is each metric but "contains", as it goes with prompts of its own.
    """
    for _line, test in objects_in(source.path):
        name, length = _text(source, test, "test_name"), _length(source, test.get("context_length"))
        metric = _text(source, test, "metric")
        if metric not in NOLIMA_RULES:
            raise _unfit(source, f"its metric {metric!r:.40} is none of {', '.join(NOLIMA_RULES)}")
        task = "nolima_direct" if "direct" in name else "nolima"
        task += "" if metric == "contains" else f":metric={metric}"
        text = PurePosixPath(str(test.get("haystack_path", "")).replace("\\", "/")).name
        for number, result in _rows(source, test, "results"):
            drawn = result.get("selected_character")
            targets = texts_of(test.get("gold_answers") or None) if drawn is None else texts_of(drawn)
            if not targets:
                raise damaged(source, number, "it has no selected_character, and its test no gold_answers")
            row = row_of(source, number, result.get("response"), targets, task, str(test.get("retrieval_question", "")))
            yield row._replace(
                model=_text(source, test, "model_name"),
                setting="distractor" if test.get("distractor") else "",
                length=length,
                depth=_depth(mapping_of(result.get("placement_metadata")).get("depth")),
                stored=_score(source, number, result.get("metric"), "metric"),
                draw=f"{name} {text}",  # a test's depths share its needle and its text
            )


def read_helmet(source: AnswerFile, _: str) -> Iterator[Row]:
    """The results of one HELMET data set at one length. Beside the answer stands the metric that HELMET reports of it.

    An answer begins with the words that the prompt put into the model's mouth, and is scored with them, as published.
    """
    for _line, run in objects_in(source.path):
        asked = mapping_of(run.get("args"))
        length = _length(source, asked.get("input_max_length")) - (THINKING if asked.get("thinking") else 0)
        task = "helmet_" + _LENGTHS.sub("", _text(source, asked, "datasets"))
        metric = helmet_metric(task)
        marks = {"chat": asked.get("use_chat_template"), "thinking": asked.get("thinking")}
        setting = " ".join([str(asked.get("tag") or ""), *(name for name, is_on in marks.items() if is_on)]).strip()
        rows = list(_rows(source, run, "data"))
        depths = [_depth(sample.get("depth")) for _, sample in rows]
        for (number, sample), depth in zip(rows, depths, strict=True):
            targets = _flat(sample.get("answer"))
            if not targets:
                raise damaged(source, number, "it has no answer")
            row = row_of(source, number, sample.get("output"), targets, task, str(sample.get("question", "")))
            # questions over passages are asked at several depths; all else is drawn anew for each sample
            draw = sample.get("id", sample.get("question")) if "ctxs" in sample else None
            yield row._replace(
                model=_text(source, asked, "model_name_or_path"),
                setting=setting,
                length=length,
                depth=None if None in depths else depth,
                stored=_score(source, number, sample.get(metric), metric),
                draw="" if draw is None else str(draw),
            )


def _rows(source: AnswerFile, run: JsonObject, name: str) -> Iterator[tuple[int, JsonObject]]:
    """(number from 1, object) of the list `name` of a run."""
    rows = run.get(name)
    if not isinstance(rows, list):
        raise _unfit(source, f"its {name} are no list")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise damaged(source, number, "it is no JSON object")
        yield number, row


def _text(source: AnswerFile, run: Mapping[str, Json], name: str) -> str:
    value = run.get(name)
    if not isinstance(value, str) or not value:
        raise _unfit(source, f"it has no {name}")
    return value


def _length(source: AnswerFile, value: Json) -> int:
    if not is_number(value) or value != value // 1:
        raise _unfit(source, f"its length {value!r:.40} is no number of tokens")
    return int(value)


def _depth(value: Json) -> float | None:
    return float(value) if is_number(value) and 0 <= value <= 1 else None


def _score(source: AnswerFile, number: int, value: Json, name: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        raise damaged(source, number, f"its {name} {value!r:.40} is not from 0 to 1")
    return float(value)


def _flat(value: Json) -> tuple[str, ...]:
    """The texts of an answer: one, a list, or a list of lists."""
    parts = value if isinstance(value, list) else [value]
    return tuple(text for part in parts for text in texts_of(part))


def _unfit(source: AnswerFile, reason: str) -> TextError:
    return TextError(f"{str(source.path)!r} is damaged: {reason}")

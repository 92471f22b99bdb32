"""What another pipeline answered to exported samples: a JSON line for each, under the names that pipelines use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from mta_eval.core import Finish, Json
from mta_eval.errors import StoreError
from mta_eval.outside import read_json, regular
from mta_eval.results.json_fields import as_count, as_mapping, as_seconds, as_string, wrong_value
from mta_eval.results.record_json import as_finish

T = TypeVar("T")
OUTPUT = ("output", "response", "answer", "text", "generated_text", "completion", "prediction")
THOUGHT = ("thought", "reasoning_content", "reasoning")
FINISH = ("finish", "finish_reason")
PROMPT_TOKENS, OUTPUT_TOKENS, SECONDS = ("prompt_tokens",), ("output_tokens", "completion_tokens"), ("seconds",)


class AnswerLine(NamedTuple):
    """One answer: to the sample `id`, on line `line`. What the pipeline did not say is None, or "" for `thought`."""

    id: str
    output: str
    line: int
    thought: str = ""
    finish: Finish | None = None
    seconds: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None


def read_answers(path: Path) -> dict[str, AnswerLine]:
    """The answers of a JSONL file by the ids of their samples.

    Raises StoreError, one line with file and line number, for what is no JSON object, has no id or output or several
    of one kind, holds a wrong type, or answers a sample for the second time.
    """
    answers: dict[str, AnswerLine] = {}
    for number, value in read_lines(path):
        try:
            answer = _answer(value, number)
            if answer.id in answers:
                raise ValueError(f"{answer.id} is answered twice, first on line {answers[answer.id].line}")
        except ValueError as error:
            raise line_error(path, number, error) from error
        answers[answer.id] = answer
    return answers


def read_lines(path: Path) -> Iterator[tuple[int, Json]]:
    """(line number, parsed line) of a JSONL file without its empty lines. Raises StoreError as `read_answers` does."""
    number = 0
    try:
        with regular(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, read_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except OSError as error:
        hint = "; for a checkpoint see mta-eval import-checkpoint" if path.is_dir() else ""
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}{hint}") from error
    except UnicodeDecodeError as error:
        raise line_error(path, number, f"it is no UTF-8 text ({error.reason})") from error
    except ValueError as error:
        raise line_error(path, number, f"it is no JSON: {error}") from error


def line_error(path: Path, number: int, why: object) -> StoreError:
    """The error for a line."""
    return StoreError(f"{str(path)!r} line {number}: {why}")


def _answer(value: Json, line: int) -> AnswerLine:
    fields = as_mapping(value, "the line")
    output = _one_of(fields, OUTPUT, _output)
    if output is None:
        raise ValueError(f"it has no output; name it {OUTPUT[0]!r} (or {', '.join(OUTPUT[1:])})")
    if "id" not in fields:
        raise ValueError("id is missing: the id of the exported sample")
    return AnswerLine(
        as_string(fields["id"], "id"),
        output,
        line,
        thought=_one_of(fields, THOUGHT, as_string) or "",
        finish=_one_of(fields, FINISH, as_finish),
        seconds=_one_of(fields, SECONDS, as_seconds),
        prompt_tokens=_one_of(fields, PROMPT_TOKENS, as_count),
        output_tokens=_one_of(fields, OUTPUT_TOKENS, as_count),
    )


def _one_of(fields: Mapping[str, Json], names: tuple[str, ...], read: Callable[[Json, str], T]) -> T | None:
    """The value that stands under one of the names; None if there is none, or it is null. Raises ValueError for two."""
    found = [name for name in names if name in fields]
    if len(found) > 1:
        raise ValueError(f"it has both {found[0]!r} and {found[1]!r}; leave one of them")
    if not found or (fields[found[0]] is None and names is not OUTPUT):
        return None
    return read(fields[found[0]], found[0])


def _output(value: Json, name: str) -> str:
    """A text, or a list of one text."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        raise wrong_value(value, name, "a text or a list of one text")
    return value

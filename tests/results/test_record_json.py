"""What is wrong in a run folder is one line with file, line and field; what version 0.1 wrote is read as it was."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import ModelIdentity, PromptSettings, QuotedNeedle, RunPart, Sweep
from mta_eval.errors import StoreError
from mta_eval.results.record_json import NEEDED, RECORD, read_record, record_line
from mta_eval.results.run_json import read_run_text, run_text
from mta_eval.results.store import RunFolder, read

GOLDEN = Path(__file__).parent.parent / "golden" / "run_0_1"
LINES = (GOLDEN / "records.jsonl").read_text().splitlines()
RECORD_OBJECT: dict[str, Any] = json.loads(LINES[0])
RUN_OBJECT: dict[str, Any] = json.loads((GOLDEN / "run.json").read_text())
PART = {"tasks": ["a"], "models": ["m"], "sweep": RUN_OBJECT["sweep"]}
NEEDLE = RECORD_OBJECT["needles"][0]
NAN, INFINITE, HUGE = math.nan, math.inf, 10**400
NO_TEXT, NO_LIST = (7, True, [], {}, NAN), ("x", 7, {}, True)
NO_COUNT = ("7", 0.5, -1, True, [], NAN)
WRONG: dict[str, tuple[object, ...]] = {
    "schema": (None, "2", 0, -1, 1.5, True),
    "sample_id": (None, *NO_TEXT),
    "task": (None, *NO_TEXT),
    "model": (None, *NO_TEXT),
    "axes": (None, [], "x", 7, {"length": [1]}, {"depth": {}}, {"length": NAN}, {"length": INFINITE}, {"length": HUGE}),
    "targets": (None, *NO_LIST, [7], [None]),
    "output": NO_TEXT,
    "score": ("high", 7.0, -0.1, 1.0000001, NAN, INFINITE, HUGE, True, []),
    "prompt_tokens": (None, *NO_COUNT),
    "max_new_tokens": (None, *NO_COUNT),
    "seconds": (None, "x", -0.1, INFINITE, HUGE, True),
    "truncated": (None, 0, "true"),
    "error": NO_TEXT,
    "choices": (None, *NO_LIST, [7]),
    "needles": (None, *NO_LIST, [7], [{}], [NEEDLE | {"depth": 2}], [NEEDLE | {"token_end": -5}], [NEEDLE | {"x": 1}]),
    "prompt_sha256": (None, *NO_TEXT),
    "peak_memory": NO_COUNT,
    "positions": (None, *NO_LIST, [1], [[1, 2]], [[1, 2, "3"]], [[1, NAN, 3]], [[1, HUGE, 3]]),
    "finish": ("stopped", 7, []),
    "thought": (None, *NO_TEXT),
    "output_tokens": NO_COUNT,
    "unverified": (None, 0, "true"),
    "fingerprint": (None, *NO_TEXT),
    "draw": (None, *NO_TEXT),
    "question": (None, *NO_TEXT),
}


NEWER = {
    **{"finish": None, "thought": "", "output_tokens": None, "unverified": False, "fingerprint": ""},
    **{"draw": "", "question": "", "unknown": {}},
}


def folder_of(path: Path, line: str | None = None, run: object = RUN_OBJECT) -> Path:
    (path / "run.json").write_text(json.dumps(run))
    lines = LINES[:2] if line is None else [LINES[1], line]
    (path / "records.jsonl").write_text("".join(f"{one}\n" for one in lines))
    return path


def test_every_field_of_a_record_has_wrong_values_below() -> None:
    assert set(WRONG) == {"schema", *RECORD}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_wrong_value_is_one_line_with_file_line_and_field(tmp_path: Path, field: str, value: object) -> None:
    folder = folder_of(tmp_path, json.dumps(RECORD_OBJECT | {field: value}))
    with pytest.raises(StoreError) as caught:
        read(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{str(folder / 'records.jsonl')!r} line 2 is damaged: ")
    assert field in text.partition("damaged: ")[2]


@pytest.mark.parametrize("field", sorted(NEEDED))
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    rest = {name: value for name, value in RECORD_OBJECT.items() if name != field}
    with pytest.raises(StoreError, match=rf"line 2 is damaged: {field} is missing"):
        read(folder_of(tmp_path, json.dumps(rest)))


def test_what_a_newer_version_wrote_beside_our_fields_is_kept_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = {"confidence": [0.5, None], "judge": {"by": "x"}}
    folder = folder_of(tmp_path, json.dumps(RECORD_OBJECT | newer))
    records = read(folder)[1]
    assert [dict(record.unknown) for record in records] == [newer, {}]  # in the question's order
    assert read(folder)[1] == records
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{str(folder / 'records.jsonl')!r} has fields that mta-eval" in said
    assert said.rstrip().endswith("does not know, and keeps: confidence, judge")
    assert [json.loads(record_line(record)) | newer for record in records[:1]] == [json.loads(record_line(records[0]))]


def test_a_record_stands_under_the_task_that_its_id_names(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"line 2 is damaged: sample_id is 'qa/512/1.00/0', not of the task 'niah'"):
        read(folder_of(tmp_path, json.dumps(RECORD_OBJECT | {"sample_id": "qa/512/1.00/0"})))
    with pytest.raises(StoreError, match=r"line 2 is damaged: sample_id is 'niah2/512/1.00/0', not of"):
        read(folder_of(tmp_path, json.dumps(RECORD_OBJECT | {"sample_id": "niah2/512/1.00/0"})))


@pytest.mark.parametrize(("field", "value"), [("task", "niah:needles=2"), ("model", "window:9")])
def test_a_record_of_what_the_run_was_not_asked_is_damaged(tmp_path: Path, field: str, value: str) -> None:
    other = RECORD_OBJECT | {field: value}
    other["sample_id"] = other["sample_id"].replace("niah/", f"{other['task']}/")
    with pytest.raises(StoreError, match=f"line 2 is damaged: {field} is '{value}', which is none of the {field}s in"):
        read(folder_of(tmp_path, json.dumps(other)))


@pytest.mark.parametrize("line", ["", "null", "[]", '"x"', "NaN", '{"a"', "[" * 100_000])
def test_a_line_that_is_no_object_is_damaged(tmp_path: Path, line: str) -> None:
    with pytest.raises(StoreError, match="line 2 is damaged: "):
        read(folder_of(tmp_path, line))


def test_a_newer_schema_asks_for_an_update_and_to_remove_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"line 2 was written by a newer mta-eval .*; update this one$"):
        read(folder_of(tmp_path, json.dumps(RECORD_OBJECT | {"schema": 99, "colour": 1})))
    with pytest.raises(StoreError, match=r"run\.json' was written by a newer mta-eval .*; update this one$"):
        read(folder_of(tmp_path, run=RUN_OBJECT | {"schema": 99}))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": 0}, "schema"),
        ({"tasks": None}, "tasks"),
        ({"models": [7]}, "models"),
        ({"sweep": None}, "sweep"),
        ({"sweep": {"lengths": []}}, "sweep.depths is missing"),
        ({"sweep": RUN_OBJECT["sweep"] | {"lengths": [-1]}}, "sweep.lengths"),
        ({"sweep": RUN_OBJECT["sweep"] | {"depths": [7]}}, "sweep.depths"),
        ({"sweep": RUN_OBJECT["sweep"] | {"depths": [NAN]}}, "sweep.depths"),
        ({"sweep": RUN_OBJECT["sweep"] | {"repeats": "1"}}, "sweep.repeats"),
        ({"sweep": RUN_OBJECT["sweep"] | {"seed": 0.5}}, "sweep.seed"),
        ({"sweep": RUN_OBJECT["sweep"] | {"colour": 1}}, "'colour' is no field of sweep"),
        ({"answer": "sing"}, "answer"),
        ({"over_length": None}, "over_length"),
        ({"version": 1}, "version"),
        ({"tokenizers": []}, "tokenizers"),
        ({"environment": None}, "environment"),
        ({"colour": 1}, "'colour' is no field of a run"),
        ({"parts": {}}, "parts is {}, not a list"),
        ({"parts": [{"tasks": ["a"], "models": [1]}]}, "parts.models is 1"),
        ({"parts": [{"tasks": ["a"], "models": [], "sweep": {}}]}, "parts.sweep.lengths is missing"),
        ({"parts": [PART | {"colour": 1}]}, "'colour' is no field of a part"),
        ({"parts": [PART | {"sweep": RUN_OBJECT["sweep"] | {"repeats": -1}}]}, "parts.sweep.repeats is -1"),
    ],
)
def test_a_wrong_question_is_one_line_with_file_and_field(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(StoreError) as caught:
        read(folder_of(tmp_path, run=RUN_OBJECT | changes))
    assert str(caught.value).startswith(f"{str(tmp_path / 'run.json')!r} is damaged: {field}")
    assert "\n" not in str(caught.value)


def test_a_question_nested_too_deep_is_one_line(tmp_path: Path) -> None:
    (folder_of(tmp_path) / "run.json").write_text("[" * 100_000)
    with pytest.raises(StoreError, match="is damaged"):
        read(tmp_path)


def test_the_records_of_version_0_1_are_what_they_were() -> None:
    run, records = read(GOLDEN)
    assert (run.version, run.samples, len(records)) == ("0.1.0", 48, 48)
    for record, line in zip(records, LINES, strict=True):
        fields = vars(record) | {"needles": [vars(needle) for needle in record.needles]}
        newer = {name: fields.pop(name) for name in NEWER}
        assert fields == json.loads(line)
        assert newer == NEWER
        assert all(isinstance(needle, QuotedNeedle) for needle in record.needles)


def test_a_record_is_read_back_as_it_was_written() -> None:
    for record in read(GOLDEN)[1]:
        assert read_record(record_line(record)) == record


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["report", "RUN", "--out", "out"], "report.html"),
        (["table", "RUN"], "## niah"),
        (["watch", "RUN", "--every", "0.1"], "48 answers"),
        (["rescore", "RUN", "--out", "out"], "rescore.md"),
    ],
)
def test_commands_read_a_run_of_version_0_1(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path, arguments: list[str], printed: str
) -> None:
    run = shutil.copytree(GOLDEN, tmp_path / "run")
    code, out, err = call(*(str(run) if one == "RUN" else one for one in arguments))
    assert (code, err) == (0, "")
    assert printed in out


def test_a_run_of_version_0_1_goes_on_without_a_question_asked_twice(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """The part of the run that needs no weights, all but one of its answers there."""
    tasks, model = ["niah", "passkey"], "window:300"
    lines = [line for line in LINES if json.loads(line)["model"] == model and json.loads(line)["task"] in tasks]
    run = RUN_OBJECT | {"tasks": tasks, "models": [model], "tokenizers": {model: RUN_OBJECT["tokenizers"][model]}}
    folder_of(tmp_path, run=run)
    old = "".join(f"{line}\n" for line in lines[:-1])
    (tmp_path / "records.jsonl").write_text(old)
    again = ["--lengths", "512,1024", "--depths", "0,1", "--repeats", "1", "--out", str(tmp_path)]
    for _ in range(2):  # the second time nothing is left to ask
        code, _, err = call("run", *tasks, "--model", model, *again)
        assert code == 0, err
        text = (tmp_path / "records.jsonl").read_text()
        assert text.startswith(old)
        (new,) = text[len(old) :].splitlines()
        assert json.loads(new)["sample_id"] == json.loads(lines[-1])["sample_id"]
        assert json.loads(new)["prompt_sha256"] == json.loads(lines[-1])["prompt_sha256"]


def test_opening_a_whole_run_of_version_0_1_changes_no_line(tmp_path: Path) -> None:
    folder = shutil.copytree(GOLDEN, tmp_path / "run")
    with RunFolder(folder, read(folder)[0]) as opened:
        assert len(opened.done) == 48
    assert (folder / "records.jsonl").read_bytes() == (GOLDEN / "records.jsonl").read_bytes()


def test_the_settings_and_identities_of_a_run_are_read_back_as_they_were_written() -> None:
    settings = PromptSettings("Be brief.", "The", (("thinking", False), ("effort", "low")), "off", 64, 9, "2024-02-29")
    identity = ModelIdentity(weights="a", adapter="b", template="c")
    parts = (RunPart(("a",), ("m", "n"), Sweep((512,), (None, 0.5), 2, -3)), RunPart(("b",), ("m",), Sweep((), (), 0)))
    run = dataclasses.replace(read(GOLDEN)[0], prompt=settings, identities={"hf:x": identity}, parts=parts)
    assert read_run_text(run_text(run)) == run


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ({"thinking": "no"}, "thinking"),
        ({"answer_tokens": -1}, "answer_tokens"),
        ({"template_options": [["a"]]}, "template_options"),
        ({"template_options": [["a", []]]}, "template_options"),
        ({"date": "today"}, "today"),
        ({"colour": 1}, "colour"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_name(
    prompt: dict[str, object], named: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=named):
        read(folder_of(tmp_path, run=RUN_OBJECT | {"prompt": prompt}))


def test_a_records_finish_is_read_as_it_was_written() -> None:
    for finish in ("stop", "length", "refused", None):
        record = dataclasses.replace(read_record(LINES[0]), finish=finish)  # type: ignore[arg-type]
        assert read_record(record_line(record)).finish == finish

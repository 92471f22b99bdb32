"""Slow fuzzers over the readers of what comes from outside."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from bad_input import DIGITS, HUGE, LONG, WINDOW, Call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mta_eval.errors import MtaEvalError
from mta_eval.models import http_bodies, server_replies
from mta_eval.models.checkpoint_files import OBJECTS
from mta_eval.models.http_failures import ServerError
from mta_eval.results.record_json import read_record
from mta_eval.results.run_json import read_run_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([2**63, -1, 1e308, "NaN"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
SLOWLY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def changed(draw: st.DrawFn, whole: object) -> object:
    """`whole` with one value of it, at any depth, another."""
    if isinstance(whole, dict) and whole and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(whole)))
        return {**whole, key: draw(changed(whole[key]))}
    if isinstance(whole, list) and whole and draw(st.integers(0, 5)):
        return [draw(changed(whole[0])), *whole[1:]]
    return draw(JSON)


@pytest.mark.slow
@SLOWLY
@given(data=st.data())
def test_fuzzed_records_and_questions(
    data: st.DataObject, run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {name: (run_folder / name).read_text() for name in ("run.json", "records.jsonl")}
    name = data.draw(st.sampled_from(sorted(whole)))
    text = json.dumps(data.draw(changed(json.loads(whole[name]))))
    with contextlib.suppress(ValueError):
        (read_run_text if name == "run.json" else read_record)(text)
    (run_folder / name).write_text(text + "\n")
    try:
        for command in (("table", "r"), ("report", "r", "--out", "page"), ("rescore", "r", "--out", "again")):
            _holds(command, capsys, monkeypatch)
    finally:
        (run_folder / name).write_text(whole[name])


ARGUMENT = st.one_of(
    st.sampled_from(["-1", "0", HUGE, DIGITS, "nan", "inf", "1e999", "", "r", ".", "/dev/null", LONG, "niah", "x=y"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=12),
)
TUNNEL = ("--tasks", "copy:length=2", "--against", "transformer")
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "run": (("niah", *WINDOW, "--dry-run"), ("lengths", "depths", "repeats", "seed", "seeds", "date", "label")),
    "show": (("niah", *WINDOW), ("length", "depth", "repeat", "seed", "date", "system", "answer-tokens")),
    "export": (("niah", *WINDOW, "--out", "e.jsonl", "--lengths", "256"), ("depths", "seed", "date")),
    "table": (("r",), ("x", "y", "form")),
    "compare": (("r", "r"), ("x", "y", "first", "second")),
    "watch": (("r",), ("x", "y", "every")),
    "rescore": (("r", "--out", "again"), ("rule", "task")),
    "retrofit": (("r", "--out", "new"), ("attention", "set")),
    "kernels": (("r",), ("out",)),
    "attention": (("r", "--task", "niah", "--out", "a.png"), ("length", "depth", "repeat", "rows", "heads")),
    "suite": (("mta-paper", *WINDOW), ("repeats", "seed", "without", "limit")),
    "tunnel": (("mta", "--dry-run", *TUNNEL, "--out", "t"), ("seeds", "steps", "jobs", "learning-rates", "device")),
    "list": ((), ()),
}


@pytest.mark.slow
@SLOWLY
@pytest.mark.usefixtures("run_folder")
@given(command=st.sampled_from(sorted(COMMANDS)), data=st.data())
def test_fuzzed_arguments(
    command: str,
    data: st.DataObject,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_always, options = COMMANDS[command]
    chosen = [f"--{data.draw(st.sampled_from(options))}"] if options else []
    chosen.append(data.draw(ARGUMENT))
    _holds((command, *given_always, *chosen), capsys, monkeypatch)


@pytest.mark.slow
@SLOWLY
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_fuzzed_server_bodies(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        http_bodies.parsed(body)


@pytest.mark.slow
@SLOWLY
@given(data=st.data())
def test_fuzzed_configs(data: st.DataObject, llama_folder: Path, tmp_path: Path) -> None:
    from mta_eval.models.checkpoint_config import read_config

    config = json.loads((llama_folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(data.draw(changed(config))))
    with contextlib.suppress(MtaEvalError):
        read_config("x", {"pretrained_model_name_or_path": str(tmp_path)})


ANSWERS: dict[str, dict[str, object]] = {
    "a.jsonl": {"doc": {"target": "x", "depth": 0.5, "length": 5}, "resps": [["x"]], "filter": "none"},
    "b.jsonl": {"outputs": ["x"], "pred": "x"},
    "c.jsonl": {"ground_truth": ["x"], "prediction": "x"},
    "d.json": {"model_response": "x", "context_length": 5, "depth_percent": 5, "score": 5},
}


@pytest.mark.slow
@SLOWLY
@given(name=st.sampled_from(sorted(ANSWERS)), data=st.data())
def test_fuzzed_answers_to_rescore(
    name: str,
    data: st.DataObject,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(json.dumps(data.draw(changed(ANSWERS[name]))))
    _holds(("rescore", name, "--out", "again"), capsys, monkeypatch)


STUDY = {
    **{"tasks": [{"name": "niah", "needles": [1, 2]}], "models": [{"spec": "window:300", "label": "a"}]},
    **{"lengths": [256], "depths": "0,1", "repeats": 1, "seeds": [0, 1], "dry-run": True},
    **{"template-option": {"a": 1}, "figure": {"x": "depth"}},
}


@pytest.mark.slow
@SLOWLY
@given(data=st.data())
def test_fuzzed_studies(
    data: st.DataObject, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tomli_w

    monkeypatch.chdir(tmp_path)
    fields = data.draw(changed(STUDY))
    with contextlib.suppress(AttributeError, TypeError, ValueError):  # what TOML cannot say
        (tmp_path / "study.toml").write_text(tomli_w.dumps(fields))  # type: ignore[arg-type]
    if (tmp_path / "study.toml").exists():
        _holds(("run", "study.toml", "--dry-run"), capsys, monkeypatch)


@pytest.mark.slow
@SLOWLY
@given(name=st.sampled_from(["samples.jsonl", "answers.jsonl"]), data=st.data())
def test_fuzzed_samples_and_answers(
    name: str,
    data: st.DataObject,
    exported: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(exported)
    whole = (exported / name).read_text()
    (exported / name).write_text(json.dumps(data.draw(changed(json.loads(whole)))) + "\n")
    try:
        _holds(("import", "samples.jsonl", "answers.jsonl", "--name", "x", "--out", "imported"), capsys, monkeypatch)
    finally:
        (exported / name).write_text(whole)
        shutil.rmtree(exported / "imported", ignore_errors=True)


@pytest.fixture
def exported(call: Call, tmp_path: Path) -> Path:
    """One exported sample, and its answer."""
    run = ("export", "niah", *WINDOW, "--lengths", "256", "--depths", "0", "--out", "samples.jsonl")
    assert call(*run)[0] == 0
    sample = json.loads((tmp_path / "samples.jsonl").read_text())
    answer = {"id": sample["id"], "output": "x", "prompt_tokens": sample["prompt_tokens"], "finish": "stop"}
    (tmp_path / "answers.jsonl").write_text(json.dumps(answer | {"output_tokens": 1, "seconds": 0.5, "thought": ""}))
    return tmp_path


@pytest.mark.slow
@SLOWLY
@given(name=st.sampled_from(sorted(OBJECTS)), data=st.data())
def test_fuzzed_json_of_a_checkpoint(name: str, data: st.DataObject, llama_folder: Path, tmp_path: Path) -> None:
    from mta_eval.models.hf import HuggingFace

    folder = tmp_path / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(llama_folder, folder)
    whole = json.loads((folder / name).read_text()) if (folder / name).exists() else {"a": {"b": 1}}
    (folder / name).write_text(json.dumps(data.draw(changed(whole))))
    model = HuggingFace(str(folder), "float32", "cpu")
    with contextlib.suppress(MtaEvalError):
        assert model.max_length > 0
        model.describe()
        model.identity()


REPLY = {
    "choices": [
        {
            **{"text": "x", "finish_reason": "stop", "message": {"content": "x", "refusal": None, "reasoning": ""}},
            "logprobs": {"token_logprobs": [None, -0.5]},
        }
    ],
    "usage": {"prompt_tokens": 2, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 0}},
}


@pytest.mark.slow
@SLOWLY
@given(data=st.data())
def test_fuzzed_server_replies(data: st.DataObject) -> None:
    reply = http_bodies.parsed(json.dumps(data.draw(changed(REPLY))).encode())
    for read in (
        lambda it: server_replies.prompt_checked(it, 2),
        lambda it: server_replies.refusal(it),
        lambda it: server_replies.given_text(it, 4).text.encode(errors="replace"),
        lambda it: sum(server_replies.prompt_logprobs(it, 2) or ()),
    ):
        with contextlib.suppress(ServerError):
            read(server_replies.as_object(reply))


@pytest.mark.slow
@SLOWLY
@given(text=st.text() | st.lists(st.text(max_size=6), min_size=3, max_size=9).map(",".join))
def test_fuzzed_tables_to_rescore(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for head in ("", "target,output,question\n"):
        (tmp_path / "qa1_4k.csv").write_bytes((head + text).encode(errors="replace"))
        _holds(("rescore", "qa1_4k.csv", "--out", "again"), capsys, monkeypatch)


def _holds(command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends well, or is refused in one line."""
    from mta_eval.cli import main

    monkeypatch.setattr(sys, "argv", ["mta-eval", *command])
    with pytest.raises(SystemExit) as end:
        main()
    code, err = int(end.value.code or 0), capsys.readouterr().err
    assert code in (0, 2), (command, code, err)
    if code == 2:
        assert len(err.strip().splitlines()) == 1, (command, err)
        assert err.startswith("mta-eval")

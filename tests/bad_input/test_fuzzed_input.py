"""Slow fuzzers over the readers of what comes from outside."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest
from bad_input import DIGITS, HUGE, LONG, WINDOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mta_eval.errors import MtaEvalError
from mta_eval.models import http_bodies
from mta_eval.results.record_json import read_record, read_run_text

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

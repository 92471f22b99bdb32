"""Whatever comes in from outside: exit code 0 or 2, one line on stderr, no traceback, nothing half written.

The cases beside those of test_cli.py; the fuzzers over all readers are slow.
"""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mta_eval.errors import MtaEvalError
from mta_eval.models import http_bodies
from mta_eval.outside import DEEPEST, read_json
from mta_eval.results.record_json import read_record, read_run_text

Call = Callable[..., tuple[int, str, str]]
WINDOW = ("--model", "window:300")
RUN = ("run", "niah", *WINDOW, "--lengths", "256", "--dry-run")
SHOW = ("show", "niah", *WINDOW, "--length", "256")
TRAIN = ("train", "letter_blocks", "--out", "t")
HUGE, DIGITS, LONG = "9" * 20, "9" * 5000, "n" * 300
DEEP = "[" * 200_000
FILES = sorted((Path(__file__).parent.parent / "mta_eval").rglob("*.py"))


@pytest.fixture
def refused(call: Call, tmp_path: Path) -> Callable[..., str]:
    """The one line with which a command is refused; nothing was written."""

    def run(*arguments: str) -> str:
        before = set(tmp_path.rglob("*"))
        code, out, err = call(*arguments)
        assert code == 2, (arguments, out, err)
        assert len(err.strip().splitlines()) == 1
        assert err.startswith("mta-eval")
        assert len(err) < 1000
        assert "Traceback" not in out + err
        assert set(tmp_path.rglob("*")) == before
        return err

    return run


@pytest.fixture
def run_folder(call: Call, tmp_path: Path) -> Path:
    """A run of one sample."""
    assert call(*RUN[:-1], "--repeats", "1", "--depths", "0", "--out", "r")[0] == 0
    return tmp_path / "r"


SIZES: dict[str, tuple[tuple[str, ...], str]] = {
    "repeats": ((*RUN, "--repeats", HUGE), "10000"),
    "a sweep of too many": ((*RUN, "--repeats", "10000", "--depths", "0:1:0.001,0.0005"), "10,000,000"),
    "length of 5,000 digits": ((*RUN[:4], "--lengths", DIGITS, "--dry-run"), "beyond the 16m"),
    "seeds": ((*RUN, "--seeds", DIGITS), "is no seed"),
    "seed": ((*RUN, "--seed", HUGE), "--seed"),
    "answer tokens": ((*RUN, "--answer-tokens", HUGE), "--answer-tokens"),
    "thinking tokens": ((*RUN, "--thinking-tokens", HUGE), "--thinking-tokens"),
    "GPUs": ((*RUN, "--executor", "ray", "--gpus-per-replica", "inf"), "--gpus-per-replica"),
    "no number of GPUs": ((*RUN, "--executor", "ray", "--gpus-per-replica", "nan"), "--gpus-per-replica"),
    "repeat": ((*SHOW, "--repeat", HUGE), "--repeat"),
    "blocks": (("show", f"letter_blocks:blocks={HUGE}", *WINDOW, "--length", "0"), "18 digits"),
    "characters": (("show", f"letter_blocks:characters={HUGE[:8]}", *WINDOW, "--length", "0"), "4000000"),
    "seconds of watch": (("watch", "x", "--every", "inf"), "--every"),
    "seconds of report": (("report", "x", "--watch", "--every", "inf"), "--every"),
    "samples of paper": (("paper", "mta", "--out", "p", "--samples", HUGE), "--samples"),
    "rows to write": ((*TRAIN, "--write-rows", HUGE), "--write-rows"),
    "steps": ((*TRAIN, "--steps", HUGE), "--steps"),
    "steps between evaluations": ((*TRAIN, "--every", HUGE), "--every"),
    "seed of a training": ((*TRAIN, "--seed", HUGE), "--seed"),
    "rows of attention": (("attention", "x", "--task", "niah", "--out", "a.png", "--rows", "99999"), "--rows"),
    "heads of attention": (("attention", "x", "--task", "niah", "--out", "a.png", "--heads", HUGE), "--heads"),
    "a suite without a name": (("suite",), "mta-paper"),
    "an unknown suite": (("suite", "mta", *WINDOW, "--out", "s"), "mta-paper"),
}


@pytest.mark.parametrize("case", SIZES)
def test_numbers_out_of_range(case: str, refused: Callable[..., str]) -> None:
    arguments, named = SIZES[case]
    assert named in refused(*arguments)


@pytest.mark.usefixtures("run_folder")
def test_what_a_run_does_not_hold(refused: Callable[..., str]) -> None:
    assert "has no sample 'nonsense'" in refused("show", "r", "nonsense")
    assert "nonsense" in refused("table", "r", "--x", "nonsense")
    assert "nonsense" in refused("report", "r", "--y", "nonsense", "--out", "new")


NAMED: dict[str, tuple[str, ...]] = {
    "run": ("run", "{}.toml", "--out", "x"),
    "a haystack": ("run", "niah:haystack=file:{}", *WINDOW, "--lengths", "256", "--dry-run"),
    "stories": ("run", "babilong:source=file:{}", *WINDOW, "--lengths", "256", "--dry-run"),
    "texts": ("run", "perplexity:text={}", *WINDOW, "--lengths", "256", "--dry-run"),
    "export": ("export", "niah", *WINDOW, "--lengths", "256", "--out", "{}"),
    "report": ("report", "{}"),
    "table": ("table", "{}"),
    "compare": ("compare", "{}", "{}"),
    "rescore": ("rescore", "{}", "--out", "x"),
    "merge": ("merge", "{}", "{}", "--out", "x"),
    "import": ("import", "{}", "{}", "--name", "x", "--out", "x"),
    "paper": ("paper", "mta", "--runs", "{}", "--out", "x"),
    "a model": ("show", "niah", "--model", "hf:{}"),
    "no model": ("show", "niah", "--model", "{}"),
    "import-checkpoint": ("import-checkpoint", "{}", "--out", "x"),
    "rows": ("train", "letter_blocks", "--write-rows", "1", "--out", "{}/x"),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_longer_than_the_file_system_takes(case: str, refused: Callable[..., str]) -> None:
    refused(*(argument.format(LONG) for argument in NAMED[case]))


def test_a_name_with_a_nul_character(refused: Callable[..., str]) -> None:
    assert "NUL" in refused("run", "a\0b.toml", "--out", "x")
    refused("import", "a\0b", "a\0b", "--name", "x", "--out", "x")


@pytest.mark.parametrize("name", ["run.json", "records.jsonl"])
def test_pipes_devices_and_folders_in_the_place_of_a_file(
    name: str, run_folder: Path, refused: Callable[..., str]
) -> None:
    file = run_folder / name
    file.unlink()
    makers: dict[str, Callable[[], object]] = {
        "device or a pipe": lambda: os.mkfifo(file),
        "device": lambda: file.symlink_to("/dev/zero"),
        "directory": file.mkdir,
    }
    for named, make in makers.items():
        make()
        for command in (("table", "r"), ("show", "r", "x"), ("rescore", "r", "--out", "new")):
            if command[0] != "rescore" or name == "records.jsonl":
                assert named in refused(*command)
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink()


def test_answers_from_a_pipe_or_a_device(refused: Callable[..., str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/zero"):
        assert "a device or a pipe" in refused("import", name, name, "--name", "x", "--out", "x")
        assert "a device or a pipe" in refused("rescore", name, "--out", "x")
        refused("table", name)


def test_json_nested_deep_is_refused_everywhere(run_folder: Path, refused: Callable[..., str], tmp_path: Path) -> None:
    for depth in (DEEPEST + 1, 200_000):
        text = '{"a":' * depth + "1" + "}" * depth
        (tmp_path / "deep.jsonl").write_text(text + "\n")
        (tmp_path / "samples_x.jsonl").write_text(text + "\n")
        (tmp_path / "deep.json").write_text(text)
        assert "nested" in refused("import", "deep.jsonl", "deep.jsonl", "--name", "x", "--out", "x")
        assert "nested" in refused("rescore", "deep.jsonl", "--out", "x")
        refused("rescore", "deep.json", "--out", "x")
        refused("table", "samples_x.jsonl")
        refused("run", "perplexity:text=deep.jsonl", *WINDOW, "--lengths", "256", "--dry-run")
        refused("run", "niah:values=deep.jsonl", *WINDOW, "--lengths", "256", "--dry-run")
        with pytest.raises(ValueError, match="nested"):
            http_bodies.parsed(text.encode())
    (tmp_path / "study.toml").write_text("x = " + DEEP)
    assert "nested" in refused("run", "study.toml", "--out", "x")
    for name in ("records.jsonl", "run.json"):
        kept = (run_folder / name).read_bytes()
        (run_folder / name).write_text(DEEP + "\n")
        assert "nested" in refused("table", "r")
        (run_folder / name).write_bytes(kept)


def test_json_is_read_to_its_depth() -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    read_json(text)
    with pytest.raises(ValueError, match="100 deep"):
        read_json(f"[{text}]")


def test_numbers_of_a_run_are_those_of_64_bits(run_folder: Path, refused: Callable[..., str]) -> None:
    records = run_folder / "records.jsonl"
    record = json.loads(records.read_text())
    for changed in ({"prompt_tokens": 2**63}, {"axes": {**record["axes"], "length": 2**63}}):
        records.write_text(json.dumps(record | changed) + "\n")
        assert "damaged" in refused("table", "r")
    question = json.loads((run_folder / "run.json").read_text())
    (run_folder / "run.json").write_text(json.dumps(question | {"sweep": question["sweep"] | {"repeats": 10**9}}))
    assert "10,000,000 samples" in refused("report", "r", "--out", "new")


def test_every_reader_of_json_is_the_one_at_the_door() -> None:
    readers = {file.name for file in FILES if "json.loads(" in file.read_text()}
    assert readers == {"outside.py", "recipes.py"}  # recipes.py reads what it has just written


CONFIGS: dict[str, object] = {
    "hidden_size": -1,
    "num_hidden_layers": 0,
    "num_attention_heads": "x",
    "vocab_size": 10**7,
    "intermediate_size": 10**30,
    "max_position_embeddings": [],
}


@pytest.mark.parametrize("field", CONFIGS)
def test_sizes_of_a_config(field: str, llama_folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    shutil.copytree(llama_folder, tmp_path / "bad")
    config = json.loads((llama_folder / "config.json").read_text())
    (tmp_path / "bad" / "config.json").write_text(json.dumps(config | {field: CONFIGS[field]}))
    for command in (
        ("retrofit", "bad", "--out", "x"),
        ("kernels", "bad", "--out", "x"),
        ("attention", "bad", "--task", "niah", "--length", "256", "--out", "x.png"),
        ("run", "niah", "--model", "hf:bad", "--lengths", "256", "--out", "x"),
    ):
        refused(*command)


def test_weights_that_are_cut_or_nonsense(llama_folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    shutil.copytree(llama_folder, tmp_path / "bad")
    weights = tmp_path / "bad" / "model.safetensors"
    data = weights.read_bytes()
    header = int.from_bytes(data[:8], "little")
    for damaged in (b"", data[:7], data[: len(data) // 2], b"\xff" * 8 + data[8:], data[:8] + b"[" * header):
        weights.write_bytes(damaged)
        refused("retrofit", "bad", "--out", "x")
        refused("kernels", "bad", "--out", "x")
        refused("attention", "bad", "--task", "niah", "--length", "256", "--out", "x.png")
    weights.write_bytes(data)
    (tmp_path / "bad" / "consolidated.safetensors").write_bytes(data[:100])
    (tmp_path / "bad" / "params.json").write_text('{"model": {}}')
    refused("import-checkpoint", "bad", "--out", "x")
    (tmp_path / "bad" / "params.json").write_text(DEEP)
    refused("import-checkpoint", "bad", "--out", "x")


# -- fuzzers


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

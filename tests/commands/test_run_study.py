"""A study file: the options of a run, read as the arguments that it stands for, and written from a command line."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from mta_eval.arguments import parse_depths, parse_labels, parse_lengths, parse_scalars
from mta_eval.errors import SpecError
from mta_eval.registry import expand
from mta_eval.study import study_arguments, study_text

Call = Callable[..., tuple[int, str, str]]
OPTIONS = (
    "out",
    "lengths",
    "depths",
    "seeds",
    "seed",
    "repeats",
    "model",
    "label",
    "template-option",
    "dry-run",
    "x",
    "y",
)
STUDY = """
out = "runs/study"
lengths = ["256", "512"]
depths = "0:1:0.5"
repeats = 1
seeds = [0, 1]

[[tasks]]
name = "niah"
needles = [1, 2]

[[models]]
spec = "window:300"
label = "A window"

[[models]]
spec = "window:200"

[figure]
x = "depth"
y = "length"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def question(folder: Path) -> dict[str, Any]:
    """What the run was asked, all but the commands that asked it."""
    read: dict[str, Any] = json.loads((folder / "runs/study/run.json").read_text())
    del read["environment"]["commands"]
    return read


def commands(folder: Path) -> object:
    """The commands that the run keeps."""
    return json.loads((folder / "runs/study/run.json").read_text())["environment"]["commands"]


def test_a_study_is_run_as_its_command_line_is_and_twice_asks_nothing_new(folder: Path, call: Call) -> None:
    assert call("run", "study.toml")[0] == 0
    by_file = question(folder)
    assert commands(folder) == ["mta-eval run study.toml"]
    records = (folder / "runs/study/records.jsonl").read_text()
    assert len(records.splitlines()) == 2 * 2 * 3 * 2 * 2
    assert call("run", "study.toml")[0] == 0
    assert (folder / "runs/study/records.jsonl").read_text() == records
    (folder / "runs").rename(folder / "first")
    command = "run niah niah:needles=2 --model window:300 --model window:200 --lengths 256,512 --depths 0,0.5,1"
    more = ["--repeats", "1", "--seeds", "0,1", "--label", "window:300=A window", "--x", "depth", "--y", "length"]
    assert call(*command.split(), *more, "--out", "runs/study")[0] == 0
    assert question(folder) == by_file
    assert commands(folder) == [f"mta-eval {command} {shlex.join(more)} --out runs/study"]


def test_the_command_line_overrides_a_study(folder: Path, call: Call) -> None:
    code, _, _ = call("run", "study.toml", "passkey", "--lengths", "256", "--seed", "3", "--model", "window:100")
    assert code == 0
    run = question(folder)
    assert (run["tasks"], run["models"]) == (["passkey"], ["window:100"])
    sweep = run["sweep"]
    assert isinstance(sweep, dict)
    assert (sweep["lengths"], sweep["seed"], sweep["repeats"]) == ([256], 3, 1)


def test_labels_and_axes_of_a_study_are_those_of_its_tables_and_pages(folder: Path, call: Call) -> None:
    _, summary, _ = call("run", "study.toml")
    assert "A window" in summary
    assert "window:300" not in summary
    _, table, _ = call("table", "runs/study")
    assert "A window" in table
    assert call("report", "runs/study")[0] == 0
    text = (folder / "runs/study/report/report.md").read_text()
    assert "A window" in text
    assert "| length" in text
    for first in ("A window", "window:300"):
        code, _, _ = call("compare", "runs/study", "--first", first, "--second", "window:200", "--out", "compared")
        assert code == 0
        assert "First: A window. Second: window:200." in (folder / "compared/compare.md").read_text()
    code, shown, _ = call("show", "runs/study", "niah/256/0.50/0", "--model", "A window", "--seed", "1")
    assert (code, "window:300" in shown) == (0, True)


def test_a_command_line_is_written_as_a_study_that_runs_alike(folder: Path, call: Call) -> None:
    command = ["run", "niah:needles={1,2}", "--model", "window:300", "--label", "window:300=W", "--lengths", "256"]
    command += ["--depths", "0:1:0.5", "--repeats", "1", "--x", "depth", "--out", "runs/study"]
    code, out, _ = call(*command, "--write-study", "made.toml")
    assert (code, "made.toml" in out) == (0, True)
    assert not (folder / "runs").exists()
    assert call("run", "made.toml")[0] == 0
    by_file = question(folder)
    (folder / "runs").rename(folder / "first")
    assert call(*command)[0] == 0
    assert question(folder) == by_file


def test_tasks_have_labels_too_in_studies_and_on_the_command_line(folder: Path, call: Call) -> None:
    command = ["run", "niah:needles={1,2}", "passkey", "--model", "window:300", "--name", "window:300=W"]
    command += ["--name", "niah:needles=2=Two needles", "--lengths", "256", "--repeats", "1", "--out", "runs/study"]
    assert call(*command, "--write-study", "made.toml")[0] == 0
    assert tomllib.loads((folder / "made.toml").read_text())["tasks"] == [
        {"spec": "niah:needles=1"},
        {"spec": "niah:needles=2", "label": "Two needles"},
        {"spec": "passkey"},
    ]
    code, summary, _ = call("run", "made.toml")
    assert (code, "Two needles" in summary) == (0, True)
    by_file = question(folder)
    (folder / "runs").rename(folder / "first")
    assert call(*command)[0] == 0
    assert question(folder) == by_file
    assert "## Two needles · W" in call("table", "runs/study")[1]
    named = call("table", "runs/study", "--name", "W=Window", "--name", "niah:needles=2=2")[1]
    assert "## 2 · Window" in named
    assert call("report", "runs/study", "--name", "passkey=Key", "--out", "page")[0] == 0
    text = (folder / "page/report.md").read_text()
    assert "## Key" in text
    assert "## Two needles" in text


def test_a_label_of_a_study_is_of_one_task(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[[tasks]]\nname = 'niah'\nneedles = 4\nlabel = 'Four'")
    assert study_arguments(path, OPTIONS, ()) == ["niah:needles=4", "--name", "niah:needles=4=Four"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[tasks]]\nname = 'niah'\nneedles = [1, 2]\nlabel = 'x'", "a label names one task"),
        ("[[tasks]]\nspec = 'niah:needles={1,2}'\nlabel = 'x'", "a label names one task"),
        ("[[tasks]]\nspec = 'niah'\nneedles = 2", "'needles' is too much"),
        ("colour = 1", "'colour' is no option of a study"),
        ("lenghts = '2k'", "did you mean 'lengths'"),
        ("tasks = 3", "tasks: wants a list of specs"),
        ("tasks = []", "tasks: wants a list of specs"),
        ("[[tasks]]\nneedles = 1", "a task has no name"),
        ("[[models]]\nlabel = 'x'", "a model has no spec"),
        ("[[models]]\nspec = 'x'\ncolour = 1", "'colour' is no field of a model"),
        ("figure = 1", "figure is a table"),
        ("lengths = [[1]]", "lengths: "),
        ("x = [", "is no TOML"),
    ],
)
def test_what_is_wrong_in_a_study_is_one_line_with_file_and_field(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=said) as raised:
        study_arguments(path, OPTIONS, ())
    assert "s.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("folder")
def test_a_study_that_is_not_there_and_two_studies_are_refused(call: Call) -> None:
    assert call("run", "none.toml")[::2] == (
        2,
        "mta-eval: cannot read the study 'none.toml': No such file or directory\n",
    )
    code, _, said = call("run", "study.toml", "study.toml")
    assert (code, "one study" in said) == (2, True)


def test_fields_become_arguments(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        'tasks = ["niah"]\ndry_run = true\nlengths = 512\ntemplate_option = {thinking = false, effort = "low"}'
    )
    assert study_arguments(path, OPTIONS, ()) == [
        *("niah", "--dry-run", "--lengths", "512"),
        *("--template-option", "thinking=false", "--template-option", 'effort="low"'),
    ]
    assert study_arguments(path, OPTIONS, ("lengths", "dry-run", "tasks", "template-option")) == []


def test_a_day_a_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbfdate = 2025-02-03\r\nsystem = 'a'\r\n")
    assert study_arguments(path, (*OPTIONS, "date", "system"), ()) == ["--date", "2025-02-03", "--system", "a"]


@pytest.mark.parametrize("option", ['a="3"', "a=null", 'a="null"', "a=true", "a=", 'a="x\ny"', "a=b=c", "a=1.5"])
def test_template_options_come_back_out_of_a_study_as_they_were(option: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    document = tomllib.loads(study_text({"template_option": [option], "tasks": ["niah"]}, {}))
    path.write_text(tomli_w.dumps({"template_option": document["template_option"]}))
    arguments = study_arguments(path, OPTIONS, ())
    assert parse_scalars(arguments[1::2]) == parse_scalars([option])


def test_a_label_is_written_whatever_its_spec_was_called_and_may_hold_an_equals_sign(folder: Path, call: Call) -> None:
    command = ["run", "niah", "--model", "window:width={300,400}", "--label", "window:width=300=a=b"]
    command += ["--lengths", "256", "--depths", "-0", "--repeats", "1", "--out", "runs/study"]
    assert call(*command, "--write-study", "made.toml")[0] == 0
    assert tomllib.loads((folder / "made.toml").read_text())["models"] == [
        {"spec": "window:width=300", "label": "a=b"},
        {"spec": "window:width=400"},
    ]
    assert call("run", "made.toml")[0] == 0
    assert "niah/256/0.00/0" in (folder / "runs/study/records.jsonl").read_text()
    assert "a=b" in call("table", "runs/study")[1]


def test_specs_with_lists_are_one_for_each_combination() -> None:
    assert expand("niah:needles={1,2},digits={3,5}") == [
        f"niah:needles={needles},digits={digits}" for needles in (1, 2) for digits in (3, 5)
    ]
    assert expand("niah") == ["niah"]
    own = 'niah:needle="In {key}, it is {value}.",needles={1,2}'
    assert expand(own) == [own.replace("{1,2}", "1"), own.replace("{1,2}", "2")]
    with pytest.raises(SpecError, match="nothing between its commas"):
        expand("niah:needles={1,,2}")


def test_ranges_are_lists_of_numbers() -> None:
    assert parse_depths("0:1:0.1") == tuple(round(index / 10, 6) for index in range(11))
    assert parse_depths("0:0.5:0.2,1") == (0.0, 0.2, 0.4, 1.0)
    assert parse_lengths("1k:3k:1k") == (1024, 2048, 3072)
    for wrong in ("0:1", "1:0:0.1", "0:1:0", "0:2:1", "a:1:1", "nan:1:1", "0:1:0.00001"):
        with pytest.raises(SpecError):
            parse_depths(wrong)


def test_template_options_are_json_or_text() -> None:
    assert parse_scalars(["b=low", "a=false", "c=3", 'd="3"', "e="]) == (
        *(("a", False), ("b", "low"), ("c", 3), ("d", "3")),
        ("e", ""),
    )
    for wrong in (["a"], ["=1"], ["a=1", "a=2"], ["a=[1]"], ["a=NaN"], ["a=1e400"]):
        with pytest.raises(SpecError):
            parse_scalars(wrong)


def test_labels_are_for_models_of_the_run() -> None:
    assert parse_labels(["hf:a,dtype=float32=Mine"], ["hf:a,dtype=float32"]) == {"hf:a,dtype=float32": "Mine"}
    for wrong in (["Mine"], ["hf:b=Mine"], ["hf:a="], ["hf:a=x", "hf:c=x"], ["hf:a=hf:c"], ["hf:a=x\ny"]):
        with pytest.raises(SpecError):
            parse_labels(wrong, ["hf:a", "hf:c"])

"""`mta-eval show RUN`: the ids of a run's samples, chosen by task, model, length, depth and whether they are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(call: Call) -> str:
    sizes = ("--lengths", "256,512", "--depths", "0,1", "--repeats", "1", "--label", "window:300=Small")
    code, _, err = call(
        "run", "niah", "passkey", "--model", "window:300", "--model", "window:600", *sizes, "--out", "r"
    )
    assert code == 0, err
    return "r"


def test_a_pipe_gets_values_with_tabs_that_other_programs_take_apart(run: str, call: Call) -> None:
    code, out, err = call("show", run)
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert len(rows) == 16
    assert rows[0] == ["niah/256/1.00/0", "niah", "Small", "1", "256", "1", "-"]
    assert all(call("show", run, row[0])[0] == 0 for row in rows[:1])


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--task", "passkey"), 8),
        (("--model", "Small"), 8),
        (("--model", "window:300", "--length", "256"), 4),
        (("--depth", "1"), 8),
        (("--wrong",), 2),
        (("--wrong", "--model", "window:600"), 0),
    ],
)
def test_samples_are_chosen(options: tuple[str, ...], count: int, run: str, call: Call) -> None:
    code, out, _ = call("show", run, *options)
    assert (code, len(out.splitlines())) == (0, count)


def test_wrong_ones_name_the_mistake_and_json_has_the_values(run: str, call: Call) -> None:
    _, out, _ = call("show", run, "--wrong", "--task", "niah", "--json")
    assert json.loads(out) == {
        **{"id": "niah/512/0.00/0", "task": "niah", "model": "Small", "score": 0.0},
        **{"length": 512, "depth": 0.0, "mistake": "refusal"},
    }


def test_a_terminal_gets_a_table_or_a_list(run: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    _, out, err = call("show", run, "--wrong")
    assert out.splitlines()[0].split() == ["id", "task", "model", "score", "length", "depth", "mistake"]
    assert err == "2 of 16 samples; one of them: mta-eval show r ID\n"
    monkeypatch.setenv("COLUMNS", "40")
    assert call("show", run, "--wrong")[1].splitlines()[:2] == ["id: niah/512/0.00/0", "task: niah"]


def test_several_seeds_are_a_column(call: Call) -> None:
    ask = ("run", "niah", "--model", "window:300", "--lengths", "256", "--depths", "0", "--repeats", "1")
    assert call(*ask, "--seeds", "3,4", "--out", "s")[0] == 0
    assert [line.split("\t")[-1] for line in call("show", "s")[1].splitlines()] == ["3", "4"]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r", "niah/512/0.5/0"), "did you mean 'niah/512/0.00/0'? mta-eval show r lists all"),
        (("r", "--task", "nia"), "the run has no task 'nia'; did you mean 'niah'?"),
        (("r", "--model", "window:30"), "did you mean 'window:300'?"),
        (("no/such",), "there is no run folder 'no/such'"),
        (("niah", "--wrong"), "--wrong chooses samples of a run folder, and 'niah' is a task"),
    ],
)
def test_what_is_not_there_is_one_line(arguments: tuple[str, ...], message: str, call: Call) -> None:
    code, _, err = call("show", *arguments)
    assert (code, len(err.splitlines())) == (2, 1)
    assert message in err


def test_a_task_stays_a_task_where_a_folder_has_its_name(call: Call, tmp_path: Path) -> None:
    (tmp_path / "niah").mkdir()
    code, out, _ = call("show", "niah", "--model", "window:300", "--length", "256")
    assert (code, "id: niah/256/0.50/0" in out) == (0, True)
    assert "is no run folder" in call("show", "./niah")[2]

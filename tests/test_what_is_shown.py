"""What others wrote reaches no terminal, Markdown page or spreadsheet as a command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta_eval.commands import terminal
from mta_eval.commands.watch import scores_table
from mta_eval.core import Record
from mta_eval.printable import json_for_terminals, one_line, printable, say
from mta_eval.results.csv_text import csv_text
from mta_eval.results.table import markdown_table, markdown_text

Call = Callable[..., tuple[int, str, str]]
EVIL = "a\x1b]0;title\x07\x1b[2Jb\x9b31m\x00\u202ec\ud800"


def harmless(text: str) -> bool:
    return all(character in "\n\t" or (character >= " " and not "\x7f" <= character <= "\x9f") for character in text)


def test_commands_of_terminals_are_taken_out_and_lines_stay() -> None:
    assert printable(f"{EVIL}\n\tx") == "abc\n\tx"
    assert printable("می‌خواهم 👩‍👩‍👧") == "می‌خواهم 👩‍👩‍👧"
    assert one_line(f"{EVIL}\n\tx") == "abc x"


@given(st.text())
def test_whatever_the_text_no_control_character_is_left(text: str) -> None:
    assert harmless(printable(text))
    assert harmless(one_line(text))
    assert "\n" not in one_line(text)
    shown = json_for_terminals(json.dumps(text, ensure_ascii=False))
    assert harmless(shown)
    assert json.loads(shown) == text


def test_our_own_lines_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{EVIL}\nnext")
    assert capsys.readouterr().err == "mta-eval: abc next\n"


@pytest.mark.parametrize("command", ["show", "show --json", "table", "table --mistakes", "watch", "run"])
def test_no_command_lets_an_answer_act_on_the_terminal(command: str, tmp_path: Path, call: Call) -> None:
    run = tmp_path / "run"
    ask = [
        "run",
        "niah",
        "--model",
        "window:60",
        "--lengths",
        "256",
        "--depths",
        "0",
        "--repeats",
        "1",
        "--out",
        str(run),
    ]
    assert call(*ask)[0] == 0
    record = json.loads((run / "records.jsonl").read_text())
    record |= {"output": EVIL, "thought": EVIL, "targets": [EVIL]}
    (run / "records.jsonl").write_text(json.dumps(record) + "\n")
    name, *options = command.split()
    arguments = {"show": [str(run), record["sample_id"]], "run": ask[1:]}.get(name, [str(run)])
    code, out, err = call(name, *arguments, *options)
    assert code == 0
    assert harmless(out)
    assert harmless(err)


def test_an_error_that_repeats_what_was_given_is_one_harmless_line(call: Call) -> None:
    code, _, err = call("run", "nia\x1b[2Jh\nx", "--model", "window:3", "--out", "x")
    assert (code, harmless(err), err.count("\n")) == (2, True, 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](http://evil/p.png)", r"![x\](http://evil/p.png)"),
        ("[x](javascript:1)", r"[x\](javascript:1)"),
        ("[x][y] [x]: z", r"[x\][y] [x\]: z"),
        ("50 % [30–95], n=4", "50 % [30–95], n=4"),
        ("a|b\n# c", r"a\|b # c"),
        ("# c", r"\# c"),
        ("<script>`x`", r"&lt;script>\`x\`"),
        ("niah:needles=4", "niah:needles=4"),
    ],
)
def test_no_text_is_markup_of_a_markdown_page(text: str, shown: str) -> None:
    assert markdown_text(text) == shown
    assert shown in markdown_table(["head"], [[text]], left=1)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+cmd|'/C calc'!A0", "'=1+cmd|'/C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|x", "'-2+3+cmd|x"),
        ("+35 [20, 50]", "+35 [20, 50]"),
        ("-0.5", "-0.5"),
        ("niah", "niah"),
        (-3, "-3"),
        (0.25, "0.25"),
    ],
)
def test_no_cell_of_a_csv_is_a_formula(cell: object, written: str) -> None:
    frame = pd.DataFrame({"task": ["niah"], "value": [cell]})
    text = csv_text(frame)
    assert text.splitlines()[1].removeprefix("niah,").strip('"') == written
    assert frame["value"].tolist() == [cell]


def test_an_empty_table_is_its_head_alone() -> None:
    assert csv_text(pd.DataFrame({"a": [], "b": []})) == "a,b\n"


def test_brackets_in_a_plan_are_no_markup(call: Call, tmp_path: Path) -> None:
    (tmp_path / "[bold]a.txt").write_text("It rained for a day. The wind was cold. " * 400)
    task = ("niah:haystack=file:[bold]a.txt", "--model", "window:60", "--lengths", "256", "--repeats", "1")
    code, out, _ = call("run", *task, "--dry-run")
    assert code == 0
    assert "[bold]" in out


def test_names_of_models_are_harmless_where_a_run_is_watched(capsys: pytest.CaptureFixture[str]) -> None:
    record = Record("niah/256/0.00/0", "niah", f"m{EVIL}", {"length": 256, "depth": 0.0}, ["7"], "7", 1.0, 9, 9, 0.1)
    terminal.print_line(scores_table([record], {f"r{EVIL}": 1}, "length", "depth"))
    assert harmless(capsys.readouterr().out)


def test_no_command_prints_past_the_printer() -> None:
    """Commands say what they have to say through `printable`, which knows what a terminal may be shown."""
    package = Path(__file__).parent.parent / "mta_eval"
    allowed = {"lm_eval.py": 2, "cli.py": 2}  # help texts, a folder of the package, the version
    found = {
        file.name: len(re.findall(r"typer\.echo\(|(?<![\w.\"])print\(|(?<!\w)Console\(", file.read_text()))
        for file in package.rglob("*.py")
        if file.name != "printable.py"
    }
    found["mixed.py"] = 0  # a program in a text of a task
    assert {name: count for name, count in found.items() if count} == allowed

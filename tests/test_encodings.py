"""No command ends in a traceback because a terminal or a pipe lacks a character: what is shown then is ASCII."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from faults import ENVIRONMENT

from mta_eval import printable

RUN = ("run", "niah", "--model", "window:60", "--model", "window:300", "--lengths", "256", "--depths", "0,1")
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def called(folder: Path, environment: dict[str, str], *arguments: str) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", "mta_eval", *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT | environment, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("niah · 83 % [39–98] ±2 …", "niah - 83 % [39-98] +-2 ..."),
        ("4 × 2 “a” ‘b’ −1 † → ≥", "4 x 2 \"a\" 'b' -1 + -> >="),
        ("┏━┳─┐ ┃a│ ███", "+-+-+ |a| ###"),
        ("São Möbius ﬁ", "Sao Mobius fi"),
        ("中 é 😀", r"\u4e2d e \U0001f600"),
        ("plain", "plain"),
    ],
)
def test_marks_boxes_and_letters_have_a_form_in_ascii(text: str, shown: str) -> None:
    assert printable.in_ascii(text) == shown


@pytest.mark.parametrize(
    ("errors", "written"), [("strict", b"a - x ..."), ("backslashreplace", b"a - x ..."), ("replace", b"a ? ? ?")]
)
def test_streams_take_every_text_unless_the_user_chose_another_way(
    errors: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("excepthook", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors=errors))
    printable.guard_terminal()
    printable.write("a · × …", end="")
    sys.stdout.flush()
    assert raw.getvalue() == written


def test_a_file_in_another_encoding_has_the_characters_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    printable.guard_terminal()
    printable.write("39–98 × ─", end="")
    sys.stdout.flush()
    assert raw.getvalue().decode("cp1252") == "39–98 × -"


def test_json_means_the_same_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"text": "· \x1b[2J 中 \ud800"}
    for encoding, plain in (("ascii", b"\\u4e2d"), ("utf-8", "中".encode())):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        printable.write_json(fields)
        sys.stdout.flush()
        assert json.loads(raw.getvalue().decode(encoding)) == fields
        assert plain in raw.getvalue()
        assert b"\x1b" not in raw.getvalue()


@pytest.mark.parametrize("environment", [C_LOCALE, {"PYTHONIOENCODING": "cp1252"}], ids=["C", "cp1252"])
def test_a_run_and_its_tables_need_no_utf_8(environment: dict[str, str], tmp_path: Path) -> None:
    for arguments in ((*RUN, "--repeats", "1", "--out", "r"), ("watch", "r"), ("show", "r", "niah/256/0.00/0")):
        code, out, err = called(tmp_path, environment, *arguments)
        assert (code, b"Traceback" in err) == (0, False), err
        assert out
        assert out.isascii() or environment != C_LOCALE
        assert err.isascii()


def test_a_traceback_of_ours_is_shown_whole_without_utf_8(tmp_path: Path) -> None:
    code = "from mta_eval.printable import guard_terminal; guard_terminal(); raise ValueError('4 \\xd7 \\u2500')"
    environment = ENVIRONMENT | C_LOCALE
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert done.stderr.splitlines()[-1] == b"ValueError: 4 x -"

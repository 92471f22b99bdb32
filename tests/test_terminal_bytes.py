"""What commands write to a real terminal, byte by byte: the control sequences of our own printer, and no others.

Every command runs under a pseudo-terminal on inputs that hold commands for one: in names, texts, answers and errors.
"""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fake_server import FakeServer, Speaker
from faults import ENVIRONMENT

from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.printable import guard_terminal

# none is in an output of ours: a title, a link, a colour, places on the screen, C1, bidi, NUL, BEL, a line gone over
EVIL = "a\x1b]0;t\x07b\x1b]8;;http://evil\x1b\\c\x1b[5;45md\x1b[7;7H\x1b[2J\x9b5m\x9d0;x\x9c\x00\x07\u202ee\rGONE\x1bcf"
OURS = re.compile(
    r"\x1b\[(?:[0-9]+(?:;[0-9]+)*)?m"  # colours and styles
    r"|\x1b\[\?25[lh]"  # the cursor hidden while a bar is drawn
    r"|\r?\x1b\[[12]?K|\x1b\[1A\x1b\[2K"  # a line of a bar erased, the line above
    r"|\r\n|\r(?=\x1b\[2K)|[\n\t]"
)
TAKEN = "\x1b[5;45m"  # the one of EVIL that has the form of ours
HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def recorded(folder: Path, *arguments: str | bytes) -> tuple[int, str]:
    """The exit code of a command, and all that it wrote to its terminal."""
    ours, its = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    command = [sys.executable, "-m", "mta_eval", *arguments]
    child = subprocess.Popen(command, cwd=folder, stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    data = b""
    while part := _read(ours):
        data += part
    os.close(ours)
    return child.wait(60), data.decode()  # strictly: half a character is a fault too


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # how the other end of a terminal says that it is closed
        return b""


def strangers(text: str) -> list[str]:
    """What of a recording is a command for the terminal, but none of ours."""
    rest = OURS.sub("", text)
    found = [repr(rest[max(0, one.start() - 30) : one.end() + 30]) for one in HARMFUL.finditer(rest)]
    return found + [repr(TAKEN)] * text.count(TAKEN)


@pytest.mark.parametrize(
    "text",
    ["\x1b]0;t\x07", "\x1b[2J", "\x1b[3;4H", "\x9b1m", "\x00", "\x07", "x\ry", "\u202e", "\x1b[2A", "\x1b[?1049h"],
)
def test_the_check_sees_every_command_that_is_not_ours(text: str) -> None:
    assert strangers(f"\x1b[1mbold\x1b[0m\r\n\r\x1b[2K\x1b[?25l{text}")


def test_the_check_lets_ours_through() -> None:
    assert strangers("\x1b[?25l\x1b[38;5;237m━\x1b[0m 1/2\r\x1b[2K\x1b[1A\x1b[2Kdone\r\n\x1b[?25h") == []


def hostile_run(folder: Path) -> None:
    """A run whose texts, names and errors hold commands."""
    ask = ("run", "niah", "passkey", "--model", "window:60", "--model", "window:300", "--lengths", "256")
    command = [sys.executable, "-m", "mta_eval", *ask, "--depths", "0,1", "--repeats", "2", "--out", "r"]
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    run = (folder / "r" / "run.json").read_text().replace("window:60", json.dumps(f"w{EVIL}")[1:-1])
    about = json.loads(run)
    about["environment"]["models"][f"w{EVIL}"] = {EVIL: EVIL}
    (folder / "r" / "run.json").write_text(json.dumps(about))
    records = [json.loads(line) for line in (folder / "r" / "records.jsonl").read_text().splitlines()]
    for number, record in enumerate(records):
        record |= {"output": EVIL, "thought": EVIL, "targets": [EVIL], "choices": [EVIL]}
        record["model"] = record["model"].replace("window:60", f"w{EVIL}")
        record["needles"] = [{**needle, "text": EVIL, "key": EVIL} for needle in record["needles"]]
        if number % 4 == 3:
            record |= {"error": EVIL, "score": None, "output": None}
    (folder / "r" / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of inputs that hold commands for a terminal, in what they say and in their names."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile_run(folder)
    (folder / "text.txt").write_text(f"It rained on {EVIL} for a day. The wind was cold. " * 400)
    doc = {"doc": {"question": EVIL}, "target": EVIL, "filtered_resps": [EVIL], "arguments": [[EVIL]], "doc_id": 0}
    (folder / "m\x1b[5;45m").mkdir()
    (folder / "m\x1b[5;45m" / "samples_passkey\x1b]0;owned\x07.jsonl").write_text(json.dumps(doc) + "\n")
    (folder / "m\x1b[5;45m" / "other\x1b]0;owned\x07.json").write_text("{}")
    (folder / "damaged").mkdir()
    shutil.copy(folder / "r" / "run.json", folder / "damaged" / "run.json")
    (folder / "damaged" / "records.jsonl").write_text(json.dumps({"schema": EVIL, EVIL: EVIL}) + "\n")
    (folder / "study.toml").write_text(f'tasks = ["niah"]\n"{json.dumps(EVIL)[1:-1]}" = 1\n')
    (folder / "samples.jsonl").write_text(json.dumps({"id": EVIL, EVIL: EVIL}) + "\n")
    return folder


@pytest.fixture
def inputs(hostile: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(hostile, tmp_path / "inputs"))


NAME = "n\x1b]0;owned\x07\x1b[5;45m\x9b5m\u202e\rGONE"
NIAH = ("niah", "--model", "window:300", "--lengths", "256", "--depths", "0", "--repeats", "1")
COMMANDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "report": (0, ("report", "r", "--out", NAME)),
    "table": (0, ("table", "r")),
    "mistakes": (0, ("table", "r", "--mistakes")),
    "csv": (0, ("table", "r", "--form", "csv")),
    "latex": (0, ("table", "r", "--form", "latex")),
    "table in a file": (0, ("table", "r", "--out", f"{NAME}.md")),
    "watch": (0, ("watch", "r")),
    "compare": (0, ("compare", "r")),
    "no such model": (2, ("compare", "r", "--first", NAME)),
    "rescore": (0, ("rescore", "r", "--out", NAME)),
    "rescore a folder": (0, ("rescore", "m\x1b[5;45m", "--rule", "first_word", "--out", "rescored")),
    "show": (0, ("show", "niah:haystack=file:text.txt", "--model", "window:300", "--length", "256")),
    "show as JSON": (0, ("show", "niah:haystack=file:text.txt", "--model", "window:300", "--length", "256", "--json")),
    "run": (0, ("run", *NIAH, "--out", NAME)),
    "plan": (0, ("run", *NIAH, "--dry-run")),
    "export": (0, ("export", "niah", "--model", "window:300", "--lengths", "256", "--out", f"{NAME}.jsonl")),
    "import": (2, ("import", "samples.jsonl", "samples.jsonl", "--name", "m", "--out", "i")),
    "name": (2, ("import", "samples.jsonl", "samples.jsonl", "--name", NAME, "--out", "i")),
    "damaged": (2, ("report", "damaged")),
    "merge": (2, ("merge", "r", "damaged", "--out", "m")),
    "study": (2, ("run", "study.toml", "--model", "window:300", "--out", "x")),
    "write a study": (0, ("run", *NIAH, "--write-study", f"{NAME}.toml")),
    "markup": (0, ("run", "niah:haystack=file:[link=http:evil]x.txt", *NIAH[1:], "--dry-run")),
    "paper": (2, ("paper", "mta", "--runs", NAME, "--out", "p")),
    "suite": (2, ("suite", "mta-paper", "--model", "window:300", "--out", "s", "--without", NAME)),
    "no command": (2, (NAME,)),
    "no option": (2, ("report", "r", f"--{NAME}")),
    "no choice": (2, ("table", "r", "--form", NAME)),
    "no number": (2, ("run", *NIAH, "--seed", NAME)),
    "no task": (2, ("run", NAME, *NIAH[1:], "--out", "x")),
    "no model": (2, ("run", "niah", "--model", NAME, "--out", "x")),
    "no name": (2, ("list", NAME)),
    "no checkpoint": (2, ("attention", NAME, "--task", "niah", "--out", "a.png")),
    "no kernels": (2, ("kernels", NAME, "--out", "k")),
    "no folder": (2, ("retrofit", NAME, "--attention", "mta", "--out", "o")),
    "no variant": (2, ("tunnel", NAME, "--out", "o")),
    "no variant in a file": (2, ("tunnel", f"{NAME}.py", "--out", "o")),
    "no recipe": (2, ("train", NAME, "--out", "o")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_input_reaches_the_terminal_as_a_command(name: str, inputs: Path) -> None:
    (inputs / "[link=http:evil]x.txt").write_text("It rained for a day. The wind was cold. " * 400)
    code, arguments = COMMANDS[name]
    ended, written = recorded(inputs, *arguments)
    assert strangers(written) == []
    assert ended == code, written
    assert "Traceback" not in written


@pytest.mark.slow
@pytest.mark.parametrize("fault", [400, 500, 200])
def test_no_server_reaches_the_terminal_as_a_command(
    fault: int, byte_bpe: FastTokenizer, tokenizer_folder: Path, tmp_path: Path
) -> None:
    reply = (fault, {"X": "y"}, json.dumps({"error": {"message": EVIL}}))
    server = FakeServer(byte_bpe, Speaker(byte_bpe, EVIL), fault=None if fault == 200 else reply)
    spec = f"server:{server.url},tokenizer={tokenizer_folder},retries=0"
    code, written = recorded(tmp_path, "run", "niah", "--model", spec, *NIAH[3:], "--out", "x")
    server.stop()
    assert strangers(written) == []
    assert code == (0 if fault == 200 else 1), written


def test_warnings_and_logs_of_libraries_hold_no_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for owner, name in ((warnings, "formatwarning"), (sys, "excepthook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    before = logging.getLogRecordFactory()
    try:
        guard_terminal()
        guard_terminal()
        print(warnings.formatwarning(EVIL, UserWarning, NAME, 1, EVIL))
        logger = logging.Logger("library")
        logger.addHandler(logging.StreamHandler(sys.stdout))
        logger.warning("read %s", EVIL)
        error = ValueError(EVIL)
        sys.excepthook(ValueError, error, None)
    finally:
        logging.setLogRecordFactory(before)
    out, err = capsys.readouterr()
    assert out.count("abcde") == 3
    assert "ValueError: abcdeGONEcf" in err or "ValueError: abcdeGONEf" in err
    assert strangers(out) + strangers(err) == []

"""Every command works where there is no network at all, not even loopback, and none waits for one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faults import ENVIRONMENT, Disturbed

pytestmark = pytest.mark.slow
UNSHARE = ["unshare", "-n"]
WINDOW = ("--model", "window:300", "--lengths", "256", "--depths", "0,1", "--repeats", "2")
TRAIN = ("--model", "mta", "--steps", "2", "--every", "1")
SMOLLM2 = ("run", "niah", "--model", "smollm2", "--lengths", "256", "--depths", "0", "--repeats", "1")
HARNESS = ("lm-eval", "run", "--model", "mta", "--model_args", "pretrained=trained", "--tasks", "mta_letter_blocks")
COMMANDS = (
    ("list",),
    ("show", "niah", "--model", "window:300", "--length", "256"),
    ("run", "niah:needles=2", "passkey", "letter_blocks", *WINDOW, "--out", "run"),
    ("report", "run"),
    ("table", "run"),
    ("watch", "run"),
    ("rescore", "run", "--out", "rescored"),
    ("run", "niah:needles=2", "passkey", *WINDOW, "--model", "window:100", "--out", "two"),
    ("compare", "two", "--out", "compared"),
    ("merge", "run", "two", "--out", "merged"),
    ("run", "niah:needles=2", "--model", "window:300", "--lengths", "2048", "--repeats", "1", "--out", "long"),
    ("paper", "mta", "--runs", "long", "--out", "paper"),
    ("export", "niah", "--model", "window:300", "--lengths", "256", "--out", "samples.jsonl"),
    ("import", "samples.jsonl", "answers.jsonl", "--name", "m", "--out", "imported"),
    ("train", "letter_blocks", *TRAIN, "--out", "trained"),
    ("kernels", "trained", "--out", "kernels"),
    (*HARNESS, "--limit", "2"),
    (*SMOLLM2, "--out", "smollm2"),
)


def offline(folder: Path, *arguments: str) -> Disturbed:
    """A command without a network. Fails if it has not ended after ten minutes."""
    command = [*UNSHARE, sys.executable, "-m", "mta_eval", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    return Disturbed(done.returncode, done.stdout, done.stderr)


@pytest.mark.timeout(3600)
def test_every_command_works_without_a_network(tmp_path: Path) -> None:
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process without a network may not be made here")
    for arguments in COMMANDS:
        if arguments[0] == "import":
            samples = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
            answers = [json.dumps({"id": sample["id"], "output": "7"}) + "\n" for sample in samples]
            (tmp_path / "answers.jsonl").write_text("".join(answers))
        done = offline(tmp_path, *arguments)
        assert done.code == 0, (arguments, done)

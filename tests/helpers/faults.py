"""Commands as child processes that write files, what they wrote, and what may be there after one was disturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors.torch import load

import mta_eval
from mta_eval.whole_files import is_unfinished

FAULTY = Path(__file__).with_name("faulty.py")
MEASURED = ("seconds", "peak_memory")  # of a line: another time they are others
GROWING = ("records.jsonl", "log.jsonl")
TASKS = ("niah:needles=4", "passkey", "babilong:qa=1")
SIZES = ("--lengths", "256,512", "--depths", "0,0.5,1", "--repeats", "10")
CODE = str(Path(mta_eval.__file__).parents[1])
ENVIRONMENT = {**os.environ, "PYTHONPATH": CODE, "OMP_NUM_THREADS": "1", "MTA_EVAL_TOKEN_CACHE": "off"}
State = dict[str, bytes]


@dataclass(frozen=True)
class Disturbed:
    """How a child ended."""

    code: int
    out: str
    err: str


def start(folder: Path, *arguments: str, fault: tuple[str, int] = ("none", 0), stdout: int = subprocess.PIPE) -> Child:
    """A command that runs in `folder`, with its fault among what it does in "out"."""
    command = [sys.executable, str(FAULTY), fault[0], str(fault[1]), str(folder / "out"), *arguments]
    return Child(
        subprocess.Popen(
            command, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=ENVIRONMENT
        )
    )


@dataclass(frozen=True)
class Child:
    """A command that runs."""

    process: subprocess.Popen[bytes]

    def end(self, seconds: float = 300) -> Disturbed:
        """Wait for it."""
        out, err = self.process.communicate(timeout=seconds)
        return Disturbed(self.process.returncode, (out or b"").decode(), err.decode())

    def kill(self, delay: float) -> None:
        """Kill it in so many seconds, unless it has ended."""
        try:
            self.process.wait(delay)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.communicate()


def state_of(folder: Path) -> State:
    """The files under a folder, without what differs from one time to the next; unfinished ones too."""
    return {
        str(path.relative_to(folder)): normal(path.relative_to(folder), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def normal(path: Path, data: bytes) -> bytes:
    """A file without what was measured. Reports of a suite tell it everywhere, so of those only their being there.

    Of a training, so does its card, and of its state only that it is whole.
    """
    if path.name in GROWING:
        return b"".join(_without_measures(line) for line in data.splitlines(keepends=True))
    if path.name == "state.safetensors":
        load(data)  # raises for what is not whole
        return b""
    told = path.parts[:2] == ("suite", "report") or path.parts == ("trained", "README.md")
    told = told or (path.parts[:2] == ("suite", "paper") and path.stem == "memory")
    return b"" if told else data


def _without_measures(line: bytes) -> bytes:
    if not line.endswith(b"\n"):
        return line  # torn
    return json.dumps({key: value for key, value in json.loads(line).items() if key not in MEASURED}).encode() + b"\n"


def unfinished(folder: Path) -> list[str]:
    """What stands under a folder that a writer left."""
    return [str(path) for path in folder.rglob("*") if is_unfinished(path)]


def wrong(found: State, *allowed: State) -> list[str]:
    """The files that are not as one of the `allowed` states has them; of records, the first so many lines will do.

    A training has a state until it ends.
    """

    def right(name: str, data: bytes) -> bool:
        wholes = [state[name] for state in allowed if name in state]
        if Path(name).name in GROWING:
            lines = data[: data.rfind(b"\n") + 1]
            return any(whole.startswith(lines) for whole in wholes)
        return data in wholes or Path(name).name == "state.safetensors"

    abandoned = [name for name in found if any(is_unfinished(Path(part)) for part in Path(name).parts)]
    return [name for name, data in found.items() if name not in abandoned and not right(name, data)]


@dataclass(frozen=True)
class Prepared:
    """A folder with runs, an export and answers to read: "r" and "older" hold the same question of two seeds."""

    folder: Path

    @cached_property
    def inputs(self) -> State:
        """What no command may change."""
        return state_of(self.folder)


def prepare(folder: Path) -> Prepared:
    """Make the inputs of all commands."""
    for name, seed in (("r", "0"), ("older", "1")):
        models = ("--model", "window:300", "--model", "window:200")
        done = start(folder, "run", *TASKS, *models, *SIZES, "--seed", seed, "--out", name).end()
        assert done.code == 0, done.err
    ask = ("run", "niah:needles=2", "--model", "window:300", "--lengths", "2048", "--depths", "0", "--repeats", "2")
    assert start(folder, *ask, "--out", "paper_runs").end().code == 0
    export = ("export", "niah", "--model", "window:300", "--lengths", "256", "--repeats", "40")
    assert start(folder, *export, "--out", "samples.jsonl").end().code == 0
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    answers = [json.dumps({"id": sample["id"], "output": sample["targets"][0]}) + "\n" for sample in samples]
    (folder / "answers.jsonl").write_text("".join(answers))
    prepared = Prepared(folder)
    assert prepared.inputs
    return prepared

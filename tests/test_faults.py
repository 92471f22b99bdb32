"""Killed, a full disk, a jumping clock, two writers at once: nothing is lost, nothing is half written.

Every command is a child process. `MTA_EVAL_FAULTS=20` tries so many moments of each command instead of two.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import SIZES, TASKS, Prepared, State, prepare, start, state_of, unfinished, wrong

from mta_eval.results.several import read_several
from mta_eval.results.store import read

pytestmark = pytest.mark.slow
MOMENTS = range(int(os.environ.get("MTA_EVAL_FAULTS", "2")))
PAGE = 4096
SUITE = ("--model", "window:300", "--lengths", "512", "--repeats", "2", "--without", "perplexity")
LETTERS = ("--model", "transformer", "--steps", "2", "--every", "1")
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", *TASKS, "--model", "window:300", *SIZES, "--out", "out/run"),
    "report": ("report", "r", "--out", "out/report"),
    "rescore": ("rescore", "r", "--out", "out/rescored"),
    "compare": ("compare", "r", "--out", "out/compared"),
    "table": ("table", "r", "--out", "out/table.parquet"),
    "paper": ("paper", "mta", "--runs", "paper_runs", "--out", "out/paper"),
    "suite": ("suite", "longheads-paper", *SUITE, "--out", "out/suite"),
    "merge": ("merge", "r", "older", "--out", "out/merged"),
    "import": ("import", "samples.jsonl", "answers.jsonl", "--name", "m", "--out", "out/imported"),
    "export": (
        "export",
        "niah",
        "--model",
        "window:300",
        "--lengths",
        "256",
        "--repeats",
        "40",
        "--out",
        "out/s.jsonl",
    ),
    "train": ("train", "letter_blocks", *LETTERS, "--out", "out/trained"),
}
OVERWRITING = ("report", "rescore", "compare", "table")  # which read "r", and may have read "older" before
REFUSING = ("run", "suite", "merge", "import", "train")  # while another writes there
Undisturbed = Callable[[str], tuple[State, float, int]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("inputs"))


@pytest.fixture
def folder(prepared: Prepared, tmp_path: Path) -> Iterator[Path]:
    """The inputs, and an empty "out"; the inputs must be as they were afterwards."""
    for path in prepared.folder.iterdir():
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, tmp_path / path.name)
    (tmp_path / "out").mkdir()
    yield tmp_path
    found = {name: data for name, data in state_of(tmp_path).items() if not name.startswith("out/")}
    assert found == prepared.inputs


@pytest.fixture(scope="module")
def undisturbed(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What a command writes, the seconds that it takes, and how often it changes files."""
    known: dict[str, tuple[State, float, int]] = {}

    def of(name: str, arguments: tuple[str, ...]) -> tuple[State, float, int]:
        if name not in known:
            place = tmp_path_factory.mktemp("undisturbed")
            shutil.copytree(prepared.folder, place, dirs_exist_ok=True)
            (place / "out").mkdir()
            began = time.monotonic()
            done = start(place, *arguments, fault=("count", 0)).end()
            assert done.code == 0, done.err
            assert not unfinished(place)
            known[name] = state_of(place / "out"), time.monotonic() - began, int(done.err.split()[-1])
        return known[name]

    return lambda name: of(name, COMMANDS[name.removeprefix("older ")] if name in COMMANDS else older(name))


def older(name: str) -> tuple[str, ...]:
    return tuple("older" if part == "r" else part for part in COMMANDS[name.removeprefix("older ")])


def goes_on(name: str, folder: Path, undisturbed: Undisturbed) -> None:
    """The same command succeeds now and gives what an undisturbed one gives, and nothing else is there."""
    done = start(folder, *COMMANDS[name]).end()
    assert done.code == 0, done.err
    assert unfinished(folder) == []
    found, (whole, *_) = state_of(folder / "out"), undisturbed(name)
    assert {path: found.get(path) for path in whole} == whole
    assert found.keys() - whole.keys() <= (undisturbed(f"older {name}")[0].keys() if name in OVERWRITING else set())


def one_line(error: str) -> bool:
    """Whether what stands on stderr ends in our line, with only the notes of a run before it."""
    *before, last = error.strip().splitlines()
    return last.startswith("mta-eval: ") and not any("Traceback" in line or "Error" in line for line in before)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_a_change_of_its_files(name: str, moment: int, folder: Path, undisturbed: Undisturbed) -> None:
    whole, _, changes = undisturbed(name)
    before: State = {}
    if name in OVERWRITING and moment % 2:
        assert start(folder, *older(name)).end().code == 0
        before = state_of(folder / "out")
    at = random.Random(f"{name} {moment}").randint(1, changes)
    start(folder, *COMMANDS[name], fault=("kill", at)).end()
    assert wrong(state_of(folder / "out"), whole, before) == []
    goes_on(name, folder, undisturbed)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_any_time(name: str, moment: int, folder: Path, undisturbed: Undisturbed) -> None:
    whole, seconds, _ = undisturbed(name)
    chance = random.Random(f"{name} {moment} time")
    child = start(folder, *COMMANDS[name])
    if moment % 2:  # soon after the first file
        end = time.monotonic() + 4 * seconds
        while not any((folder / "out").rglob("*")) and child.process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        child.kill(chance.random() * 0.05)
    else:
        child.kill(chance.random() * seconds)
    assert wrong(state_of(folder / "out"), whole) == []
    goes_on(name, folder, undisturbed)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_file_may_grow(name: str, moment: int, folder: Path, undisturbed: Undisturbed) -> None:
    whole, *_ = undisturbed(name)
    largest = max(map(len, whole.values())) - 1000
    limit = random.Random(f"{name} {moment} limit").randint(0, largest) if moment else largest
    done = start(folder, *COMMANDS[name], fault=("limit", limit)).end()
    assert (done.code, one_line(done.err)) == (2, True), done.err
    assert wrong(state_of(folder / "out"), whole) == []
    assert unfinished(folder) == []
    goes_on(name, folder, undisturbed)


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Callable[[int], object]]:
    """Makes "out" a disk with room for so many pages of 4 KiB; "out/filled" takes the rest."""
    out, size = folder / "out", 64 << 20
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(out)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield lambda pages: (out / "filled").write_bytes(b"x" * (size - pages * PAGE))
    subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk(
    name: str, moment: int, folder: Path, undisturbed: Undisturbed, small_disk: Callable[[int], object]
) -> None:
    whole, *_ = undisturbed(name)
    pages = sum(len(data) // PAGE + 1 for data in whole.values())
    small_disk(random.Random(f"{name} {moment} disk").randint(0, pages * 3 // 4))
    done = start(folder, *COMMANDS[name]).end()
    (folder / "out" / "filled").unlink()
    assert (done.code, one_line(done.err)) == (2, True), done.err
    assert wrong(state_of(folder / "out"), whole) == []
    assert unfinished(folder) == []
    goes_on(name, folder, undisturbed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", COMMANDS)
def test_stdout_on_a_full_disk(name: str, folder: Path, undisturbed: Undisturbed) -> None:
    with Path("/dev/full").open("wb") as full:
        done = start(folder, *COMMANDS[name], stdout=full.fileno()).end()
    assert (done.code, one_line(done.err)) == (2, True), done.err
    assert wrong(state_of(folder / "out"), undisturbed(name)[0]) == []
    assert unfinished(folder) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_two_at_once(name: str, folder: Path, undisturbed: Undisturbed) -> None:
    children = [start(folder, *COMMANDS[name]) for _ in range(2)]
    ends = [child.end() for child in children]
    refused = [done for done in ends if done.code]
    assert [(done.code, one_line(done.err)) for done in refused] in ([], [(2, True)]), refused
    assert not refused or name in REFUSING
    assert unfinished(folder) == []
    assert state_of(folder / "out") == undisturbed(name)[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_clock_that_jumps(name: str, folder: Path, undisturbed: Undisturbed) -> None:
    done = start(folder, *COMMANDS[name], fault=("clock", 3600)).end()
    assert done.code == 0, done.err
    assert state_of(folder / "out") == undisturbed(name)[0]


def test_readers_of_a_run_that_is_written_and_grows_see_no_gap(folder: Path) -> None:
    steps = [("run", *TASKS, "--model", "window:300", *SIZES[:-1], repeats, "--out", "out/run") for repeats in "59"]
    counts = [0]
    for arguments in [*steps, (*steps[1], "--seed", "1")]:
        child = start(folder, *arguments)
        while child.process.poll() is None:
            if (folder / "out" / "run" / "run.json").exists():
                _, records, _ = read_several([folder / "out" / "run"])
                counts.append(len(records))
        assert child.end().code == 0
    assert counts == sorted(counts)
    assert counts[-1] <= 2 * 9 * 18
    assert len(set(counts)) > 3


def test_a_run_on_ray_that_is_killed_goes_on_and_leaves_no_process(folder: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'mta-eval[ray]'")
    arguments = ("run", *TASKS, "--model", "window:300", *SIZES, "--executor", "ray", "--out", "out/run")
    child = start(folder, *arguments)
    end = time.monotonic() + 300
    while not (folder / "out/run/records.jsonl").exists() and time.monotonic() < end:
        time.sleep(0.01)
    children = descendants(child.process.pid)
    assert children
    names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children if alive(pid)}
    child.kill(0.05)
    end = time.monotonic() + 180  # Ray's agents look after their node from time to time
    while any(map(alive, children)) and time.monotonic() < end:
        time.sleep(0.5)
    assert [names[pid] for pid in children if alive(pid)] == []
    done = start(folder, *arguments).end()
    assert done.code == 0, done.err
    assert unfinished(folder) == []
    assert len({record.sample_id for record in read(folder / "out" / "run")[1]}) == 180


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they did."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    own = [int(child) for task in tasks for child in task.read_text().split()]
    return own + [below for child in own for below in descendants(child)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

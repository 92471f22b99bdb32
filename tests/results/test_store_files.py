"""A run folder's files: what is touched when, what a crash or a full disk leaves, which handles stay open."""

from __future__ import annotations

import dataclasses
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import Record, Run, Sweep
from mta_eval.errors import StoreError
from mta_eval.results.store import RunFolder, in_use, read

RUN = Run(
    tasks=("niah",),
    models=("window:300",),
    sweep=Sweep((512, 1024), (0.0,), 2),
    answer="generate",
    over_length="refuse",
    version="0.1.0",
    tokenizers={},
    environment={},
)
CHOOSING = dataclasses.replace(RUN, answer="choose")


def record(number: int, error: str | None = None) -> Record:
    score = None if error else 1.0
    return Record(f"niah/512/0.00/{number}", "niah", "window:300", {}, ["7"], None, score, 500, 12, 0.1, error=error)


def write(folder: Path, *records: Record) -> None:
    with RunFolder(folder, RUN) as opened:
        for one in records:
            opened.append(one)


def test_a_new_run_has_folders_made_for_it_and_nothing_done(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "runs" / "first", RUN) as opened:
        assert opened.done == set()


def test_a_whole_run_is_not_written_anew_when_it_is_opened(tmp_path: Path) -> None:
    write(tmp_path, record(0), record(1))
    before = (tmp_path / "records.jsonl").stat()
    with RunFolder(tmp_path, RUN):
        after = (tmp_path / "records.jsonl").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_failed_samples_leave_the_file_at_the_next_start(tmp_path: Path) -> None:
    write(tmp_path, record(0), record(1, "out of memory"), record(2))
    with RunFolder(tmp_path, RUN):
        assert read(tmp_path)[1] == [record(0), record(2)]
        assert (tmp_path / "records.jsonl").read_bytes().count(b"\n") == 2


def test_a_run_killed_before_its_first_record_goes_on(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "records.jsonl").unlink()
    assert read(tmp_path) == (RUN, [])
    with RunFolder(tmp_path, RUN) as opened:
        assert opened.done == set()


def test_records_without_their_question_are_not_added_to(tmp_path: Path) -> None:
    write(tmp_path, record(0))
    (tmp_path / "run.json").unlink()
    with pytest.raises(StoreError, match=r"holds records but no run\.json; choose another --out"):
        RunFolder(tmp_path, RUN)
    assert not (tmp_path / "run.json").exists()


def test_a_refused_question_leaves_the_folder_free(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StoreError, match="answer was generate, now choose;"):
        RunFolder(tmp_path, CHOOSING)
    assert not in_use(tmp_path)


def test_a_larger_question_is_on_disk_before_anything_of_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    more = dataclasses.replace(RUN, sweep=dataclasses.replace(RUN.sweep, repeats=5))
    with RunFolder(tmp_path, more) as opened:
        assert read(tmp_path)[0] == opened.run
        assert (opened.run.samples, opened.run.sweep.repeats) == (10, 5)
    before = (tmp_path / "run.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: 1 / 0)  # killed as it is about to take the old one's place
        with pytest.raises(ZeroDivisionError):
            RunFolder(tmp_path, dataclasses.replace(RUN, sweep=dataclasses.replace(RUN.sweep, repeats=9)))
    assert (tmp_path / "run.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records.jsonl", "run.json"]


def test_records_of_a_run_of_several_seeds_all_have_the_axis_seed(tmp_path: Path) -> None:
    write(tmp_path, record(0))
    with RunFolder(tmp_path, dataclasses.replace(RUN, sweep=dataclasses.replace(RUN.sweep, seed=8))) as opened:
        opened.append(record(0).with_seed(8))
        assert {seed for _, seed, _ in opened.done} == {0}
    assert sorted({one.axes["seed"] for one in read(tmp_path)[1]}) == [0, 8]


def test_a_closed_run_takes_no_more_records(tmp_path: Path) -> None:
    opened = RunFolder(tmp_path, RUN)
    opened.close()
    with pytest.raises(ValueError, match="closed file"):
        opened.append(record(0))


def test_asking_whether_a_run_is_in_use_leaves_no_handle_open(tmp_path: Path) -> None:
    write(tmp_path)
    free = len(os.listdir("/dev/fd"))
    assert not in_use(tmp_path)
    assert len(os.listdir("/dev/fd")) == free
    with RunFolder(tmp_path, RUN):
        busy = len(os.listdir("/dev/fd"))
        assert in_use(tmp_path)
        assert len(os.listdir("/dev/fd")) == busy


@pytest.mark.parametrize("name", ["run.json", "records.jsonl"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(StoreError, match=f"cannot read '.*{name}': Is a directory"):
        read(tmp_path)


def test_a_record_nested_too_deep_is_damaged(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "records.jsonl").write_text("[" * 200_000 + "\n")
    with pytest.raises(StoreError, match="line 1 is damaged"):
        read(tmp_path)


def test_others_may_read_a_run(tmp_path: Path) -> None:
    write(tmp_path)
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o644


def test_a_question_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((os.fstat(handle).st_size, list(tmp_path.iterdir()))))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))  # on another disk there is no such renaming
    write(tmp_path)
    ((size, files),) = seen
    assert size == (tmp_path / "run.json").stat().st_size
    assert tmp_path / "run.json" not in files


def test_a_question_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write the run folder .*: No space left on device"):
        RunFolder(tmp_path, RUN)
    assert list(tmp_path.iterdir()) == []


def test_facts_that_a_model_tells_once_it_was_asked_are_kept_beside_those_that_are_there(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RUN) as opened:
        before = opened.run.settings
        opened.keep_facts({"m": {"dropped": "temperature"}})
        opened.keep_facts({"m": {"dropped": "another"}})
    assert read(tmp_path)[0].settings == {**before, "m": {**before.get("m", {}), "dropped": "temperature"}}

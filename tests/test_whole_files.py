"""Files are whole or as they were, for whoever reads them meanwhile."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mta_eval.errors import StoreError
from mta_eval.results.text_files import write_lines
from mta_eval.whole_files import filling_folder, is_unfinished, making_folder, replacing, write_bytes, write_text


def test_a_file_is_as_it_was_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"half of the n")
        file.flush()
        assert path.read_text() == "old"
        file.write(b"ew")
    assert path.read_text() == "half of the new"
    assert os.listdir(tmp_path) == ["page.html"]


def test_an_error_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["page.html"])


def test_a_killed_writer_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")
    code = (
        "import sys, time; from pathlib import Path; from mta_eval.whole_files import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'x' * 10_000_000); file.flush(); print('half', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        writer.kill()
    assert path.read_text() == "old"


def test_modes_and_links_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    write_bytes(path, b"a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o600)
    link.symlink_to(path)
    write_bytes(link, b"b", durable=True)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), link.is_symlink()) == (b"b", 0o600, True)


def test_half_a_surrogate_pair_is_a_question_mark(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x\ud800y")
    write_lines(["é\udfff"], tmp_path / "b")
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("x?y", "é?\n")


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), replacing(tmp_path):
        pass
    with pytest.raises(StoreError, match="no regular file"):
        write_lines(["x"], Path("/dev/null"))


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = (
        "import sys; from pathlib import Path; from mta_eval.whole_files import write_bytes\n"
        "for _ in range(50): write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 100_000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), sign]) for sign in "ab"]
    deadline = time.monotonic() + 60
    seen = set()
    while any(writer.poll() is None for writer in writers) and time.monotonic() < deadline:
        if path.exists():
            data = path.read_bytes()
            assert len(data) == 100_000
            seen.add(data[:1])
            assert data == data[:1] * 100_000
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {b"a", b"b"}
    assert os.listdir(tmp_path) == ["file"]


def abandoned(folder: Path, name: str) -> Path:
    """What a killed writer of `name` leaves."""
    part = folder / f".{name}.abcdefg_.part"
    part.write_text("half")
    return part


def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    left, of_another = abandoned(tmp_path, "page.html"), abandoned(tmp_path, "a.page.html")
    mine = tmp_path / ".page.html.mine.part"
    mine.touch()
    write_text(tmp_path / "page.html", "new")
    assert not left.exists()
    assert of_another.exists()
    assert mine.exists()


def test_what_another_writer_has_in_hand_is_not_removed(tmp_path: Path) -> None:
    with replacing(tmp_path / "page.html") as first:
        first.write(b"first")
        write_text(tmp_path / "page.html", "second")
        assert sum(map(is_unfinished, tmp_path.iterdir())) == 1
    assert (tmp_path / "page.html").read_text() == "first"


def test_a_file_that_was_taken_for_an_abandoned_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, gone = fcntl.flock, []

    def lock(handle: int, kind: int) -> None:
        if not gone:  # another writer was between its being made and its being locked
            gone.extend(part for part in tmp_path.iterdir() if is_unfinished(part))
            gone[0].unlink()
        really(handle, kind)

    monkeypatch.setattr(fcntl, "flock", lock)
    write_text(tmp_path / "page.html", "whole")
    assert len(gone) == 1
    assert (tmp_path / "page.html").read_text() == "whole"


def test_without_locks_files_are_written_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    left = abandoned(tmp_path, "page.html")
    write_text(tmp_path / "page.html", "whole")
    assert left.exists()
    assert (tmp_path / "page.html").read_text() == "whole"


def test_a_folder_appears_whole_and_removes_what_a_killed_writer_left(tmp_path: Path) -> None:
    left = tmp_path / ".run.abcdefgh.part"
    (left / "made").mkdir(parents=True)
    (left / "made" / "records.jsonl").touch()
    with making_folder(tmp_path / "run") as made:
        (made / "file").write_text("all")
        assert not (tmp_path / "run").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "file"]
    with pytest.raises(OSError, match="not empty"), making_folder(tmp_path / "run"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "file"]


def test_files_of_a_library_are_each_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "model", "old")

    def fail() -> None:
        with filling_folder(tmp_path) as made:
            (made / "model").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ((tmp_path / "model").read_text(), os.listdir(tmp_path)) == ("old", ["model"])
    with filling_folder(tmp_path) as made:
        (made / "model").write_text("new")
        (made / "config").touch()
        assert (tmp_path / "model").read_text() == "old"
    assert ((tmp_path / "model").read_text(), sorted(os.listdir(tmp_path))) == ("new", ["config", "model"])

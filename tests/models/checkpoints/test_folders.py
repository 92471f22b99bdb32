from pathlib import Path

import pytest

from mta_eval.errors import ModelError
from mta_eval.models.checkpoints.folders import check_new, new_folder


def test_a_folder_is_written_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "made") as unfinished:
        (unfinished / "file").write_text("all of it")
        assert not (tmp_path / "deep" / "made").exists()
    assert (tmp_path / "deep" / "made" / "file").read_text() == "all of it"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["made"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "made") as unfinished:
            (unfinished / "file").write_text("half of")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_filled_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as unfinished:
        (unfinished / "file").touch()
    assert (tmp_path / "empty" / "file").exists()
    for used in (tmp_path / "empty", tmp_path / "empty" / "file"):
        with pytest.raises(ModelError, match="is there already"):
            check_new(used)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot write"), new_folder(tmp_path / "file" / "made"):
        pass

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.comparison import HEAD, Pairs, compare_pairs, pair_up
from mta_eval.results.comparison_page import conclusions, write_comparison
from mta_eval.results.verdicts import DISAGREEMENT_HEAD

pytestmark = pytest.mark.usefixtures("quick_pdfs")


def answers(model: str, right: int, task: str = "niah", **axes: int) -> list[Record]:
    """Ten draws at two depths; the first `right` of each depth are right."""
    return [
        Record(
            f"{task}/512/{depth:.2f}/{repeat}",
            task,
            model,
            {"length": 512, "depth": depth, "repeat": repeat} | axes,
            ["7"],
            "7",
            float(repeat < right),
            100,
            8,
            0.1,
        )
        for depth in (0.0, 1.0)
        for repeat in range(10)
    ]


def write(out: Path, first: list[Record], second: list[Record], x: str = "length", y: str = "depth") -> list[Path]:
    pairs = pair_up(first, second)
    return write_comparison(pairs, compare_pairs(pairs.pairs, x, y), (first[0].model, second[0].model), x, y, out)


def test_a_comparison_is_a_page_a_table_and_a_picture(tmp_path: Path) -> None:
    paths = write(tmp_path / "new" / "folder", answers("a", 0), answers("b", 10))
    assert [path.name for path in paths] == [
        *("compare.html", "compare.md", "compare.csv", "disagreements.csv", "difference_niah.png"),
    ]
    assert all(path.stat().st_size > 0 for path in paths)
    page = paths[1].read_text()
    assert "# a and b" in page
    assert "surely better in 2, worse in 0" in page
    assert "signs of whole draws" in page
    assert "b is better" in paths[0].read_text()
    rows = list(csv.DictReader(paths[2].read_text().splitlines()))
    assert [(row["length"], row["depth"], row["difference"]) for row in rows] == [
        ("", "", "1.0"),
        ("512", "0.0", "1.0"),
        ("512", "1.0", "1.0"),
    ]


def test_only_cells_that_surely_differ_are_framed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mta_eval.results.pictures.difference as pictures

    seen: list[list[list[bool]]] = []

    def keep(_a: object, _b: object, path: Path, significant: list[list[bool]]) -> tuple[Path, Path]:
        seen.append(significant)
        return path, path

    monkeypatch.setattr(pictures, "draw_difference", keep)
    second = [one for one in answers("b", 10) if one.axes["depth"] == 0] + [
        one for one in answers("b", 1) if one.axes["depth"] == 1
    ]
    write(tmp_path, answers("a", 0), second)
    assert seen == [[[True], [False]]]


def test_two_tasks_that_differ_in_signs_only_keep_their_own_picture(tmp_path: Path) -> None:
    first = answers("a", 0, "niah:a=1") + answers("a", 10, "niah:a_1")
    second = answers("b", 10, "niah:a=1") + answers("b", 10, "niah:a_1")
    names = [path.name for path in write(tmp_path, first, second)]
    assert names[4:] == ["difference_niah_a_1.png", "difference_niah_a_1_2.png"]


def test_a_task_without_the_axis_is_one_row(tmp_path: Path) -> None:
    first = answers("a", 0, needles=4) + answers("a", 3, "passkey")
    second = answers("b", 10, needles=4) + answers("b", 5, "passkey")
    paths = write(tmp_path, first, second, x="needles")
    assert len(paths) == 6
    assert "any, 100 %" in paths[1].read_text()


def test_nothing_in_a_name_breaks_the_page(tmp_path: Path) -> None:
    page = write(tmp_path, answers("hf:a|b", 0, "niah:x=|"), answers("<b>", 10, "niah:x=|"))[1].read_text()
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {len(HEAD) + 1, len(DISAGREEMENT_HEAD) + 1}


def test_conclusions_say_what_was_left_out() -> None:
    pairs = pair_up(answers("a", 0), answers("b", 10))
    found = compare_pairs(pairs.pairs, "length", "depth")
    lines = conclusions(found, Pairs(pairs.pairs, 3, 0, 2), "a", "b")
    assert lines[0].startswith("niah: b is better: 0 % and 100 %, +100 [")
    assert lines[1] == "of 2 cells b is surely better in 2, worse in 0"
    assert lines[2:] == [
        "left out: 3 samples that only a was asked",
        "left out: 2 samples that one of them could not answer",
    ]


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write(tmp_path / "file", answers("a", 0), answers("b", 1))

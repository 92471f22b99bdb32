from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import Record, Run, Sweep
from mta_eval.errors import SpecError, StoreError
from mta_eval.results import report
from mta_eval.results.page.build import SCRIPTS
from mta_eval.results.report import write_report

pytestmark = pytest.mark.usefixtures("quick_pdfs")


def record(
    score: float | None, number: int = 0, task: str = "niah:needles=4", model: str = "mta", **more: Any
) -> Record:
    known: dict[str, Any] = {
        "axes": {"length": 1024, "depth": 0.5, "repeat": number},
        "targets": ["7421"],
        "output": None if score is None else "it is 7421",
        "error": "out of memory" if score is None else None,
    } | more
    return Record(
        f"niah/{number}", task, model, score=score, prompt_tokens=1000, max_new_tokens=24, seconds=0.5, **known
    )


def write(tmp_path: Path, records: list[Record], **more: Any) -> dict[str, str]:
    """The text of every file but the PNGs and PDFs, by name."""
    paths = write_report(records, tmp_path / "out", **more)
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.suffix not in (".png", ".pdf")}


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what has nothing to do with them: drawing takes most of a report's time."""
    monkeypatch.setattr(report, "draw_gallery", lambda *_: [])


class Page(HTMLParser):
    """The tags of a page, its addresses, and its text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.script = tag == "script"
        self.attributes += [name for name, _ in attrs]
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        self.script = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self.script else data


def test_a_report_is_a_page_a_text_a_table_and_a_picture_for_each_task(tmp_path: Path) -> None:
    paths = write_report([record(1.0), record(0.0, task="passkey")], tmp_path / "new" / "folder")
    names = [path.name for path in paths]
    assert names[:3] == ["report.html", "report.md", "grid.csv"]
    for task in ("niah_needles_4", "passkey"):
        assert {f"heatmap_{task}.{kind}" for kind in ("png", "svg", "pdf")} <= set(names)
    assert all(path.stat().st_size > 0 for path in paths)


def test_two_tasks_that_differ_in_signs_only_keep_their_own_picture(tmp_path: Path) -> None:
    files = write(tmp_path, [record(1.0, task="niah:a=1"), record(0.0, task="niah:a_1")])
    assert {"heatmap_niah_a_1.svg", "heatmap_niah_a_1_2.svg"} <= set(files)
    assert "100 %" in files["heatmap_niah_a_1.svg"]
    assert "0/1" in files["heatmap_niah_a_1_2.svg"]


def test_the_page_holds_its_pictures_and_needs_no_network(tmp_path: Path) -> None:
    page = Page(write(tmp_path, [record(1.0), record(0.5, task="passkey")])["report.html"])
    assert "svg" not in page.tags  # drawn by the script, from the data block
    assert page.tags.count("script") == 3
    assert {"link", "iframe", "img"}.isdisjoint(page.tags)
    assert "src" not in page.attributes
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []


def test_the_script_has_no_way_to_read_data_as_html() -> None:
    scripts = [file.read_text("utf-8") for file in (Path(report.__file__).parent / "page").glob("*.js")]
    assert len(scripts) == len(SCRIPTS)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"):
        assert not [script for script in scripts if way in script], way


@pytest.fixture(scope="module")
def odd_answers(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of one right answer, niah/3, and of wrong ones such as only models give."""
    records = [
        record(1.0, 3),
        record(0.0, 7, model="<b>m</b>", output="<script>alert(1)</script>", targets=["<i>42</i>"]),
        record(0.0, 8, output="a" * 5000),
        record(0.0, 9, output=" \n"),
        record(0.0, 10, output="7\ud8004"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "draw_gallery", lambda *_: [])
        return Page(write(tmp_path_factory.mktemp("odd"), records)["report.html"])


def test_a_wrong_answer_is_shown_and_what_it_says_is_only_text(odd_answers: Page) -> None:
    page = odd_answers
    assert {"b", "i"}.isdisjoint(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "<i>42</i>" in page.text
    assert "niah/7" in page.text
    assert "niah/3" not in page.text  # right, so only the script knows of it


def test_a_very_long_answer_is_cut_and_says_so(odd_answers: Page) -> None:
    assert "a" * 400 + "… (4600 more characters)" in odd_answers.text


def test_an_empty_answer_is_named(odd_answers: Page) -> None:
    assert "(nothing)" in odd_answers.text


def test_a_broken_character_in_an_answer_does_not_stop_the_report(odd_answers: Page) -> None:
    assert "7?4" in odd_answers.text


@pytest.mark.usefixtures("no_pictures")
def test_at_most_ten_wrong_answers_are_shown_from_all_over(tmp_path: Path) -> None:
    wrong = [record(0.0, number, output=f"answer-{number}-") for number in range(100)]
    text = Page(write(tmp_path, wrong)["report.html"]).text
    shown = [number for number in range(100) if f"answer-{number}-" in text]
    assert shown == list(range(0, 100, 10))
    assert "10 of 100" in text


@pytest.mark.usefixtures("no_pictures")
def test_a_failed_sample_is_shown_with_its_error_and_not_as_a_zero(tmp_path: Path) -> None:
    files = write(tmp_path, [record(1.0), record(None, 5, axes={"length": 2048, "depth": 0.5})])
    text = Page(files["report.html"]).text
    assert "niah/5" in text
    assert "out of memory" in text
    assert "| 50 % | 100 % [21–100], n=1 | – |" in files["report.md"]
    rows = list(csv.DictReader(files["grid.csv"].splitlines()))
    assert [(row["length"], row["mean"], row["count"]) for row in rows] == [("1024", "1.0", "1"), ("2048", "", "0")]


@pytest.mark.usefixtures("no_pictures")
def test_the_table_holds_every_task_and_model(tmp_path: Path) -> None:
    records = [record(1.0), record(0.0, model="diff"), record(0.5, task="passkey")]
    rows = list(csv.DictReader(write(tmp_path, records)["grid.csv"].splitlines()))
    assert [(row["task"], row["model"], row["mean"]) for row in rows] == [
        ("niah:needles=4", "mta", "1.0"),
        ("niah:needles=4", "diff", "0.0"),
        ("passkey", "mta", "0.5"),
    ]


@pytest.mark.usefixtures("no_pictures")
def test_the_text_tells_what_was_run(tmp_path: Path) -> None:
    run = Run(
        tasks=("niah:needles=4",),
        models=("mta",),
        sweep=Sweep((1024, 131072), (0.0, None), 3, 17),
        answer="generate",
        over_length="skip",
        version="0.1.0",
        tokenizers={"mta": "abc123"},
        environment={"python": "3.11.9", "models": {"mta": {"dtype": "float32"}}},
    )
    files = write(tmp_path, [record(1.0)], runs=[("monday", run)])
    rows = (
        "| lengths | 1K · 128K |",
        "| depths | 0 % · any |",
        "| repeats | 3 |",
        "| seed | 17 |",
        "| answer mode | generate |",
        "| mta-eval | 0.1.0 |",
        "| tokenizer of mta | abc123 |",
        "| python | 3.11.9 |",
        "| models | mta dtype float32 |",
        "| mta | 1 | 1,000 | – | 0.5 s | – |",
    )
    assert [row for row in rows if row not in files["report.md"]] == []
    assert "### monday" in files["report.md"]
    assert "abc123" in Page(files["report.html"]).text


@pytest.mark.usefixtures("no_pictures")
def test_without_its_run_the_records_tell_what_was_run(tmp_path: Path) -> None:
    text = write(tmp_path, [record(1.0), record(1.0, task="passkey")])["report.md"]
    assert "| tasks | niah:needles=4 · passkey |" in text
    assert "| lengths | 1K |" in text


def test_task_and_model_can_be_the_axes(tmp_path: Path) -> None:
    files = write(tmp_path, [record(1.0), record(0.0, task="passkey", model="diff")], x="task", y="model")
    rows = list(csv.DictReader(files["grid.csv"].splitlines()))
    assert [row["mean"] for row in rows] == ["1.0", "", "", "0.0"]
    assert "heatmap_all_tasks.svg" in files


def test_a_task_without_the_axis_of_another_is_still_reported(tmp_path: Path) -> None:
    files = write(tmp_path, [record(1.0), record(0.0, task="letter_blocks", axes={"length": 512})])
    assert "any" in files["heatmap_letter_blocks.svg"]


def test_the_same_records_give_the_same_page(tmp_path: Path) -> None:
    records = [record(1.0), record(None, 1), record(0.0, 2)]
    assert write(tmp_path / "a", records)["report.html"] == write(tmp_path / "b", records)["report.html"]


def test_where_all_failed_the_report_says_so_and_counts_the_errors(tmp_path: Path) -> None:
    failed = [
        record(None, number, error="out of memory" if number else "no such file\nin detail") for number in range(4)
    ]
    files = write(tmp_path, failed)
    text = " ".join(Page(files["report.html"]).text.split())
    assert "Nothing was scored: all 4 samples failed" in text
    assert re.search(r"3 ?out of memory ?1 ?no such file", text)
    assert "| 3 | out of memory |" in files["report.md"]
    assert [row["mean"] for row in csv.DictReader(files["grid.csv"].splitlines())] == [""]


def test_no_records_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing to report"):
        write_report([], tmp_path / "out")


@pytest.mark.usefixtures("no_pictures")
def test_an_unknown_axis_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match='did you mean "depth"'):
        write_report([record(1.0)], tmp_path / "out", y="deph")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_pictures")
def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands here")
    with pytest.raises(StoreError) as caught:
        write_report([record(1.0)], tmp_path / "out")
    assert str(tmp_path / "out") in str(caught.value)
    assert "exists" in str(caught.value)


def test_a_picture_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "out" / "heatmap_passkey.png").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"heatmap_passkey\.png.*Is a directory"):
        write_report([record(1.0, task="passkey")], tmp_path / "out")

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from mta_eval.commands.watch import repeat_while_written, scores_table, watch
from mta_eval.core import Record, Run, Sweep
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.store import RunFolder

RUN = Run(("niah",), ("m",), Sweep((512,), (0.0, 1.0), 2), "generate", "refuse", "1", {})


def record(repeat: int, depth: float = 0.0) -> Record:
    axes = {"length": 512, "depth": depth, "repeat": repeat}
    return Record(f"niah/512/{depth:.2f}/{repeat}", "niah", "m", axes, ["7"], "7", 1.0, 100, 8, 0.1)


def shown(records: list[Record], lacking: dict[str, int]) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(scores_table(records, lacking, "length", "depth"))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_run_that_goes_on_is_drawn_until_nobody_writes_and_once_after_that(tmp_path: Path) -> None:
    drawn: list[tuple[int, bool]] = []
    folder = RunFolder(tmp_path, RUN)
    folder.append(record(0))

    def draw(going_on: bool) -> None:
        drawn.append(((tmp_path / "records.jsonl").read_text().count("\n"), going_on))
        if len(drawn) == 2:
            folder.append(record(1))
            folder.close()

    repeat_while_written([tmp_path], 0.01, draw)
    assert drawn == [(1, True), (1, True), (2, False)]


def test_a_finished_run_is_drawn_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        for depth in (0.0, 1.0):
            folder.append(record(0, depth))
    began = time.monotonic()
    watch([tmp_path], "length", "depth", 60)
    assert time.monotonic() - began < 30
    out = capsys.readouterr().out
    assert out.endswith("\n")
    assert "\x1b" not in out  # a log gets no colours and no cursor
    assert out.count("niah · m") == 1
    assert "1.00 (1/1)" in out
    assert "2 answers" in out
    assert "2 samples are missing" in out


def test_a_log_gets_what_the_run_had_in_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder(tmp_path, RUN)

    def go_on() -> None:
        for repeat in (0, 1):
            time.sleep(0.1)
            folder.append(record(repeat))
        folder.close()

    writer = threading.Thread(target=go_on)
    writer.start()
    watch([tmp_path], "length", "depth", 0.05)
    writer.join()
    out = capsys.readouterr().out
    assert "1.00 (2/2)" in out
    assert out.endswith("\n")


def test_a_run_without_answers_yet_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunFolder(tmp_path, RUN).close()
    watch([tmp_path], "length", "depth", 1)
    assert "0 answers" in capsys.readouterr().out


def test_no_run_and_no_such_axis_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        watch([tmp_path / "nowhere"], "length", "depth", 1)
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
    with pytest.raises(SpecError, match='no record has the axis "lenght"'):
        watch([tmp_path], "lenght", "depth", 1)


def test_ctrl_c_leaves_the_last_table_and_goes_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
        monkeypatch.setattr("mta_eval.commands.watch.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            watch([tmp_path], "length", "depth", 1)
    assert capsys.readouterr().out.endswith("\n")


def test_the_table_has_a_gap_where_nothing_was_measured() -> None:
    missing = record(0, 1.0)
    failed = Record(**{**missing.__dict__, "score": None, "error": "E"})
    text = shown([record(0), failed], {"runs/a": 3})
    assert [line.split() for line in text.splitlines()][1:4] == [
        ["depth", "\\", "length", "512"],
        ["0", "%", "1.00", "(1/1)"],
        ["100", "%", "–"],
    ]
    assert "runs/a: 3 samples are missing" in text


def test_brackets_in_a_name_are_no_colours() -> None:
    odd = Record(**{**record(0).__dict__, "model": "hf:[red]x[/red]"})
    assert "hf:[red]x[/red]" in shown([odd], {"[bold]": 1})
    assert "[bold]: 1 sample is missing" in shown([odd], {"[bold]": 1})

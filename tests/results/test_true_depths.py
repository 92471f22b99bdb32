"""What a report says of needles that stand off the depth of their cell."""

from __future__ import annotations

from pathlib import Path

from mta_eval.core import QuotedNeedle, Record
from mta_eval.results.report import write_report
from mta_eval.results.true_depths import depth_lines


def record(depth: float | None, *needles: tuple[float, bool], task: str = "niah", number: int = 0) -> Record:
    return Record(
        sample_id=f"{task}/512/{depth}/{number}", task=task, model="m", axes={"length": 512, "depth": depth},
        targets=["x"], output="x", score=1.0, prompt_tokens=9, max_new_tokens=16, seconds=1.0,
        needles=[QuotedNeedle("k", "v", "t", 1, 2, at, asked) for at, asked in needles],
    )  # fmt: skip


def test_needles_off_their_depth_are_counted_with_the_worst() -> None:
    records = [record(0.5, (0.99, True)), record(0.5, (0.4, True), (0.9, False)), record(0.5, (0.46, True))]
    assert depth_lines([*records, record(0.1, (0.9, True), task="passkey")]) == [
        "2 of 3 samples of niah have their needle more than 0.05 off the depth of their cell, at worst 0.49; "
        "records hold the true depths",
        "1 of 1 samples of passkey have their needle more than 0.05 off the depth of their cell, at worst 0.80; "
        "records hold the true depths",
    ]


def test_the_nearest_of_the_needles_asked_is_the_swept_one() -> None:
    assert depth_lines([record(0.5, (0.1, True), (0.52, True))]) == []
    assert depth_lines([record(0.5, (0.1, True), (0.5, False))]) != []


def test_what_has_no_depth_is_passed_over() -> None:
    assert depth_lines([record(None, (0.9, True)), record(0.5, (0.1, False)), record(0.5)]) == []


def test_the_report_says_so(tmp_path: Path) -> None:
    write_report([record(0.5, (0.9, True)), record(0.0, (0.0, True), number=1)], tmp_path)
    for name in ("report.md", "report.html"):
        assert "at worst 0.40" in (tmp_path / name).read_text("utf-8").replace("<wbr>", "")

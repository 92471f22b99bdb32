from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest

from mta_eval.core import Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.comparison import (
    HEAD,
    Compared,
    compare_pairs,
    comparison_frame,
    comparison_rows,
    p_text,
    pair_up,
)
from mta_eval.results.statistics import Estimate, holm
from mta_eval.results.table import gap_text

Score = Callable[[int, float, int], float | None]


def answers(model: str, score: Score, task: str = "niah", repeats: int = 10, **more: Any) -> list[Record]:
    """Lengths 512 and 1024, depths 0 and 1, `repeats` draws; `score` of (length, depth, repeat)."""
    return [
        Record(
            f"{task}/{length}/{depth:.2f}/{repeat}",
            task,
            model,
            {"length": length, "depth": depth, "repeat": repeat},
            ["7"],
            "7",
            score(length, depth, repeat),
            100,
            8,
            0.1,
            prompt_sha256=f"{task}{length}{depth}{repeat}",
            **more,
        )
        for length in (512, 1024)
        for depth in (0.0, 1.0)
        for repeat in range(repeats)
    ]


def always(_length: int, _depth: float, _repeat: int) -> float:
    return 1.0


def at_the_end(_length: int, depth: float, _repeat: int) -> float:
    return float(depth == 1)


def compared(first: list[Record], second: list[Record], x: str = "length", y: str = "depth") -> list[Compared]:
    return compare_pairs(pair_up(first, second).pairs, x, y)


def test_what_one_model_has_right_and_the_other_wrong_is_counted_and_tested() -> None:
    whole, *cells = compared(answers("a", always), answers("b", at_the_end))
    assert (whole.whole, whole.x, whole.y, whole.pairs) == (True, None, None, 40)
    assert (whole.first, whole.second, whole.gap.mean) == (1.0, 0.5, -0.5)
    assert (whole.only_first, whole.only_second) == (20, 0)
    by_cell = {(cell.x, cell.y): cell for cell in cells}
    assert list(by_cell) == [(512, 0.0), (512, 1.0), (1024, 0.0), (1024, 1.0)]
    lost, kept = by_cell[512, 0.0], by_cell[512, 1.0]
    assert lost.p == pytest.approx(2 / 2**10)  # ten pairs all for one side
    assert (lost.gap.mean, lost.differs) == (-1.0, True)
    assert (kept.p, kept.gap.mean, kept.differs) == (1.0, 0.0, False)
    assert [cell.holm for cell in cells] == pytest.approx(holm([cell.p for cell in cells]))


def test_the_p_of_a_whole_task_takes_the_depths_of_a_draw_together() -> None:
    # one repeat, two lengths: two draws, whatever the number of depths
    whole, *_ = compared(answers("a", always, repeats=1), answers("b", lambda *_: 0.0, repeats=1))
    assert whole.only_first == 4
    assert whole.p == pytest.approx(2 / 2**2)


def test_a_cell_that_holds_one_draw_proves_nothing() -> None:
    _, *cells = compared(answers("a", always), answers("b", lambda *_: 0.0), x="length", y="repeat")
    assert {cell.pairs for cell in cells} == {2}
    assert {cell.p for cell in cells} == {1.0}
    assert {cell.gap[1:] for cell in cells} == {(-1.0, 1.0)}


def test_one_pair_of_fractions_is_compared_and_proves_nothing() -> None:
    whole, *cells = compared(answers("a", lambda *_: 0.5, repeats=1), answers("b", lambda *_: 0.75, repeats=1))
    assert [cell.p for cell in cells] == [1.0] * 4
    assert whole.gap.mean == 0.25
    assert (whole.only_first, whole.only_second) == (0, 0)


def test_fractions_are_tested_by_flipped_signs() -> None:
    _, *cells = compared(answers("a", lambda *_: 0.25), answers("b", lambda *_: 0.5))
    assert [cell.p for cell in cells] == pytest.approx([2 / 2**10] * 4)


def test_holm_corrects_over_the_cells_of_one_task_and_not_over_tasks() -> None:
    one, other = answers("a", always, "niah"), answers("a", always, "passkey")
    worse, same = answers("b", at_the_end, "niah"), answers("b", always, "passkey")
    rows = compared(one + other, worse + same)
    assert [(row.task, row.whole) for row in rows][:6:5] == [("niah", True), ("passkey", True)]
    niah = [row for row in rows if row.task == "niah" and not row.whole]
    assert [row.holm for row in niah] == pytest.approx(holm([row.p for row in niah]))


def test_what_only_one_was_asked_and_what_failed_is_left_out_and_counted() -> None:
    first = [one for one in answers("a", always) if one.axes["length"] == 512]
    second = [
        dataclasses.replace(one, score=None, error="E") if one.axes["repeat"] == 0 else one
        for one in answers("b", always)
    ]
    pairs = pair_up(first, second)
    assert (len(pairs.pairs), pairs.only_first, pairs.only_second, pairs.unscored) == (18, 0, 20, 2)
    whole, *cells = compare_pairs(pairs.pairs, "length", "depth")
    assert [cell.pairs for cell in cells] == [9, 9]
    assert whole.pairs == 18


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"prompt_sha256": "x"}, "tokenizers"),
        ({"targets": ["8"]}, "tokenizers"),
        ({"prompt_sha256": "x", "truncated": True}, "cut to the window"),
    ],
)
def test_samples_that_are_not_the_same_are_refused(changed: dict[str, Any], said: str) -> None:
    second = answers("b", always)
    second[7] = dataclasses.replace(second[7], **changed)
    with pytest.raises(StoreError, match=f"niah/512/0.00/7 is not the same sample.*{said}"):
        pair_up(answers("a", always), second)


def test_nothing_in_common_says_what_each_has() -> None:
    with pytest.raises(StoreError, match="the first has niah, the second passkey"):
        pair_up(answers("a", always), answers("b", always, "passkey"))


def test_nothing_that_both_could_answer_is_one_line() -> None:
    with pytest.raises(StoreError, match="of 40 samples in both, none was answered"):
        pair_up(answers("a", always), answers("b", lambda *_: None, error="E"))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ("lenght", "depth", 'did you mean "length"'),
        ("length", "length", "both axes"),
        ("model", "depth", "stand side by side"),
    ],
)
def test_axes_that_cannot_be_are_refused(x: str, y: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        compared(answers("a", always), answers("b", always), x, y)


def test_the_rows_say_what_differs_and_star_what_is_sure() -> None:
    found = compared(answers("a", always), answers("b", at_the_end))
    rows = comparison_rows(found, "length", "depth")
    assert {len(row) for row in rows} == {len(HEAD)}
    assert rows[0][:6] == ["niah", "all", "40", "20", "100 %", "50 %"]
    assert rows[0][-1].endswith("*")
    assert rows[1][1] == "512, 0 %"
    assert rows[1][-1].endswith("*")
    assert not rows[2][-1].endswith("*")


def test_the_frame_keeps_lengths_whole_and_marks_the_line_of_a_task_by_empty_cells() -> None:
    text = comparison_frame(compared(answers("a", always), answers("b", at_the_end)), "length", "depth").to_csv()
    head, whole, cell, *_ = text.splitlines()
    assert head.split(",")[1:6] == ["task", "length", "depth", "pairs", "draws"]
    assert whole.split(",")[1:5] == ["niah", "", "", "40"]
    assert cell.split(",")[1:5] == ["niah", "512", "0.0", "10"]


def test_task_may_be_an_axis() -> None:
    rows = compared(answers("a", always), answers("b", at_the_end), "task", "depth")
    assert [(row.x, row.y) for row in rows] == [(None, None), ("niah", 0.0), ("niah", 1.0)]
    assert list(comparison_frame(rows, "task", "depth").columns).count("task") == 1


def test_texts_of_gaps_and_p_values() -> None:
    assert gap_text(Estimate(0.35, 0.2, 0.5)) == "+35 [+20, +50]"
    assert [p_text(p) for p in (0.0004, 0.031, 1.0)] == ["<0.001", "0.031", "1"]
    assert not math.isnan(float(p_text(0.5)))

"""tunnel.json, tunnel.md and the figure, from outcomes made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_tunnel import outcome, tunnel

from mta_eval.errors import StoreError
from mta_eval.tunnel.matching import Fit
from mta_eval.tunnel.tunnel_files import write_tunnel
from mta_eval.tunnel.tunnel_json import as_json
from mta_eval.tunnel.tunnel_markdown import as_markdown
from mta_eval.tunnel.tunnel_result import error_interval


def small(**changes: Any) -> Any:
    made = [
        outcome(0.0, 0.02, 0.7),
        outcome(0.9, 1.0, 0.95, kind="diff"),
        outcome(0.5, 0.5, 0.5, task="order"),
        outcome(0.0, 0.0, 0.0, kind="diff", task="order"),
    ]
    return replace(tunnel(*made, **changes), made={"command": "mta-eval tunnel"})


def test_every_number_is_in_the_json() -> None:
    found: Any = json.loads(json.dumps(as_json(small()), allow_nan=False))
    assert [one["name"] for one in found["variants"]] == ["mta", "diff"]
    assert [(one["task"], one["chance"], one["longer"]) for one in found["tasks"]][1] == (
        "order",
        0.5,
        "order:items=64",
    )
    assert [one["verdict"] for one in found["tasks"]] == list(small().verdicts.values())
    first = found["outcomes"][0]
    assert (first["task"], first["variant"], first["learning_rate"], first["standing"]) == (
        "copy",
        "mta",
        1e-3,
        "sometimes",
    )
    assert first["wrong"] == pytest.approx(0.24)
    assert first["interval"] == list(error_interval([0.0, 0.02, 0.7]) or ())
    assert (first["parameters_unmatched"], first["swiglu_width"], first["seeds"][0]["memory"]) == (None, 8, 2_000_000)
    assert found["axes"] == []
    assert found["made"] == {"command": "mta-eval tunnel"}
    assert first["sweep_losses"] == {"0.0001": 3.0, "0.001": 1.0, "0.01": 2.0}
    assert [seed["wrong"] for seed in first["seeds"]] == [0.0, 0.02, 0.7]
    assert [seed["solved_at"] for seed in first["seeds"]] == [300, 300, None]
    assert found["protocol"]["learning_rates"] == [1e-3, 1e-2]


def test_a_diverged_training_is_null_where_there_is_no_number() -> None:
    one = outcome(1.0, diverged=True, seconds_per_step=None, memory=None)
    gone = tunnel(replace(one, sweep={1e-3: float("inf")}))
    found: Any = json.loads(json.dumps(as_json(gone), allow_nan=False))
    assert found["outcomes"][0]["sweep_losses"] == {"0.001": None}
    assert found["outcomes"][0]["seeds"][0]["seconds_per_step"] is None
    assert any("MTA on copy: diverged (seed 0), which counts as all wrong" in note for note in gone.notes)
    assert "| copy | 1,000 · 8 · – |" in as_markdown(gone)
    assert as_markdown(gone).endswith("| copy | – |\n")


def test_tables_have_a_row_for_each_task_and_every_seed() -> None:
    text = as_markdown(small())
    assert "| copy | 24.0 % [0–100] (0.0 · 2.0 · 70.0) | 95.0 % [83–100] (90.0 · 100.0 · 95.0) |" in text
    assert "| copy | 300 · 300 · – | – · – · – |" in text
    assert "| order | 1,000 · 8 · 2.0 MB | 1,000 · 8 · 2.0 MB |" in text
    assert "| order | 0.500 | 0.500 |" in text
    assert "| copy | 0.001 (0.0001: 3.000 · 0.001: 1.000 · 0.01: 2.000) |" in text
    assert text.count("| task | MTA | DIFF |") == 6
    assert "its 95 % interval (by t, cut at 0 and 100)" in text
    for sentence in small().verdicts.values():
        assert f"- {sentence}\n" in text


def test_intervals_are_students_of_three_seeds_or_more() -> None:
    assert error_interval([0.5]) is None
    assert error_interval([0.5, 0.6]) is None
    assert error_interval([0.4, 0.5, 0.6]) == pytest.approx(
        (0.5 - 0.24841, 0.5 + 0.24841), abs=1e-5
    )  # 4.3027 * 0.1 / √3
    assert error_interval([0.0, 0.02, 0.7]) == (0.0, pytest.approx(1.0))
    assert error_interval([0.0, 0.0, 0.0]) == (0.0, 0.0)


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_seeds_are_shown_one_by_one(seeds: int) -> None:
    text = as_markdown(tunnel(outcome(*[0.25, 0.5][:seeds]), outcome(*[0.5, 0.75][:seeds], kind="diff")))
    assert ("| copy | 25.0 | 50.0 |", "| copy | 25.0 · 50.0 | 50.0 · 75.0 |")[seeds - 1] in text
    assert "every seed; an interval takes 3" in text


def test_the_times_alone_are_other_in_every_run() -> None:
    """A tunnel again, elsewhere: all before the last table is the same byte for byte."""
    first, again = (as_markdown(tunnel(outcome(0.1, 0.2, seconds_per_step=time))) for time in (0.5, 0.7))
    assert first != again
    assert first.split("## Seconds a step")[0] == again.split("## Seconds a step")[0]


def test_notes_say_what_must_be_known() -> None:
    edge = replace(outcome(0.5), rate=1e-2)
    made = tunnel(edge, outcome(0.5, kind="diff"), outcome(0.5, kind="talking_heads"))
    size = made.plan.preset.size
    fits = {
        ("copy", "diff"): Fit(replace(size, hidden=6), 1005, 1100, 1000),
        ("copy", "talking_heads"): Fit(size, 1030, 1030, 1000),
    }
    made = replace(made, plan=replace(made.plan, fits=fits, remarks=("a remark.",)))
    notes = made.notes
    assert notes == [
        "tiny.",
        "One seed: what a variant fails at may be the fault of its seed; --seeds 3 tells.",
        "a remark.",
        "MTA on copy: the learning rate 0.01 is the edge of those that were tried.",
        "DIFF on copy: the SwiGLU has width 6, not 8, which makes 1,100 parameters 1,005; "
        "the plain Transformer has 1,000.",
        "TALKING_HEADS on copy: +3.0 % parameters, compared with the plain Transformer.",
    ]
    for note in notes:
        assert f"- {note}\n" in as_markdown(made)


def test_markup_in_a_title_stays_text() -> None:
    from mta_eval.tunnel.verdicts import Judged

    made = small()
    evil = "<b>|[x](http://evil)"
    judged = {key: Judged(one.outcome, evil) for key, one in made.judged.items()}
    text = as_markdown(type(made)(made.plan, "tiny", judged))
    assert "<b>" not in text
    assert "[x](http" not in text


@pytest.mark.usefixtures("quick_pdfs")
def test_the_figure_shows_every_seed(tmp_path: Path, figures: list[Any]) -> None:
    paths = write_tunnel(small(), tmp_path)
    assert {path.name for path in paths} == {"tunnel.json", "tunnel.md", "tunnel.png", "tunnel.svg", "tunnel.pdf"}
    assert all(path.exists() for path in paths)
    axes = figures[0].axes
    assert len(axes) == 6
    errors = [axes_ for axes_ in axes if axes_.get_xlim() == (-3, 103)]
    assert len(errors) == 2
    filled = [line for line in errors[0].lines if line.get_marker() in ("o", "s")]
    shown = sorted(x for line in filled for x in line.get_xdata())
    assert shown == pytest.approx(sorted(2 * [0.0, 2.0, 70.0, 90.0, 100.0, 95.0]))  # and of longer rows
    crosses = [len(line.get_xdata()) for line in axes[1].lines if line.get_marker() == "x"]
    assert sum(crosses) == 4
    assert [label.get_text() for label in errors[0].get_yticklabels()] == ["MTA", "DIFF"]
    assert [bar.get_width() for bar in axes[2].patches] == [500, 500]
    dashed = [line.get_xdata()[0] for line in errors[1].lines if line.get_linestyle() == "--"]
    assert dashed == [50.0]  # chance


@pytest.mark.usefixtures("quick_pdfs")
def test_an_axis_is_a_curve_for_each_variant(tmp_path: Path, figures: list[Any]) -> None:
    tasks = [f"copy:length={value}" for value in (2, 4, 8)]
    wrong = {"mta": (0.0, 0.0, 0.5), "diff": (0.2, 0.6, 0.9)}
    made = [
        outcome(*[share] * 3, kind=kind, task=task)
        for kind in wrong
        for share, task in zip(wrong[kind], tasks, strict=True)
    ]
    write_tunnel(tunnel(*made), tmp_path)
    key, errors, steps, cost = figures[0].axes
    assert [text.get_text() for text in key.get_legend().get_texts()] == ["MTA", "DIFF"]
    curves = [
        list(line.get_ydata()) for line in errors.lines if line.get_linestyle() == "-" and len(line.get_ydata()) == 3
    ]
    assert [pytest.approx([100 * share for share in shares]) for shares in wrong.values()] == curves
    assert [label.get_text() for label in errors.get_xticklabels()] == ["2", "4", "8"]
    assert errors.get_title(loc="left") == "copy, by length"
    assert sum(len(line.get_ydata()) for line in steps.lines if line.get_marker() == "x") == 3 * 4
    assert [list(line.get_ydata()) for line in cost.lines] == [[500.0] * 3] * 2


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_tunnel(small(), tmp_path / "file")

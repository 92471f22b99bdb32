"""tunnel.json, tunnel.md and the figure, from outcomes made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_tunnel import outcome, tunnel

from mta_eval.errors import StoreError
from mta_eval.results.statistics import interval
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
    return tunnel(*made, **changes)


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
    assert first["interval"] == list(interval([0.0, 0.02, 0.7]))
    assert first["sweep_losses"] == {"0.0001": 3.0, "0.001": 1.0, "0.01": 2.0}
    assert [seed["wrong"] for seed in first["seeds"]] == [0.0, 0.02, 0.7]
    assert [seed["solved_at"] for seed in first["seeds"]] == [300, 300, None]
    assert found["protocol"]["learning_rates"] == [1e-3, 1e-2]


def test_a_diverged_training_is_null_where_there_is_no_number() -> None:
    from dataclasses import replace

    one = outcome(1.0, diverged=True, seconds_per_step=None)
    gone = tunnel(replace(one, sweep={1e-3: float("inf")}))
    found: Any = json.loads(json.dumps(as_json(gone), allow_nan=False))
    assert found["outcomes"][0]["sweep_losses"] == {"0.001": None}
    assert found["outcomes"][0]["seeds"][0]["seconds_per_step"] is None
    assert any("MTA on copy: diverged (seed 0), which counts as all wrong" in note for note in gone.notes)
    assert "1,000, –" in as_markdown(gone)


def test_tables_have_a_row_for_each_task_and_every_seed() -> None:
    text = as_markdown(small())
    low, high = interval([0.0, 0.02, 0.7])
    assert f"| copy | 24.0 % [{100 * low:.0f}–{100 * high:.0f}] (0.0 · 2.0 · 70.0) | 95.0 %" in text
    assert "| copy | 300 · 300 · – | – · – · – |" in text
    assert "| order | 1,000, 0.500 s | 1,000, 0.500 s |" in text
    assert "| copy | 0.001 (0.0001: 3.000 · 0.001: 1.000 · 0.01: 2.000) |" in text
    assert text.count("| task | MTA | DIFF |") == 5
    for sentence in small().verdicts.values():
        assert f"- {sentence}\n" in text


def test_one_seed_has_no_interval() -> None:
    assert error_interval([0.5]) is None
    text = as_markdown(tunnel(outcome(0.25), outcome(0.5, kind="diff")))
    assert "| copy | 25.0 | 50.0 |" in text
    assert "over 1 seed," in text


def test_notes_say_what_must_be_known() -> None:
    from dataclasses import replace

    edge = replace(outcome(0.5), rate=1e-2)
    heavy = outcome(0.5, kind="diff", parameters=1100)
    light = outcome(0.5, kind="talking_heads", parameters=1019)
    notes = tunnel(edge, heavy, light).notes
    assert notes == [
        "tiny.",
        "One seed: what a variant fails at may be the fault of its seed; --seeds 3 tells.",
        "MTA on copy: the learning rate 0.01 is the edge of those that were tried.",
        "DIFF on copy: +10 % parameters, compared with the first variant.",
    ]
    for note in notes:
        assert f"- {note}\n" in as_markdown(tunnel(edge, heavy, light))


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
    assert len(axes) == 4
    errors = [axes_ for axes_ in axes if axes_.get_xlim() == (-3, 103)]
    assert len(errors) == 2
    shown = sorted(x for line in errors[0].lines if line.get_marker() in "os" for x in line.get_xdata())
    assert shown == pytest.approx(sorted(2 * [0.0, 2.0, 70.0, 90.0, 100.0, 95.0]))  # and of longer rows
    crosses = [len(line.get_xdata()) for line in axes[1].lines if line.get_marker() == "x"]
    assert sum(crosses) == 4
    assert [label.get_text() for label in errors[0].get_yticklabels()] == ["MTA", "DIFF"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_tunnel(small(), tmp_path / "file")

"""Attention maps of a trained variant: its own weights, on a row of the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_tunnel import result, run, tiny_plan

from mta_eval import registry
from mta_eval.tunnel.attention_maps import asked_rows, draw_attention_maps, maps_of
from mta_eval.tunnel.plan import TunnelOutcome
from mta_eval.tunnel.tunnel_result import tunnel_of

TASK = "order:items=2,questions=1,kinds=8"


@pytest.mark.usefixtures("quick_pdfs")
def test_every_head_of_the_variant_in_question_is_drawn(tmp_path: Path, figures: list[Any]) -> None:
    plan = tiny_plan("diff", tasks=(TASK,), rates=(1e-3,), seeds=1)
    outcomes = run(plan, tmp_path)
    paths = draw_attention_maps(tunnel_of(plan, "tiny", outcomes), tmp_path)
    assert [one.path.name for one in paths] == ["attention_order_items_2_questions_1_kinds_8.svg"]
    assert paths[0].title == "DIFF on order at items 2, questions 1, kinds 8, seed 0"
    assert all(paths[0].path.with_suffix(f".{kind}").exists() for kind in ("png", "svg", "pdf"))
    images = [axes.images[0].get_array() for axes in figures[0].axes if axes.images]
    row = registry.build_diagnostic(TASK).row("test", 0, 0)[:-1]
    (layer,) = maps_of(outcomes[0].results[0], tmp_path, row, 5)
    assert layer.shape == (1, 5, 5)  # of DIFF's two heads, one pair
    assert torch.equal(torch.as_tensor(images[0].data), layer[0])
    assert len(images) == 1
    assert "DIFF on order at items 2" in figures[0].get_suptitle()


def test_a_training_that_diverged_has_no_map(tmp_path: Path) -> None:
    plan = tiny_plan(tasks=(TASK,))
    gone = [TunnelOutcome(TASK, kind, {}, 1e-3, [result(1.0, diverged=True)]) for kind in ("mta", "transformer")]
    assert draw_attention_maps(tunnel_of(plan, "tiny", gone), tmp_path) == []


def test_rows_whose_next_token_is_asked() -> None:
    recall = registry.build_diagnostic("associative_recall:questions=2")
    row = recall.row("test", 0, 0)
    count = 5
    last = row[:-1][-count:]
    for place in asked_rows(recall, count):
        assert last[place] in row[: row.index(0) : 2]  # a key
    assert asked_rows(recall, count) == [2, 4]
    assert asked_rows(registry.build_diagnostic("copy:length=30"), 16) == list(range(16))

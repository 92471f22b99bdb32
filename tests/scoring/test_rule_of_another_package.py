"""A rule that another package names by an entry point scores in tasks and in `rescore`, and stands in the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval import scoring
from mta_eval.core import Cell
from mta_eval.errors import SpecError
from mta_eval.registry import build_model, build_task, spec_of
from mta_eval.scoring import rules


@pytest.fixture(autouse=True)
def last_word(plugin: Callable[[str, str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_RULES", dict(rules._RULES))
    plugin("mta_eval.rules", "last_word", "plugin_package.last_word:last_word")


def test_a_task_scores_by_it() -> None:
    task = build_task("niah:rule=last_word")
    sample = task.sample(Cell(300, 0.5, 0), 0, build_model("window:300").tokenizer)
    assert [task.score(sample, output) for output in (f"It is {sample.targets[0]}.", f"{sample.targets[0]} it is")] == [
        1,
        0,
    ]


def test_rescore_scores_by_it(call: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    rows = [{"prediction": "it is 71", "label": "71"}, {"prediction": "71 it is", "label": "71"}]
    (tmp_path / "preds_passkey.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = call("rescore", "preds_passkey.jsonl", "--out", "again", "--rule", "last_word")
    assert (code, err) == (0, "")
    assert "last_word" in out
    assert "last_word,2,0.5" in (tmp_path / "again" / "rescore.csv").read_text()


def test_it_is_listed_with_its_card() -> None:
    assert "last_word" in scoring.names()
    assert scoring.find("last_word").summary == "The last word of the output is a target."


def test_an_entry_point_that_is_no_rule_is_named(plugin: Callable[[str, str, str], None]) -> None:
    plugin("mta_eval.rules", "no_rule", "plugin_package.alibi:math")
    with pytest.raises(SpecError, match="'no_rule'"):
        scoring.find("no_rule")


def test_a_name_belongs_to_one_rule() -> None:
    with pytest.raises(SpecError, match="two scoring rules called 'ruler_all'"):
        scoring.rule("ruler_all", source="")(lambda _: 0.0)


@pytest.mark.parametrize("task", ["niah", "passkey", "babilong"])
def test_an_unknown_rule_of_a_task_names_the_nearest(task: str) -> None:
    with pytest.raises(SpecError, match="no rule 'last_wrd'; did you mean 'last_word'"):
        build_task(f"{task}:rule=last_wrd")


@pytest.mark.parametrize(("old", "now"), [("first_integer", "passkey"), ("one_label_only", "babilong:qa=1")])
def test_an_old_name_of_a_rule_is_the_same_task(old: str, now: str) -> None:
    name = now.partition(":")[0]
    assert spec_of(build_task(f"{name}:rule={old}")) == now


def test_every_rule_has_a_card_and_a_source() -> None:
    for name in scoring.names():
        rule = scoring.find(name)
        assert rule.name == name
        assert rule.summary.endswith(".")
        assert rule.source

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from quoted_needles import quoted

from mta_eval.core import Record, Run, Sweep
from mta_eval.results.page.data import BLOCK, make_blocks, make_index, script_json
from mta_eval.results.page.sections import make_sections
from mta_eval.scoring import scores

NEEDLE = quoted("7", 4, True, "The key is 7.", depth=0.25, before="a", after="b")


def record(number: int = 0, task: str = "passkey", model: str = "mta", **more: Any) -> Record:
    known: dict[str, Any] = {
        "axes": {"length": 512, "depth": 0.25, "repeat": number},
        "output": "7",
        "score": 1.0,
        "needles": [NEEDLE],
        "seconds": 1.0,
    } | more
    return Record(
        f"{task}/512/0.25/{number}", task, model, targets=["7"], prompt_tokens=500, max_new_tokens=12, **known
    )


def unpacked(*records: Record, runs: list[tuple[str, Run]] | None = None) -> list[dict[str, Any]]:
    blocks = make_blocks(make_sections(records, "length", "depth"), runs or [])
    return [one for block in blocks for one in json.loads(zlib.decompress(base64.b64decode(block)))]


def run(**known: Any) -> Run:
    sweep = Sweep((512,), (0.25,), 1)
    return Run(
        ("passkey",),
        **({"models": ("mta",)} | known),
        sweep=sweep,
        answer="",
        over_length="",
        version="",
        tokenizers={},
    )


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "a & b", "\u2028\u2029", 'quote " \\', "é 日 \ud800"])
def test_no_text_can_end_the_script_that_holds_it_and_none_is_changed(text: str) -> None:
    written = script_json({"output": text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"output": text}


def test_the_index_holds_every_record_once_under_its_task() -> None:
    records = [record(0), record(0, task="niah"), record(1, score=None, output=None, error="broke")]
    index = make_index(make_sections(records, "length", "depth"))
    assert [row[0] for row in index["rows"]] == ["passkey/512/0.25/0", "passkey/512/0.25/1", "niah/512/0.25/0"]
    first, second, _ = index["rows"]
    assert first[5:8] == [1.0, 0, -1]
    assert (second[5], index["kinds"][second[7]], second[12:]) == (None, "failed", [["7"], None, "broke"])
    assert (index["length"], index["depth"]) == (["512"], ["25 %"])


def test_the_blocks_go_with_the_rows_of_the_index() -> None:
    records = [record(number) for number in range(BLOCK + 3)]
    rest = unpacked(*records)
    assert [one["axes"]["repeat"] for one in rest] == [str(number) for number in range(BLOCK + 3)]


def test_a_sample_has_its_needles_and_its_score_under_every_rule() -> None:
    (one,) = unpacked(record())
    assert one["needles"] == [["The key is 7.", "a", "b", "25 %", 4, 1]]
    assert one["rules"] == scores(record())
    assert one["rules"]


def test_a_needle_of_an_older_record_has_no_text_around_it() -> None:
    older = replace(NEEDLE, before="", after="")
    assert unpacked(record(needles=[older]))[0]["needles"] == [["The key is 7.", None, None, "25 %", 4, 1]]


def test_the_command_names_the_run_that_holds_the_record() -> None:
    runs = [("monday", run(models=("diff",))), ("tues day", run())]
    (one,) = unpacked(record(), runs=runs)
    assert one["command"] == "mta-eval show 'tues day' passkey/512/0.25/0 --model mta"


def test_of_two_runs_of_one_model_the_name_says_which() -> None:
    runs = [("monday", run()), ("tuesday", run())]
    (one,) = unpacked(record(model="mta (tuesday)"), runs=runs)
    assert one["command"] == "mta-eval show tuesday passkey/512/0.25/0 --model mta"


def test_a_time_that_is_no_number_is_left_out() -> None:
    assert unpacked(record(seconds=float("nan")))[0]["seconds"] is None

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from typing import Any

import pytest
from quoted_needles import quoted

from mta_eval.core import Record
from mta_eval.results.page.data import BLOCK, make_blocks, make_columns, pack, places_of
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


def read(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def columns(*records: Record) -> dict[str, list[Any]]:
    return make_columns(make_sections(records, "length", "depth"), places_of(records))


def unpacked(*records: Record) -> list[dict[str, Any]]:
    blocks = make_blocks(make_sections(records, "length", "depth"), [], {})
    return [one for block in blocks for one in read(block)]


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "a & b", "\u2028\u2029", 'quote " \\', "é 日"])
def test_no_text_can_end_the_script_that_holds_it_and_none_is_changed(text: str) -> None:
    written = pack({"output": text})
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", written)
    assert read(written) == {"output": text}


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert read(pack("7\ud8004")) == "7?4"


def test_the_columns_hold_every_record_once_under_its_task() -> None:
    records = [record(0), record(0, task="niah"), record(1, score=None, output=None, error="broke")]
    found = columns(*records)
    assert found["id"] == ["passkey/512/0.25/0", "passkey/512/0.25/1", "niah/512/0.25/0"]
    assert {len(column) for column in found.values()} == {3}
    assert (found["score"], found["cut"], found["error"]) == ([1.0, None, 1.0], [0, 0, 0], [None, "broke", None])
    assert [found[name] for name in ("section", "grid", "row", "column")] == [[0, 0, 1], [0] * 3, [0] * 3, [0] * 3]
    assert (found["kind"], found["targets"][0], found["output"][1]) == ([-1, 0, -1], ["7"], None)


def test_places_are_those_in_the_lists_beside() -> None:
    records = [record(0, model=model, axes={"length": length, "depth": 0.25}) for model in "ab" for length in (9, 5)]
    assert places_of(records).values["length"] == [5, 9]
    assert columns(*records)["length"] == [1, 0, 1, 0]
    assert columns(*records)["model"] == [0, 0, 1, 1]
    assert places_of(records).find(records[:2]) == [0, 0, -1, 0]


def test_prompts_of_one_id_that_differ_are_told_apart() -> None:
    hashes = ("one", "other", "one")
    records = [record(0, model=model, prompt_sha256=sha) for model, sha in zip("abc", hashes, strict=True)]
    assert columns(*records)["prompt"] == [0, 1, 0]


def test_what_was_drawn_together_has_one_number() -> None:
    assert columns(record(0, draw="x"), record(1, draw="y"), record(2, draw="x"))["draw"] == [0, 1, 0]


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


def test_a_sample_has_its_question() -> None:
    assert unpacked(record(question="What is the key?"))[0]["question"] == "What is the key?"


def test_a_time_that_is_no_number_is_left_out() -> None:
    assert unpacked(record(seconds=float("nan")))[0]["seconds"] is None

"""Values from a user's file: what the file may say, and what is drawn from it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from mta_eval.errors import SpecError, TextError
from mta_eval.tasks.prompts.sources import TextSource, open_source
from mta_eval.tasks.user_values import KeyedValue, ValueDraw, longest, need_values, read_user_values


def written(folder: Path, text: str, name: str = "things.txt") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_each_line_is_a_value_or_a_key_and_its_value(tmp_path: Path) -> None:
    values = read_user_values(written(tmp_path, "\ufeffski  in the park\r\n\n swim \n"))
    assert values == (KeyedValue(1, "", "ski in the park"), KeyedValue(3, "", "swim"))
    pairs = read_user_values(written(tmp_path, "Oslo\tski\nOslo\tswim"))
    assert pairs == (KeyedValue(1, "Oslo", "ski"), KeyedValue(2, "Oslo", "swim"))


def test_json_lines_are_read_too(tmp_path: Path) -> None:
    rows = read_user_values(written(tmp_path, '{"value": "ski", "key": "Oslo"}\n{"key": 3, "value": 44}\n', "x.jsonl"))
    assert rows == (KeyedValue(1, "Oslo", "ski"), KeyedValue(2, "3", "44"))
    assert read_user_values(written(tmp_path, '{"value": "a\\tb\\u2028c"}', "x.jsonl")) == (KeyedValue(1, "", "a b c"),)


def test_a_file_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    where = written(tmp_path, "ski")
    assert read_user_values(where)[0].value == "ski"
    written(tmp_path, "sly")
    assert read_user_values(where)[0].value == "sly"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.txt", "", "empty; write a value in each line"),
        ("t.txt", " \n\n", "empty"),
        ("t.txt", "a b\nc\n\nA  B", r"t.txt' line 4 has the value 'A B' of line 1 again"),
        ("t.txt", "1,234\n1234", "line 2 has the value '1234' of line 1 again"),
        ("t.txt", "k\ta\nl\ta", "line 2 has the value 'a' of line 1 again"),
        ("t.txt", "a\nk\tb", "line 2 has a key and a value, but line 1 has a value alone"),
        ("t.txt", "k\ta\nb", "line 2 has a value alone, but line 1 has a key and a value"),
        ("t.txt", "k\ta\tb", "line 1 has 2 tabs"),
        ("t.txt", " \ta", "line 1 has no key"),
        ("t.txt", "k\t ", "line 1 has no value"),
        ("t.txt", "ice\tnice", "'ice', 'nice'"),
        ("t.txt", "Nice\tice", "'Nice', 'ice'"),
        ("t.txt", "nice\tso NICE", "'nice', 'so NICE'"),
        ("t.txt", '"a"', 'line 1 has a value that begins with "'),
        ("t.jsonl", "a", "line 1 is no JSON object"),
        ("t.jsonl", "[]", "line 1 is no JSON object"),
        ("t.jsonl", '{"key": "a"}', "line 1 is no JSON object"),
        ("t.jsonl", '{"value": "a", "kay": "b"}', "line 1 is no JSON object"),
        ("t.jsonl", '{"value": true}', "line 1 has true; keys and values are texts or whole numbers"),
        ("t.jsonl", '{"value": 1.5}', "line 1 has 1.5"),
        ("t.jsonl", '{"key": "", "value": "a"}', "line 1 has an empty key"),
    ],
)
def test_a_file_that_cannot_serve_is_one_clear_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(TextError, match=message) as error:
        read_user_values(written(tmp_path, text, name))
    assert "\n" not in str(error.value)


def test_a_file_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="is a folder"):
        read_user_values(str(tmp_path))
    with pytest.raises(TextError, match="no such file"):
        read_user_values(str(tmp_path / "nothing"))


def test_too_few_values_say_how_many_are_needed() -> None:
    rows = [KeyedValue(1, "", "ski"), KeyedValue(2, "", "swim")]
    with pytest.raises(SpecError, match="'t' has 2 values, and 1 needles and 4 choices need 4; add 2"):
        need_values("t", rows, 1, 4)
    with pytest.raises(SpecError, match="'t' has 2 values, and 3 needles need 3; add 1"):
        need_values("t", rows, 3, 0)
    assert need_values("t", rows, 2, 0) == "niah: 't' has 2 values, and 2 needles need 2"
    assert "has 1 values of 1 keys" in need_values("t", [KeyedValue(1, "k", "ski")], 1, 0)
    assert longest([*rows, KeyedValue(3, "key", "12345")]) == 8


def draw_of(values: list[str], seed: int = 0, used: tuple[str, ...] = (), source: str = "prose") -> ValueDraw:
    rows = [KeyedValue(0, *(value.split(":") if ":" in value else ("", value))) for value in values]
    return ValueDraw(rows, Random(seed), the_source(source), used, "short")


def the_source(spec: str) -> TextSource:
    return open_source(spec, 0)


def no_key(_: object) -> str:
    return ""


def test_values_are_drawn_once_each_in_random_order() -> None:
    values = ["xaa", "xbb", "xcc", "xdd", "xee"]
    draws = []
    for seed in range(20):
        drawn = draw_of(values, seed)
        pairs = drawn.pairs([1, 1], lambda used: f"k{len(used)}")
        decoys = drawn.decoys(3)
        assert sorted([*(value for _, value in pairs), *decoys]) == values
        assert [key for key, _ in pairs] == ["k0", "k2"]
        draws.append(pairs[0][1])
    assert set(draws) == set(values)
    assert draw_of(values, 3).pairs([2], no_key) == draw_of(values, 3).pairs([2], no_key)


def test_what_would_be_ambiguous_is_passed_over() -> None:
    for seed in range(10):
        drawn = draw_of(["xskiing", "xski", "The sun", "Oslo", "is blue", "xswim"], seed, ("go to Oslo",), "noise")
        values = {value for _, value in drawn.pairs([1, 1], no_key)}
        assert "xswim" in values
        assert len(values & {"xskiing", "xski"}) == 1
        with pytest.raises(SpecError, match="short, but only 2 can be hidden together"):
            drawn.decoys(1)


def test_keys_of_a_file_keep_their_values() -> None:
    rows = ["Oslo:xa", "Lima:xb", "Oslo:xc", "Rome:xd", "Oslo:xe"]
    for seed in range(10):
        drawn = draw_of(rows, seed)
        pairs = drawn.pairs([2, 1, 1], no_key)
        assert [key for key, _ in pairs][:2] == ["Oslo", "Oslo"]
        assert {key for key, _ in pairs[2:]} == {"Lima", "Rome"}
        assert {f"{key}:{value}" for key, value in pairs} <= set(rows)
        assert drawn.decoys(1)[0] in {"xa", "xc", "xe"}
    with pytest.raises(SpecError, match="short, but only 3 can be hidden"):
        draw_of(rows).pairs([1, 1, 1, 1], no_key)
    with pytest.raises(SpecError, match="short, but only 1 can be hidden"):
        draw_of(["Oslo:xa", "Lima:xb"]).pairs([2], no_key)


def test_a_key_in_the_haystack_or_in_another_is_passed_over() -> None:
    for seed in range(10):
        pairs = draw_of(["sun:xa", "Rome:xb", "Romeo:xc"], seed, (), "noise").pairs([1], no_key)
        assert pairs[0][0] != "sun"
        with pytest.raises(SpecError, match="only 1 can be hidden"):
            draw_of(["Rome:xb", "Romeo:xc"], seed).pairs([1, 1], no_key)

"""Units of texts of any script, and prompts made of them: exact lengths, and needles at their depths."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import regex

from mta_eval.core import Cell
from mta_eval.errors import TextError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.prompts.units import (
    LONGEST_SENTENCE,
    LONGEST_UNSPACED,
    PART,
    full_stop,
    grapheme_ends,
    is_line,
    space_between,
    split_sentences,
    word_ends,
)

CHINESE = """　　老王每天早晨去河边散步。“今天真冷！”他说。可是他没有回家，因为他在等一条船……船一直没有来？
后来雨停了。孩子们跑到街上玩，一边跑一边唱。"""
JAPANESE = (
    "朝、村の人は畑へ行く。「もう春だね。」と祖母が言った。雨がやんで、鳥が鳴き始めた！本当だろうか？誰も知らない。"
)
ARABIC = "ذهب الرجل إلى السوق في الصباح. هل وجد ما كان يبحث عنه؟ لم يكن هناك أحد؛ عاد إلى بيته. نام الأطفال مبكرًا!"
HINDI = "सुबह किसान खेत की ओर चला गया। क्या बारिश होगी? बच्चों ने नदी के किनारे मिट्टी का घर बनाया। सब लोग हँसने लगे॥"
THAI = "ตอนเช้าชาวนาเดินไปที่ทุ่งนา ฝนตกเมื่อคืนนี้ ถนนจึงเปียก เด็กๆ เล่นน้ำอยู่ริมแม่น้ำ ในปี 2567 มีคนมาเยี่ยมหมู่บ้านมากขึ้น"
URDU = "صبح کسان کھیت کی طرف گیا۔ کیا بارش ہو گی؟ بچے گھر میں تھے۔"
LOG = """2024-05-01 08:12:01 INFO  server: request from node-a took 12 ms
2024-05-01 08:12:04 WARN  queue: 31 jobs wait
\tretry in 5 s

2024-05-01 08:12:09 ERROR disk: /dev/sdb is full
"""
CSV = "name,colour,weight\npear,green,0.2\nplum,blue,0.1\napple,red,0.25\n"
CODE = '''def area(width, height):
    """Return the area."""
    if width < 0:
        raise ValueError(width)
    return width * height


class Box:
    sides = 6

    def __init__(self, name):
        self.name = name
'''
POEM = """Over the hill and under the sky
  a slow grey river goes
past the mill where the swallows fly
  and nobody else knows

Down by the gate where the tall grass bends
"""
TEXTS = {
    "zh": CHINESE, "ja": JAPANESE, "ar": ARABIC, "hi": HINDI, "th": THAI, "ur": URDU,
    "log": LOG, "csv": CSV, "code": CODE, "poem": POEM,
}  # fmt: skip
LINES = ("log", "csv", "code", "poem")


def stripped(text: str) -> list[str]:
    return [unit.strip() for unit in split_sentences(text, "x")]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (CHINESE, [
            "老王每天早晨去河边散步。", "“今天真冷！”", "他说。", "可是他没有回家，因为他在等一条船……船一直没有来？",
            "后来雨停了。", "孩子们跑到街上玩，一边跑一边唱。",
        ]),
        (JAPANESE, [
            "朝、村の人は畑へ行く。", "「もう春だね。」と祖母が言った。", "雨がやんで、鳥が鳴き始めた！",
            "本当だろうか？", "誰も知らない。",
        ]),
        (ARABIC, [
            "ذهب الرجل إلى السوق في الصباح.", "هل وجد ما كان يبحث عنه؟", "لم يكن هناك أحد؛ عاد إلى بيته.",
            "نام الأطفال مبكرًا!",
        ]),
        (HINDI, [
            "सुबह किसान खेत की ओर चला गया।", "क्या बारिश होगी?", "बच्चों ने नदी के किनारे मिट्टी का घर बनाया।",
            "सब लोग हँसने लगे॥",
        ]),
        (THAI, [
            "ตอนเช้าชาวนาเดินไปที่ทุ่งนา", "ฝนตกเมื่อคืนนี้", "ถนนจึงเปียก", "เด็กๆ เล่นน้ำอยู่ริมแม่น้ำ",
            "ในปี 2567 มีคนมาเยี่ยมหมู่บ้านมากขึ้น",
        ]),
        (URDU, ["صبح کسان کھیت کی طرف گیا۔", "کیا بارش ہو گی؟", "بچے گھر میں تھے۔"]),
        ("你好!我是老王?是的", ["你好!", "我是老王?", "是的"]),
        ("値は１．５です。次は２．０。", ["値は１．５です。", "次は２．０。"]),
        ("他叹气。” 雨停了", ["他叹气。”", "雨停了"]),
        ("真的？！（是的。）走吧", ["真的？！", "（是的。）", "走吧"]),
        ("ពេលព្រឹក។ ភ្លៀង។", ["ពេលព្រឹក។", "ភ្លៀង។"]),
    ],
)  # fmt: skip
def test_sentences_end_by_the_stops_of_their_script(text: str, sentences: list[str]) -> None:
    assert stripped(text) == sentences


def test_no_space_comes_between_sentences_that_had_none() -> None:
    assert "".join(split_sentences(CHINESE, "x")) == CHINESE.strip().replace("\n", "") + "\n\n"
    assert "".join(split_sentences("一。 二。\n\n三。四。", "x")) == "一。 二。\n\n三。四。\n\n"
    assert "".join(split_sentences("Two words.\n一个\nword\nmore.", "x")) == "Two words. 一个 word more.\n\n"


@pytest.mark.parametrize("name", LINES)
def test_texts_without_sentences_are_cut_at_lines_as_they_stand(name: str) -> None:
    units = split_sentences(TEXTS[name] * 3, name)
    assert "".join(units) == TEXTS[name] * 3
    assert all(map(is_line, units))
    assert all(unit.strip("\n").count("\n") == 0 for unit in units)


def test_lines_lose_what_nobody_sees() -> None:
    assert split_sentences("\n \na,b \t\r\n  c,d\r\n \r\ne,f", "x") == ["a,b\n", "  c,d\n", "\ne,f\n"]


def test_headings_and_wrapped_sentences_are_no_lines() -> None:
    assert split_sentences("Chapter One\n\nChapter Two", "x") == ["Chapter One\n\n", "Chapter Two\n\n"]
    wrapped = "It rained\nall day\nlong and\nnobody came.\n" * 3
    assert split_sentences(wrapped, "x")[0] == "It rained all day long and nobody came."
    assert not is_line("The end.\n\n")
    assert not is_line(" The end.")


def test_a_text_is_of_lines_with_fewer_than_one_sentence_in_five() -> None:
    few, enough = "word word\n" * 5 + "An end.\n", "word word\n" * 4 + "An end.\n"
    assert is_line(split_sentences(few, "x")[0])
    assert not is_line(split_sentences(enough, "x")[0])


def test_code_with_many_comments_is_of_lines_all_the_same() -> None:
    code = "# Take the sum.\ntotal = (\n    1,\n)\nif x:\n    # It is so.\n    y = {\n        2: 3\n    }\n"
    assert "".join(split_sentences(code, "x")) == code


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("word " * 2000, PART),
        ("a" * 50_000, PART),
        ("สวัสดี" * 900, PART * 3),
        ("天地玄黄，宇宙洪荒、日月盈昃；" * 90, PART),
        ("天" * (LONGEST_UNSPACED + 1), PART),
        ("a,b\n" + "x " * 4000 + "\n" * 3 + "c,d\n" * 9, PART + 4),
    ],
)
def test_what_is_too_long_is_cut_and_nothing_is_lost(text: str, longest: int) -> None:
    units = split_sentences(text, "x")
    assert 1 < max(map(len, units)) <= longest
    assert re.sub(r"\s+", " ", "".join(units)).strip() == re.sub(r"\s+", " ", text).strip()
    if " " in text or "，" in text:
        assert all(re.search(r"^[，、；]|\s", one[-1] + other[0]) for one, other in pairwise(units))


def test_what_is_not_too_long_is_one_unit() -> None:
    assert split_sentences("x" * LONGEST_SENTENCE, "x") == ["x" * LONGEST_SENTENCE + "\n\n"]
    assert len(split_sentences("x" * (LONGEST_SENTENCE + 1), "x")) > 1
    assert split_sentences("天" * LONGEST_UNSPACED, "x") == ["天" * LONGEST_UNSPACED + "\n\n"]


def test_no_grapheme_is_parted() -> None:
    family = "👨‍👩‍👧‍👦"
    units = split_sentences("x" + family * 900, "x")
    assert {unit.replace(family, "").strip("x\n") for unit in units} == {""}
    assert grapheme_ends("नि🇩🇪e\u0301") == {2, 4, 6}
    assert grapheme_ends("ab") == {1, 2}
    assert word_ends("किताब पानी x_1²") == [5, 10, 15]


@pytest.mark.parametrize(
    ("unit", "stop"),
    [
        (" It rained.", "."), (" Did it rain?", "."), ("下雨了。", "。"), ("下雨了吗？”", "。"), ("雨が・・・", "。"),
        (" क्या बारिश होगी?", "।"), ("सब हँसे॥", "॥"), ("ฝนตก", ""), (" هل وجد؟", "."), (" کھیت کی طرف گیا۔", "۔"),
        ("ភ្លៀង", "។"), ("မိုးရွာ", "။"), ("x = 1\n", ""), ("今天 is a day.\n\n", "."), ("ዝናብ", "።"), ("Անձրև", "։"),
        ("བོད", "།"), ("123", "."),
    ],
)  # fmt: skip
def test_a_shortened_sentence_closes_as_its_script_does(unit: str, stop: str) -> None:
    assert full_stop(unit) == stop


def test_a_space_parts_texts_but_for_scripts_that_have_none() -> None:
    assert space_between("。", "里") == ""
    assert space_between("。", "T") == " "
    assert space_between(".", "里") == " "
    assert space_between(".", "T") == " "
    assert space_between("ะ", "ฝ") == " "


@pytest.mark.parametrize("text", ["", " \n\t", "... --- !", "。。！"])
def test_a_text_without_letters_is_refused(text: str) -> None:
    with pytest.raises(TextError, match="empty"):
        split_sentences(text, "x")


def repeated(name: str) -> str:
    """Some 6,000 characters of a text, no two copies alike, so that it is no circle of a few sentences."""
    join = "\n" if name in LINES else "\n\n" if name in ("zh", "ja") else " "
    return join.join(TEXTS[name] for _ in range(6000 // len(TEXTS[name])))


def far_off(name: str, tokenizer: FastTokenizer, folder: Path, lengths: tuple[int, ...]) -> list[object]:
    """Cells whose needle stands more than half the longest unit off its depth, or whose prompt is not exact."""
    file = folder / f"{name}.txt"
    file.write_text(repeated(name), "utf-8")
    longest = max(len(tokenizer.encode(unit + " x").ids) for unit in set(split_sentences(repeated(name), name)))
    task = build_task(f"niah:haystack=file:{file}")
    far: list[object] = []
    for length in lengths:
        for step in range(11):
            sample = task.sample(Cell(length, step / 10, step), 0, tokenizer)
            count = len(tokenizer._backend.encode(sample.prompt).ids)
            needle = sample.needles[0]
            off = abs(needle.depth - step / 10) * (count - (needle.token_end - needle.token_start))
            if (
                off > longest / 2 + 3
                or count != sample.prompt_tokens
                or not length - 4 <= count + sample.max_new_tokens <= length
            ):
                far.append((length, step, round(off, 1), longest, count, sample.max_new_tokens))
            if name in LINES:
                begin = sample.prompt.index(needle.text)
                assert sample.prompt[:begin].endswith("\n") or not begin
                assert sample.prompt[begin + len(needle.text)] == "\n"
            if name in ("zh", "ja"):
                context = (
                    sample.prompt.replace(f" {needle.text} ", "").replace(f"{needle.text} ", "").split("\n\nThe")[0]
                )
                assert not regex.search(r"[\p{Han}\p{Hiragana}。] [\p{Han}\p{Hiragana}]", context)
    return far


@pytest.mark.parametrize("name", TEXTS)
def test_needles_stand_at_their_depths_in_any_text(name: str, byte_bpe: FastTokenizer, tmp_path: Path) -> None:
    assert far_off(name, byte_bpe, tmp_path, (1024,)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
def test_needles_stand_at_their_depths_whatever_the_tokenizer(
    name: str, tokenizer: FastTokenizer, tmp_path: Path
) -> None:
    assert far_off(name, tokenizer, tmp_path, (1024, 4096)) == []


def test_code_around_a_needle_keeps_its_indentation(byte_bpe: FastTokenizer, tmp_path: Path) -> None:
    file = tmp_path / "code.txt"
    file.write_text(CODE * 30)
    for depth in (0.0, 0.33, 0.5, 0.77, 1.0):
        sample = build_task(f"niah:haystack=file:{file}").sample(Cell(1024, depth, 0), 0, byte_bpe)
        context = sample.prompt.rsplit("\n\n", 1)[0]
        lines = [line for line in context.split("\n") if sample.needles[0].text != line]
        assert set(lines[:-1]) <= set(CODE.split("\n"))
        assert any(line.startswith(lines[-1]) for line in CODE.split("\n"))

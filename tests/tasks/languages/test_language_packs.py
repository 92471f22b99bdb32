"""Each language: words that can be told apart, prose that gives nothing away, and samples that have one answer."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise, product

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_model, build_task
from mta_eval.tasks.languages.pack import NEEDLE_NOUNS
from mta_eval.tasks.languages.table import LANGUAGES, find_language
from mta_eval.tasks.prompts.sources import open_source

OTHERS = tuple(code for code in LANGUAGES if code != "en")
UNSPACED = ("zh", "ja")
# what a solver that knows the needle sentences alone reads: the number behind a city
SOLVERS = {
    "en": r"The magic number of {} is (\d+)\.",
    "de": r"Die magische Zahl von {} ist (\d+)\.",
    "fr": r"Le nombre magique associé à {} est (\d+)\.",
    "es": r"El número mágico de {} es (\d+)\.",
    "zh": r"{}的神奇数字是(\d+)。",
    "ja": r"{}の魔法の数字：(\d+)。",
    "ar": r"رقم {} السحري هو (\d+)\.",
    "hi": r"{} की जादुई संख्या यह है: (\d+)।",
}
STEMS = {
    "en": r"\n\nThe magic number of (.+) is$",
    "de": r"\n\nDie magische Zahl von (.+) ist$",
    "fr": r"\n\nLe nombre magique associé à (.+) est$",
    "es": r"\n\nEl número mágico de (.+) es$",
    "zh": r"\n\n(.+)的神奇数字是$",
    "ja": r"\n\n(.+)の魔法の数字：$",
    "ar": r"\n\nرقم (.+) السحري هو$",
    "hi": r"\n\n(.+) की जादुई संख्या यह है:$",
}


def prose_of(code: str, blocks: int = 60) -> str:
    source = open_source("prose" if code == "en" else f"prose:{code}", 5)
    return "".join(unit for index in range(blocks) for unit in source.block(index))


def audit(sample: Sample, tokenizer: FastTokenizer) -> None:
    encoding = tokenizer._backend.encode(sample.prompt, add_special_tokens=sample.chat is None)
    assert len(encoding.ids) == sample.prompt_tokens
    assert sample.length - 4 <= len(encoding.ids) + sample.max_new_tokens <= sample.length
    for needle in sample.needles:
        assert sample.prompt.count(needle.text) == 1


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_city_or_word_is_in_another_or_in_what_the_language_writes(code: str) -> None:
    language = find_language(code)
    said = prose_of(code).lower() + " ".join(" ".join(sentences) for sentences in language.sentences.values()).lower()
    for names in (language.cities, language.words):
        low = [name.lower() for name in names]
        assert [pair for pair in product(low, low) if pair[0] in pair[1] and pair[0] != pair[1]] == []
        assert len(set(low)) == len(low)
        assert [name for name in low if name in said or language.writer.holds(name)] == []
        assert all(unicodedata.is_normalized("NFC", name) for name in names)
    assert len(language.cities) >= 40
    assert len(language.words) >= 60


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_pack_has_every_noun_and_its_needles_end_in_their_value(code: str) -> None:
    language = find_language(code)
    assert (language.code, set(language.sentences)) == (code, set(NEEDLE_NOUNS))
    for noun, sentences in language.sentences.items():
        stem, _, end = sentences.needle.partition("{value}")
        assert "{key}" in stem, noun
        assert end in language.stops
        assert all(text.count("{key}") == 1 for text in (*sentences[1:2], *sentences[3:]))
        assert "{" not in sentences.hidden
        assert stem.rstrip() == stem.removesuffix(language.gap)


@pytest.mark.parametrize("code", OTHERS)
def test_prose_is_varied_paragraphs_of_one_script_without_digits(code: str) -> None:
    text = prose_of(code)
    source = open_source(f"prose:{code}", 5)
    sentences = [unit.strip() for index in range(60) for unit in source.block(index)]
    assert len(set(sentences)) > 0.8 * len(sentences)
    assert not re.search(r"\d|<|>|\|", text)
    assert {sentence[-1] for sentence in sentences} == {find_language(code).stops[0]}
    sizes = [len(re.findall(r"[.。।]", paragraph)) for paragraph in text.strip().split("\n\n")]
    assert 4 < sum(sizes) / len(sizes) < 9
    assert (" " in text) is (code not in UNSPACED)
    assert not re.search(r"  |\n\n\n| \n|\n ", text)


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_is_written_is_held(code: str) -> None:
    source = open_source("prose" if code == "en" else f"prose:{code}", 5)
    for unit in source.block(3):
        assert source.holds(unit.strip())
    assert not source.holds("1")
    assert not source.holds("Timbuktu")


def test_what_characters_may_follow_each_other_is_held_in_scripts_without_spaces() -> None:
    holds = open_source("prose:zh", 0).holds
    sentences = [unit.strip() for unit in open_source("prose:zh", 0).block(0)]
    for sentence in sentences:
        assert all(holds(one + other) for one, other in pairwise(sentence))
    assert not holds("长铁")


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_solver_finds_one_answer_in_each_sample(code: str, count: int) -> None:
    model = build_model("window:100000")
    task = build_task(f"niah:needles=4,language={code}")
    samples = [
        task.sample(Cell((700, 1000)[repeat % 2], repeat % 5 / 4, repeat), 3, model.tokenizer)
        for repeat in range(count)
    ]
    for sample in samples:
        asked = re.search(STEMS[code], sample.prompt)
        assert asked
        found = re.findall(SOLVERS[code].format(re.escape(asked[1])), sample.prompt)
        assert (*found,) == sample.targets
        assert all(sample.prompt.count(needle.value) == 1 for needle in sample.needles)
        assert sample.prompt.count(asked[1]) == 2
    for sample in samples[:20]:
        audit(sample, model.tokenizer)
    answers = list(model.generate(samples))
    assert all(task.score(sample, answer.text) == 1 for sample, answer in zip(samples, answers, strict=True))


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize(
    "options", ["kind=word,prompt=instruction", "kind=uuid,asked=2,needles=3", "needles=5,asked=2,values=2,digits=4"]
)
def test_every_kind_and_form_is_exact_and_scored(code: str, options: str, byte_bpe: FastTokenizer) -> None:
    task = build_task(f"niah:language={code},{options}")
    for depth in (0.0, 0.4, 1.0):
        sample = task.sample(Cell(2048, depth, 1), 0, byte_bpe)
        audit(sample, byte_bpe)
        swept = next(needle for needle in sample.needles if needle.value == sample.targets[0])
        assert abs(swept.depth - depth) < 0.05
        joined = find_language(code).last_comma.join(sample.targets)
        assert task.score(sample, f" {joined}{find_language(code).stops[0]}") == 1
        assert task.score(sample, "") == 0


@pytest.mark.parametrize(
    ("code", "around"),
    [
        ("de", "\n\nDie magischen Zahlen von Oslo, Riga und Wien sind"),
        ("fr", "\n\nLes nombres magiques associés à Oslo, à Riga et à Wien sont"),
        ("es", "\n\nLos números mágicos de Oslo, Riga y Wien son"),
        ("zh", "\n\nOslo、Riga和Wien的神奇数字是"),
        ("ja", "\n\nOslo、RigaとWienの魔法の数字："),
        ("ar", "\n\nأرقام Oslo، Riga وWien السحرية هي"),
        ("hi", "\n\nOslo, Riga और Wien की जादुई संख्याएँ ये हैं:"),
    ],
)
def test_several_keys_are_joined_as_the_language_joins_them(code: str, around: str) -> None:
    from mta_eval.tasks.needle_words import NeedleWords

    words = NeedleWords("", "", "number", "completion", True, find_language(code))
    assert words.around(["Oslo", "Riga", "Wien"]) == ("", around)


def test_a_completion_ends_at_the_stop_of_its_script(byte_bpe: FastTokenizer) -> None:
    sample = build_task("niah:language=zh").sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    assert (sample.stop, sample.target_delimiter) == (("\n", "。", "."), "")
    sample = build_task("niah:language=hi").sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    assert (sample.stop, sample.target_delimiter) == (("\n", "।", "."), " ")
    sample = build_task("niah:language=zh,prompt=instruction").sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    assert sample.prompt.startswith("下面的文字里藏着一些神奇数字。请阅读并记住它们。\n\n")
    assert re.search(r"\n\n问题：.+的神奇数字是什么？请只回答数字。\n回答：$", sample.prompt)


def test_seeds_and_languages_write_other_prose() -> None:
    texts = [open_source(spec, seed).block(0) for spec in ("prose:de", "prose:fr") for seed in (0, 1)]
    assert len({text[0] for text in texts}) == 4
    assert open_source("prose:en", 4).block(2) == open_source("prose", 4).block(2)


def test_the_haystack_of_a_language_can_be_another(byte_bpe: FastTokenizer) -> None:
    cell = Cell(1024, 0.5, 0)
    german = build_task("niah:language=de,haystack=noise").sample(cell, 0, byte_bpe)
    assert "The grass is green. " in german.prompt
    assert "Die magische Zahl" in german.prompt
    passkey = build_task("passkey:haystack=prose:de").sample(cell, 0, byte_bpe)
    assert re.search(r" der | die | das ", passkey.prompt)


@pytest.mark.parametrize(
    ("spec", "message"), [("niah:language=deu", "did you mean 'de'"), ("niah:language=klingon", "there is: en, de")]
)
def test_an_unknown_language_is_one_clear_line(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build_task(spec)

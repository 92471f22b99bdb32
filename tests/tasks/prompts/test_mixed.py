"""Mixed text: prose, code, tables and dialogue by turns, none of which gives anything away."""

from __future__ import annotations

import ast
import re
from itertools import groupby, pairwise

import pytest

from mta_eval.core import Cell
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.languages.english import CITIES, WORDS
from mta_eval.tasks.languages.pack import split_names
from mta_eval.tasks.prompts.sources import open_source
from mta_eval.tasks.prompts.units import is_line


def blocks(count: int, seed: int = 0) -> list[list[str]]:
    source = open_source("mixed", seed)
    return [source.block(index) for index in range(count)]


def text_of(count: int) -> str:
    return "".join(unit for block in blocks(count) for unit in block)


def test_prose_code_tables_and_dialogue_take_turns() -> None:
    kinds = []
    for part in text_of(20).strip().split("\n\n"):
        head = part.split("\n")[0]
        kinds.append(
            "table" if re.match(r"name,|\| name", head)
            else "dialogue" if re.match(r"[A-Z]\w+: ", head)
            else "code" if re.match(r"def |class |with |select |\{|while |    def", head)
            else "prose"
        )  # fmt: skip
    runs = [kind for kind, _ in groupby(kinds)]
    assert all((one == "prose") != (other == "prose") for one, other in pairwise(runs))
    others = [kind for kind in runs if kind != "prose"]
    assert min(others.count(kind) for kind in ("table", "dialogue", "code")) > 20


def test_units_of_prose_are_sentences_and_all_others_are_lines() -> None:
    for block in blocks(20):
        assert 64 <= len(block) < 128
        assert block[-1].endswith(".\n\n")
        assert not block[0].startswith(("\n", " "))
        for unit in block:
            assert is_line(unit) or re.fullmatch(r"\n?(?: ?[A-Z][^\n]*\.(?:\n\n)?)", unit), unit
            assert unit.strip("\n").count("\n") == 0
    assert "\n\n\n" not in text_of(20)


def test_its_python_is_python() -> None:
    for part in re.findall(r"(?:^|\n\n)((?:def|with|while) .*?)\n\n[A-Z]", text_of(40), re.DOTALL):
        ast.parse(part)


def test_nothing_that_is_hidden_stands_in_it() -> None:
    text = text_of(60)
    source = open_source("mixed", 0)
    low = text.lower()
    assert [name for name in CITIES + WORDS if name.lower() in low or source.holds(name)] == []
    assert {len(number) for number in re.findall(r"\d+", text)} == {2}
    babi = """mary|john|daniel|sandra|bill|fred|jeff|julie|bathroom|bedroom|garden|hallway|kitchen|office|cinema|park|
school|apple|football|milk|pass|key|passkey|magic|number|code"""
    assert set(re.findall(r"[a-z]+", low)).isdisjoint(split_names(babi))


def test_what_is_written_is_held() -> None:
    source = open_source("mixed", 0)
    assert [unit for block in blocks(30) for unit in block if not source.holds(unit)] == []
    assert source.holds("42")
    assert not any(source.holds(text) for text in ("4", "423", "the 423", "Riga", "a613e2a4-421d", "timbuktu"))


def test_seeds_write_other_texts() -> None:
    assert blocks(2) == blocks(2)
    assert blocks(1)[0] != blocks(1, seed=1)[0] != blocks(2, seed=1)[1]


@pytest.mark.parametrize("kind", ["number,digits=1", "number", "word", "uuid"])
def test_needles_stand_at_their_depths_in_mixed_text(kind: str, tokenizer: FastTokenizer) -> None:
    task = build_task(f"niah:haystack=mixed,needles=2,kind={kind}")
    for step in range(6):
        sample = task.sample(Cell(1500, step / 5, step), 0, tokenizer)
        count = len(tokenizer._backend.encode(sample.prompt).ids)
        assert count == sample.prompt_tokens
        assert 1500 - 4 <= count + sample.max_new_tokens <= 1500
        swept = next(needle for needle in sample.needles if needle.asked)
        assert abs(swept.depth - step / 5) < 0.06
        assert all(sample.prompt.count(needle.text) == 1 for needle in sample.needles)
        assert not sample.prompt.startswith("\n")


def test_a_needle_beside_a_line_has_a_line_of_its_own(byte_bpe: FastTokenizer) -> None:
    task = build_task("niah:haystack=mixed")
    own = 0
    for step in range(21):
        sample = task.sample(Cell(1500, step / 20, step), 0, byte_bpe)
        begin = sample.prompt.index(sample.needles[0].text)
        before, after = sample.prompt[:begin], sample.prompt[begin + len(sample.needles[0].text) :]
        line_before, line_after = before.rpartition("\n")[2], after.partition("\n")[0]
        own += not line_before and not line_after
        assert not re.search(r"[:,|(){}] $", before)
        assert not re.match(r" (?:\||[a-z]|[A-Z]\w+: )", after)
    assert own > 5

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.prompts import word_pairs
from mta_eval.tasks.ruler.common_words import CommonWords

ListAudit = Callable[[Sample, FastTokenizer, int], None]


@pytest.mark.parametrize(("spec", "item"), [("common_words", 1), ("common_words:protocol=ruler", 110)])
def test_every_length_is_filled_to_an_item(
    spec: str, item: int, tokenizer: FastTokenizer, list_audit: ListAudit
) -> None:
    task = build_task(spec)
    for length in (15_001, 15_414) if "ruler" in spec else (6001, 6414):
        sample = task.sample(Cell(length, None, 0), 0, tokenizer)
        list_audit(sample, tokenizer, item)
        assert sample.needles[0].depth == 0
        words = sample.axes["words"]
        assert words == len(re.findall(r"[a-z]+-[a-z]+", sample.prompt)) - (190 + 10) * ("ruler" in spec)


def test_what_is_left_over_goes_to_the_answer_and_not_where_its_budget_is_published(byte_bpe: FastTokenizer) -> None:
    for length in range(3000, 3010):
        sample = CommonWords().sample(Cell(length, None, 0), 0, byte_bpe)
        assert sample.prompt_tokens + sample.max_new_tokens == length
        assert CommonWords(protocol="ruler").sample(Cell(length, None, 0), 0, byte_bpe).max_new_tokens == 120


@pytest.mark.parametrize(("length", "repeats", "others"), [(1500, 6, 1), (6000, 30, 3)])
def test_words_stand_as_often_as_published(length: int, repeats: int, others: int, byte_bpe: FastTokenizer) -> None:
    sample = CommonWords().sample(Cell(length, None, 0), 0, byte_bpe)
    counts = Counter(sample.prompt.split("\n\n")[1].split(", "))
    assert {counts.pop(word) for word in sample.targets} == {repeats}
    assert sorted(counts.values())[1:] == [others] * (len(counts) - 1)  # the last may stand there less often
    assert (sample.axes["times"], sample.axes["other_times"], sample.axes["common"]) == (repeats, others, 10)


def test_lengths_that_are_long_have_draws_of_their_own(byte_bpe: FastTokenizer) -> None:
    cells = [(1500, 0), (2000, 0), (4096, 0), (6000, 0), (1500, 1)]
    drawn = [CommonWords().sample(Cell(length, None, repeat), 0, byte_bpe) for length, repeat in cells]
    assert [sample.draw for sample in drawn] == [
        f"common_words/{key}" for key in ("0/0", "0/0", "4096/0", "6000/0", "0/1")
    ]
    assert len({sample.targets for sample in drawn}) == 4


def test_a_depth_is_refused(byte_bpe: FastTokenizer) -> None:
    with pytest.raises(SpecError, match="--depths any"):
        CommonWords().sample(Cell(2048, 0.5, 0), 0, byte_bpe)


def test_a_length_that_is_too_short_names_what_is_needed(byte_bpe: FastTokenizer, list_audit: ListAudit) -> None:
    with pytest.raises(LengthError) as error:
        CommonWords().sample(Cell(100, None, 0), 0, byte_bpe)
    least = int(re.findall(r"\d+", str(error.value))[-1])
    list_audit(CommonWords().sample(Cell(least, None, 0), 0, byte_bpe), byte_bpe, 1)
    with pytest.raises(LengthError, match=f"needs {least} tokens"):
        CommonWords().sample(Cell(least - 1, None, 0), 0, byte_bpe)


def test_a_length_with_more_items_than_there_are_words_is_refused(
    byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mta_eval.tasks.ruler.common_words.PAIRS", 100)
    with pytest.raises(LengthError, match="has items for"):
        CommonWords().sample(Cell(4000, None, 0), 0, byte_bpe)


def test_length_0_is_the_shortest_list(byte_bpe: FastTokenizer) -> None:
    sample = CommonWords().sample(Cell(0, None, 0), 0, byte_bpe)
    assert sample.axes["words"] == 61
    assert sample.length == sample.prompt_tokens + sample.max_new_tokens


@pytest.mark.parametrize(
    "options", ["common=0", "common=101", "times=3", "other_times=6", "times=1001", "protocol=ruler,common=9"]
)
def test_options_that_make_no_answer_are_refused(options: str) -> None:
    with pytest.raises(SpecError):
        build_task(f"common_words:{options}")


def test_no_pair_of_words_stands_within_another() -> None:
    adjectives = word_pairs.ADJECTIVES
    assert len(set(adjectives)) == len(adjectives)
    assert not [
        pair
        for pair in ((a, b) for a in adjectives for b in adjectives)
        if pair[0] != pair[1] and pair[1].endswith(pair[0])
    ]
    assert all(re.fullmatch("[a-z]+", adjective) for adjective in adjectives)
    assert len(adjectives) * len(word_pairs.WORDS) == word_pairs.PAIRS

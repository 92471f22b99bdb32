from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.ruler.frequent_words import FrequentWords

ListAudit = Callable[[Sample, FastTokenizer, int], None]


def words_of(sample: Sample) -> list[str]:
    return sample.prompt.split("\n\n")[1].split(" ")


@pytest.mark.parametrize(("spec", "item"), [("frequent_words", 1), ("frequent_words:protocol=ruler", 60)])
def test_every_length_is_filled_to_an_item(
    spec: str, item: int, tokenizer: FastTokenizer, list_audit: ListAudit
) -> None:
    task = build_task(spec)
    for length in (1801, 2022):
        list_audit(task.sample(Cell(length, None, 0), 0, tokenizer), tokenizer, item)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.5])
def test_counts_fall_as_the_published_distribution_does(alpha: float, byte_bpe: FastTokenizer) -> None:
    task = FrequentWords(alpha=alpha)
    sample = task.sample(Cell(8192, None, 0), 0, byte_bpe)
    words = words_of(sample)
    counts = [count for _, count in Counter(words).most_common()]
    assert (words.count("..."), len(words)) == (counts[0], sample.axes["words"])
    assert [words.count(target) for target in sample.targets] == counts[1:4]
    for rank, count in enumerate(counts, 1):  # rounded down
        assert counts[0] * rank**-alpha - 1 <= count <= (counts[0] + 1) * rank**-alpha
    assert len(counts) <= 8192 // 50
    assert all(re.fullmatch(r"\.\.\.|[a-z]{6}", word) for word in words)


def test_words_keep_their_places_when_more_are_added(byte_bpe: FastTokenizer) -> None:
    short, long = (
        words_of(FrequentWords(vocabulary=50).sample(Cell(length, None, 0), 0, byte_bpe)) for length in (700, 1000)
    )
    rest = iter(long)
    assert all(word in rest for word in short)


def test_a_text_that_leaves_doubt_is_never_shown(byte_bpe: FastTokenizer) -> None:
    with pytest.raises(LengthError) as error:
        FrequentWords().sample(Cell(60, None, 0), 0, byte_bpe)
    least = int(re.findall(r"\d+", str(error.value))[-1])
    for length in range(least, least + 150, 7):
        sample = FrequentWords().sample(Cell(length, None, 0), 0, byte_bpe)
        counts = Counter(words_of(sample))
        others = [count for word, count in counts.items() if word not in (*sample.targets, "...")]
        assert min(counts[word] for word in sample.targets) > max(others, default=0)


def test_a_depth_is_refused(byte_bpe: FastTokenizer) -> None:
    with pytest.raises(SpecError, match="--depths any"):
        FrequentWords().sample(Cell(2048, 0.0, 0), 0, byte_bpe)


def test_long_lengths_and_repeats_are_draws_of_their_own(byte_bpe: FastTokenizer) -> None:
    cells = [(500, 0), (800, 0), (1024, 0), (500, 1)]
    drawn = [FrequentWords().sample(Cell(length, None, repeat), 0, byte_bpe) for length, repeat in cells]
    assert [sample.draw for sample in drawn] == [f"frequent_words:6/{key}" for key in ("0/0", "0/0", "1024/0", "0/1")]
    assert len({sample.targets for sample in drawn}) == 3


@pytest.mark.parametrize(
    "options", ["alpha=0.4", "alpha=5.1", "letters=3", "letters=21", "vocabulary=4", "vocabulary=1000001"]
)
def test_options_out_of_range_are_refused(options: str) -> None:
    with pytest.raises(SpecError):
        build_task(f"frequent_words:{options}")

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mta_eval.core import Cell, Sample, Sweep
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.tasks import perplexity
from mta_eval.tasks.niah import Niah
from mta_eval.tasks.perplexity import Perplexity
from mta_eval.tasks.prompts import haystack, token_cache
from mta_eval.tasks.prompts.token_cache import recall

TEXT = "some words "


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where entries go; every text is worth one."""
    monkeypatch.setenv("MTA_EVAL_CACHE", str(tmp_path))
    monkeypatch.setenv("MTA_EVAL_TOKEN_CACHE", "on")
    monkeypatch.setattr(token_cache, "WORTH", 1)
    return tmp_path / "tokens"


class Counting:
    """Gives [1, 2, 3, …] and remembers how often it was asked."""

    def __init__(self, size: int = 3) -> None:
        self.asked = 0
        self.size = size

    def __call__(self) -> list[int]:
        self.asked += 1
        return list(range(1, self.size + 1))


def test_what_was_counted_is_recalled(folder: Path, byte_bpe: FastTokenizer) -> None:
    count = Counting()
    assert recall("x", [TEXT], (), byte_bpe, count) == [1, 2, 3]
    assert recall("x", [TEXT], (), byte_bpe, count) == [1, 2, 3]
    assert count.asked == 1
    assert len(list(folder.iterdir())) == 1


def test_nothing_counted_is_recalled_as_nothing(folder: Path, byte_bpe: FastTokenizer) -> None:
    count = Counting(0)
    assert recall("x", [TEXT], (), byte_bpe, count) == recall("x", [TEXT], (), byte_bpe, count) == []
    assert (count.asked, len(list(folder.iterdir()))) == (1, 1)


@pytest.mark.usefixtures("folder")
def test_another_kind_text_border_setting_or_tokenizer_is_counted_anew(
    byte_bpe: FastTokenizer, unigram: FastTokenizer
) -> None:
    count = Counting()
    recall("x", ["ab", "c"], (1,), byte_bpe, count)
    recall("y", ["ab", "c"], (1,), byte_bpe, count)
    recall("x", ["a", "bc"], (1,), byte_bpe, count)
    recall("x", ["ab", "d"], (1,), byte_bpe, count)
    recall("x", ["ab", "c"], (2,), byte_bpe, count)
    recall("x", ["ab", "c"], (1,), unigram, count)
    assert count.asked == 6


@pytest.mark.usefixtures("folder")
def test_a_text_of_lone_surrogates_is_cached_like_any_other(byte_bpe: FastTokenizer) -> None:
    assert recall("x", ["\ud800"], (), byte_bpe, Counting()) == [1, 2, 3]


def test_a_damaged_entry_is_counted_again_and_mended(folder: Path, byte_bpe: FastTokenizer) -> None:
    recall("x", [TEXT], (), byte_bpe, Counting())
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    for place in range(len(whole)):
        entry.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        assert recall("x", [TEXT], (), byte_bpe, Counting()) == [1, 2, 3], place
    for end in range(0, len(whole), 7):
        entry.write_bytes(whole[:end])
        count = Counting()
        assert recall("x", [TEXT], (), byte_bpe, count) == [1, 2, 3], end
        assert count.asked == 1
    assert entry.read_bytes() == whole


class Trap:
    """What unpickling it does: it makes a folder."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.sprung),)


def test_an_entry_with_a_pickle_in_it_is_damaged_and_never_unpickled(
    folder: Path, byte_bpe: FastTokenizer, tmp_path: Path
) -> None:
    recall("x", [TEXT], (), byte_bpe, Counting())
    (entry,) = folder.iterdir()
    np.savez_compressed(entry, counts=np.array([Trap(tmp_path / "sprung")], dtype=object))
    count = Counting()
    assert recall("x", [TEXT], (), byte_bpe, count) == [1, 2, 3]
    assert count.asked == 1
    assert not (tmp_path / "sprung").exists()


def test_the_folder_is_made_with_all_above_it(
    folder: Path, byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTA_EVAL_CACHE", str(folder / "not" / "there"))
    count = Counting()
    assert recall("x", [TEXT], (), byte_bpe, count) == recall("x", [TEXT], (), byte_bpe, count)
    assert count.asked == 1


def test_off_and_short_texts_leave_no_trace(
    folder: Path, byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "WORTH", 100)
    recall("x", ["a" * 50, "b" * 49], (), byte_bpe, Counting())
    monkeypatch.setenv("MTA_EVAL_TOKEN_CACHE", "off")
    recall("x", ["a" * 100], (), byte_bpe, Counting())
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_or_written_is_no_cache(
    folder: Path, byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("a file where the folder should be")
    assert recall("x", [TEXT], (), byte_bpe, Counting()) == [1, 2, 3]
    folder.unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    assert recall("x", [TEXT], (), byte_bpe, Counting()) == [1, 2, 3]
    assert list(folder.iterdir()) == []  # the unfinished entry is gone


@pytest.mark.usefixtures("folder")
def test_who_has_no_home_has_no_cache(byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(token_cache, "cache_home", homeless)
    assert recall("x", [TEXT], (), byte_bpe, Counting()) == [1, 2, 3]


def test_the_entry_not_used_for_longest_goes_first(
    folder: Path, byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "MOST_BYTES", 2 * token_cache.BLOCK)
    for age, text in ((300, "a"), (200, "b")):
        before = set(folder.iterdir()) if folder.exists() else set()
        recall("x", [text], (), byte_bpe, Counting())
        (new,) = set(folder.iterdir()) - before
        os.utime(new, (1e9 - age, 1e9 - age))
    recall("x", ["a"], (), byte_bpe, Counting())  # used: now younger than b
    recall("x", ["c"], (), byte_bpe, Counting())
    counts = {text: Counting() for text in "acb"}
    for text, count in counts.items():
        recall("x", [text], (), byte_bpe, count)
    assert [count.asked for count in counts.values()] == [0, 0, 1]
    assert len(list(folder.iterdir())) == 2


WRITER = """
import sys, pathlib
from mta_eval.tasks.prompts import token_cache
for _ in range(100):
    token_cache._write(pathlib.Path(sys.argv[1]), list(range(5000)))
"""


def test_two_processes_that_write_one_entry_leave_it_whole(tmp_path: Path) -> None:
    entry = tmp_path / "entry.npz"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(entry)]) for _ in range(2)]
    found = []
    while any(writer.poll() is None for writer in writers):
        if entry.exists():
            found.append(token_cache._read(entry))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert found
    assert all(numbers == list(range(5000)) for numbers in found)
    assert list(tmp_path.iterdir()) == [entry]


def _niah(tokenizer: FastTokenizer) -> list[Sample]:
    haystack.open_haystack.cache_clear()
    cells = [Cell(length, depth, repeat) for length in (900, 9000) for repeat in (0, 1) for depth in (1.0, 0.4)]
    return [Niah(needles=3).sample(cell, 5, tokenizer) for cell in cells]


def _windows(tokenizer: FastTokenizer) -> list[Sample]:
    perplexity._cut.cache_clear()
    task = Perplexity(windows=6, stride=200)
    return [task.sample(cell, 5, tokenizer) for cell in task.cells(Sweep((300,), (None,), 1, 5), tokenizer)]


@pytest.mark.parametrize("make", [_niah, _windows])
def test_prompts_are_the_same_without_a_cache_with_an_empty_and_with_a_full_one(
    make: Callable[[FastTokenizer], list[Sample]],
    folder: Path,
    tokenizer: FastTokenizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MTA_EVAL_TOKEN_CACHE", "off")
    without = make(tokenizer)
    monkeypatch.setenv("MTA_EVAL_TOKEN_CACHE", "on")
    assert make(tokenizer) == without
    entries = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    assert entries

    def must_not(*_: object, **__: object) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr(haystack, "_count", must_not)
    monkeypatch.setattr(perplexity, "cut_windows", must_not)
    assert make(tokenizer) == without
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == entries


def test_a_tokenizer_that_joins_sentences_is_known_as_such_from_the_cache(
    folder: Path, superword: FastTokenizer
) -> None:
    for _ in range(2):
        haystack.open_haystack.cache_clear()
        hay = haystack.open_haystack("prose", 0, superword)
        hay.tokens(0, 100)
        assert not hay.splice_safe
    assert len(list(folder.iterdir())) == 1

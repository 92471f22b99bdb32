"""Samples that share a story name the same draw, at every length and depth; others do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mta_eval import registry
from mta_eval.core import Cell, Record, Sample, Tokenizer
from mta_eval.results.draws import estimate_of
from mta_eval.runner import unanswered

TASKS = ("niah", "niah:needles=4", "passkey", "babilong:qa=1", "babilong:qa=3", "letter_blocks")
SHORT = {"niah": 300, "niah:needles=4": 570, "passkey": 500, "babilong:qa=1": 1400, "babilong:qa=3": 5000}
LONG = 8192


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return registry.build_model("window:300").tokenizer


def sample(task: str, tokenizer: Tokenizer, length: int, depth: float = 0.5, repeat: int = 0, seed: int = 0) -> Sample:
    return registry.build_task(task).sample(Cell(length, depth, repeat), seed, tokenizer)


@pytest.mark.parametrize("task", TASKS)
def test_depths_are_of_one_draw_and_repeats_of_their_own(task: str, tokenizer: Tokenizer) -> None:
    depths = {sample(task, tokenizer, 1024, depth).draw for depth in (0.0, 0.5, 1.0)}
    repeats = {sample(task, tokenizer, 1024, repeat=repeat).draw for repeat in range(5)}
    assert (len(depths), len(repeats)) == (1, 5)


@pytest.mark.parametrize("task", SHORT)
def test_short_lengths_share_a_story_and_its_draw_and_long_ones_have_their_own(task: str, tokenizer: Tokenizer) -> None:
    shorter, short = (sample(task, tokenizer, length) for length in (SHORT[task] - 50, SHORT[task]))
    long, longer = (sample(task, tokenizer, length) for length in (LONG, 2 * LONG))
    assert shorter.draw == short.draw
    assert shorter.targets == short.targets
    assert len({short.draw, long.draw, longer.draw}) == 3
    if not task.startswith("babilong"):  # few answers
        assert len({short.targets, long.targets, longer.targets}) == 3


def test_needles_of_more_and_of_fewer_begin_with_the_same_draw(tokenizer: Tokenizer) -> None:
    one, four = (sample(task, tokenizer, 1024) for task in ("niah", "niah:needles=4"))
    assert one.targets == four.targets
    assert one.draw == four.draw


def test_questions_of_babilong_are_draws_of_their_own(tokenizer: Tokenizer) -> None:
    assert len({sample(f"babilong:qa={qa}", tokenizer, 1024).draw for qa in range(1, 11)}) == 10


def test_windows_of_one_document_are_of_one_draw(tokenizer: Tokenizer) -> None:
    task = registry.build_task("perplexity:windows=4")
    samples = [task.sample(Cell(512, None, number), 0, tokenizer) for number in range(4)]
    by_document = {(one.axes["domain"], one.axes["document"]) for one in samples}
    assert len({one.draw for one in samples}) == len(by_document)


def test_a_mean_over_lengths_that_share_a_story_is_no_surer_than_one_of_them(tokenizer: Tokenizer) -> None:
    def records(*lengths: int) -> list[Record]:
        cells = [(length, repeat) for length in lengths for repeat in range(8)]
        made = [sample("babilong:qa=3", tokenizer, length, repeat=repeat) for length, repeat in cells]
        return [replace(unanswered(one, "m", None, 0.0, ()), score=float(one.axes["repeat"] in (1, 4))) for one in made]

    one, four = estimate_of(records(1024)), estimate_of(records(1024, 1536, 2048, 4096))
    assert one is not None
    assert four == pytest.approx(one)

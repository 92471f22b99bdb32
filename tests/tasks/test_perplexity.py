from __future__ import annotations

import math
from pathlib import Path

import pytest

from mta_eval.core import Cell, ReadingTask, Sample, Sweep, cells_of, generator
from mta_eval.errors import LengthError, ModelError, SpecError, TextError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.models.window import Window
from mta_eval.registry import build_task, spec_of
from mta_eval.tasks.perplexity import Perplexity, stretches
from mta_eval.tasks.prompts import prose


def text_of(seed: int, blocks: int = 1) -> str:
    return "".join("".join(prose.write_prose(generator(seed, "text", index))) for index in range(blocks))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three domains, one of them with two documents."""
    (tmp_path / "arxiv.txt").write_text(text_of(1))
    (tmp_path / "book.txt").write_text(text_of(2, 2))
    (tmp_path / "wiki.jsonl").write_text('{"text": "A short one."}\n{"text": "And another, also short."}\n')
    return tmp_path


def samples_of(task: Perplexity, length: int, tokenizer: FastTokenizer) -> list[Sample]:
    return [task.sample(cell, 0, tokenizer) for cell in cells_of(task, Sweep((length,), (0.5, 1.0), 5), tokenizer)]


def known(tokenizer: FastTokenizer, sample: Sample) -> list[float]:
    """A model that finds each token as likely as its id says, whatever comes before."""
    ids = tokenizer.prompt_ids(sample.prompt, plain=True)
    return [-0.1 - (token * 7 % 31) / 10 for token in ids[1:]]


def test_it_is_a_reading_task_whose_cells_are_windows_not_depths(folder: Path, byte_bpe: FastTokenizer) -> None:
    task = build_task(f"perplexity:text={folder}")
    assert isinstance(task, ReadingTask)
    assert not isinstance(build_task("niah"), ReadingTask)
    cells = cells_of(task, Sweep((128, 256), (0.0, 0.5), 9), byte_bpe)
    assert {(cell.length, cell.depth) for cell in cells} == {(128, None), (256, None)}
    for length in (128, 256):
        numbers = [cell.repeat for cell in cells if cell.length == length]
        assert numbers == list(range(len(numbers)))


def test_samples_are_exact_and_know_their_place(folder: Path, tokenizer: FastTokenizer) -> None:
    task = Perplexity(str(folder))
    samples = samples_of(task, 150, tokenizer)
    assert len({sample.id for sample in samples}) == len(samples)
    for number, sample in enumerate(samples):
        assert sample.id == f"{spec_of(task)}/150/any/{number}"
        assert len(tokenizer.prompt_ids(sample.prompt, plain=True)) == sample.prompt_tokens <= sample.length == 150
        assert (sample.max_new_tokens, sample.targets, sample.axes["window"]) == (0, (), number)
    domains = [sample.axes["domain"] for sample in samples]
    assert domains == sorted(domains)
    assert [sample.axes["document"] for sample in samples if sample.axes["domain"] == "wiki"] == [0, 1]
    missing = 0 if tokenizer.specials[0] else 12  # the first token of each document, at most so many characters
    for domain in ("arxiv", "book"):
        read = sum(sample.axes["characters"] for sample in samples if sample.axes["domain"] == domain)
        text = (folder / f"{domain}.txt").read_text()
        assert len(text) - missing <= read <= len(text)


def test_bytes_and_characters_are_those_that_are_predicted(tmp_path: Path, byte_bpe: FastTokenizer) -> None:
    text = "Zoë naïvely ate crêpes. " * 20
    (tmp_path / "a.txt").write_text(text, "utf-8")
    samples = samples_of(Perplexity(str(tmp_path / "a.txt"), stride=30), 60, byte_bpe)
    assert len(samples) > 5
    for axis, whole in (("characters", len(text)), ("bytes", len(text.encode()))):
        assert sum(sample.axes[axis] for sample in samples) == whole


@pytest.mark.parametrize("stride", [0, 40])
def test_perplexity_is_that_of_a_plain_loop_over_the_tokens(folder: Path, stride: int, byte_bpe: FastTokenizer) -> None:
    """A model that does not look back gives the same for every way to cut: that of the text's tokens one by one."""
    task = Perplexity(str(folder / "book.txt"), stride=stride)
    nats = predicted = 0.0
    for sample in samples_of(task, 120, byte_bpe):
        reading = task.read(sample, known(byte_bpe, sample))
        nats, predicted = nats + reading.axes["nats"], predicted + sample.axes["predicted"]
    whole = byte_bpe.encode((folder / "book.txt").read_text()).ids
    loss = 0.0
    for token in whole:
        loss += 0.1 + (token * 7 % 31) / 10
    assert predicted == len(whole)
    assert nats == pytest.approx(loss, abs=0.01)


def test_positions_add_up_to_the_whole_and_say_how_much_came_before(folder: Path, tokenizer: FastTokenizer) -> None:
    for task in (Perplexity(str(folder)), Perplexity(str(folder), stride=50)):
        for sample in samples_of(task, 300, tokenizer):
            values = known(tokenizer, sample)
            reading = task.read(sample, values)
            assert sum(count for _, _, count in reading.positions) == sample.axes["predicted"]
            assert sum(nats for _, nats, _ in reading.positions) == pytest.approx(reading.axes["nats"], abs=1e-2)
            first = sample.prompt_tokens - sample.axes["predicted"]
            ends = [*stretches(300)[1:], 300]
            for home, nats, _ in reading.positions:
                end = next(end for end in ends if end > home)
                inside = [-values[place - 1] for place in range(max(int(home), first), min(end, sample.prompt_tokens))]
                assert nats == pytest.approx(sum(inside), abs=1e-4)


def test_the_score_is_one_over_the_perplexity_of_the_new_tokens() -> None:
    sample = Sample("x/8/any/0", "x", "", (), {"predicted": 2}, 8, 5, 0)
    reading = Perplexity().read(sample, [-99.0, -99.0, math.log(0.5), math.log(0.125)])
    assert reading.score == pytest.approx(0.25)
    assert reading.axes == {"nats": pytest.approx(4 * math.log(2), abs=1e-4)}
    assert [(place, count) for place, _, count in reading.positions] == [(2, 1), (4, 1)]


def test_stretches_are_octaves_then_halves_of_them() -> None:
    assert stretches(1000) == (1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384, 512, 768)
    assert stretches(4) == (1, 2)
    assert stretches(700)[-3:] == (256, 384, 512)
    assert stretches(193)[-2:] == (128, 192)
    assert stretches(192)[-1] == stretches(129)[-1] == 128
    assert stretches(128)[-1] == 64


def test_the_first_windows_of_each_domain_are_read(folder: Path, byte_bpe: FastTokenizer) -> None:
    every, few = (samples_of(Perplexity(str(folder), windows=windows), 100, byte_bpe) for windows in (0, 2))
    for domain in ("arxiv", "book", "wiki"):
        ours, all_ = ([one.prompt for one in group if one.axes["domain"] == domain] for group in (few, every))
        assert ours == all_[:2]


def test_a_window_is_the_same_however_it_is_asked_for(folder: Path, byte_bpe: FastTokenizer) -> None:
    task = Perplexity(str(folder))
    assert task.sample(Cell(100, 0.5, 3), 0, byte_bpe) == task.sample(Cell(100, None, 3), 7, byte_bpe)
    own = [Perplexity().sample(Cell(100, None, 3), seed, byte_bpe).prompt for seed in (0, 0, 1)]
    assert own[0] == own[1] != own[2]


def test_mistakes_are_one_line(folder: Path, byte_bpe: FastTokenizer) -> None:
    task = Perplexity(str(folder), stride=50)
    with pytest.raises(LengthError, match="cannot read windows of 50 tokens: it needs 51"):
        task.sample(Cell(50, None, 0), 0, byte_bpe)
    with pytest.raises(LengthError, match="cannot read windows of 0 tokens: it needs 4"):
        Perplexity().cells(Sweep((0,), (None,), 1), byte_bpe)
    with pytest.raises(LengthError, match=r"has \d+ windows of 100 tokens, numbered from 0; there is no number 9999"):
        task.sample(Cell(100, None, 9999), 0, byte_bpe)
    (folder / "word.txt").write_text("word")
    with pytest.raises(TextError, match="is too short: it has no token that another precedes"):
        Perplexity(str(folder / "word.txt")).cells(Sweep((100,), (None,), 1), Window(9).tokenizer)
    sample = task.sample(Cell(100, None, 0), 0, byte_bpe)
    with pytest.raises(ModelError, match="7 log-probabilities for a text of 100 tokens"):
        task.read(sample, [-1.0] * 7)
    for options in ({"stride": -1}, {"windows": -2}):
        with pytest.raises(SpecError, match="must be 0 or more"):
            Perplexity(**options)  # type: ignore[arg-type]


def test_a_window_model_is_the_likelier_the_more_it_sees() -> None:
    losses = []
    for width in (10, 100, 1000):
        model, task = Window(width), Perplexity(windows=4)
        samples = samples_of(task, 1024, model.tokenizer)
        readings = [task.read(*pair) for pair in zip(samples, model.token_loglikelihoods(samples), strict=True)]
        losses.append(sum(reading.axes["nats"] for reading in readings))
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 1.5 * losses[2]

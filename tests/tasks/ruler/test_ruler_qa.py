from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.ruler.qa_files import read_questions
from mta_eval.tasks.ruler.ruler_qa import RulerQA

ListAudit = Callable[[Sample, FastTokenizer, int], None]


def documents_of(sample: Sample) -> list[str]:
    text = sample.prompt.partition("given documents.\n\nDocument 1:\n")[2].rpartition("\n\nAnswer the question")[0]
    parts = re.split(r"\n\nDocument (\d+):\n", text)
    assert parts[1::2] == [str(number) for number in range(2, len(parts) // 2 + 2)]
    return parts[::2]


@pytest.fixture(params=["squad", "hotpot"])
def task(request: pytest.FixtureRequest, squad_file: Path, hotpot_file: Path) -> RulerQA:
    file = squad_file if request.param == "squad" else hotpot_file
    return RulerQA(request.param, f"file:{file}")


def test_every_length_is_filled_to_a_document(task: RulerQA, tokenizer: FastTokenizer, list_audit: ListAudit) -> None:
    for repeat, (length, depth) in enumerate(((1100, 0.0), (1203, 0.4), (1350, 1.0), (1187, None))):
        sample = task.sample(Cell(length, depth, repeat), 0, tokenizer)
        list_audit(sample, tokenizer, 170)
        assert (sample.max_new_tokens, sample.stop) == (32, ())
        assert sample.axes["documents"] == len(documents_of(sample))


def test_the_documents_with_the_answer_stand_together_at_their_depth(task: RulerQA, byte_bpe: FastTokenizer) -> None:
    gold = {"squad": 1, "hotpot": 2}[task.variant]
    for depth in (0.0, 0.5, 1.0):
        sample = task.sample(Cell(3000, depth, 1), 0, byte_bpe)
        documents = documents_of(sample)
        places = [documents.index(needle.text) for needle in sample.needles]
        assert places == list(range(places[0], places[0] + gold))
        assert places[0] == pytest.approx(depth * (len(documents) - gold), abs=2)
        assert all(needle.asked and needle.value == sample.targets[0] for needle in sample.needles)


def test_without_a_depth_all_documents_are_shuffled(hotpot_file: Path, byte_bpe: FastTokenizer) -> None:
    task = RulerQA("hotpot", f"file:{hotpot_file}")
    places = []
    for repeat in range(12):
        sample = task.sample(Cell(3000, None, repeat), 0, byte_bpe)
        documents = documents_of(sample)
        places.append(tuple(documents.index(needle.text) for needle in sample.needles))
    assert len({first for first, _ in places}) > 5
    assert any(second - first > 1 for first, second in places)


def test_documents_of_the_question_come_before_any_others(hotpot_file: Path, byte_bpe: FastTokenizer) -> None:
    task = RulerQA("hotpot", f"file:{hotpot_file}")
    for repeat in range(6):
        sample = task.sample(Cell(900, 0.5, repeat), 0, byte_bpe)
        number = re.findall(r"river of q(\d+)d3", sample.axes["question"])[0]  # type: ignore[arg-type]
        own = [text for text in documents_of(sample) if text.startswith(f"Title {number} ")]
        assert len(own) == min(len(documents_of(sample)), 10)


def test_documents_are_repeated_when_there_are_no_more_but_not_those_with_the_answer(
    squad_file: Path, byte_bpe: FastTokenizer
) -> None:
    sample = RulerQA("squad", f"file:{squad_file}").sample(Cell(4000, 0.5, 0), 0, byte_bpe)
    documents = documents_of(sample)
    assert len(documents) > len(set(documents)) == 24
    assert documents.count(sample.needles[0].text) == 1


def test_a_question_is_of_one_draw_at_every_length_and_depth(task: RulerQA, byte_bpe: FastTokenizer) -> None:
    cells = [(1500, 0.0), (1500, None), (4000, 1.0)]
    shown = [task.sample(Cell(length, depth, 3), 0, byte_bpe) for length, depth in cells]
    assert len({sample.draw for sample in shown}) == len({sample.axes["question"] for sample in shown}) == 1
    questions = {task.sample(Cell(1500, None, repeat), 0, byte_bpe).axes["question"] for repeat in range(12)}
    assert len(questions) == 12


def test_any_of_the_answers_is_right(squad_file: Path, byte_bpe: FastTokenizer) -> None:
    task = RulerQA("squad", f"file:{squad_file}")
    sample = task.sample(Cell(1000, None, 0), 0, byte_bpe)
    assert len(sample.targets) == 2
    assert [task.score(sample, output) for output in (*sample.targets, "no idea")] == [1, 1, 0]


def test_more_repeats_than_questions_are_refused(squad_file: Path, byte_bpe: FastTokenizer) -> None:
    task = RulerQA("squad", f"file:{squad_file}")
    count = len(read_questions(f"file:{squad_file}", "squad").questions)
    task.sample(Cell(1000, None, count - 1), 0, byte_bpe)
    with pytest.raises(SpecError, match=f"has {count} questions; lower --repeats"):
        task.sample(Cell(1000, None, count), 0, byte_bpe)


@pytest.mark.parametrize("spec", ["trivia,source=file:x", "squad,source=x", "squad,source=file:", "squad"])
def test_other_corpora_and_sources_are_refused(spec: str) -> None:
    with pytest.raises(SpecError):
        build_task(f"ruler_qa:{spec}")

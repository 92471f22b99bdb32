from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from qa_corpora import hotpot, river, squad

from mta_eval.errors import SpecError, TextError
from mta_eval.tasks.ruler.qa_files import DocumentQuestion, QuestionSet, read_questions


def texts(found: QuestionSet, numbers: tuple[int, ...]) -> list[str]:
    return [found.documents[number] for number in numbers]


def test_squad_has_a_question_of_a_paragraph_and_the_rest_of_its_article(squad_file: Path) -> None:
    found = read_questions(f"file:{squad_file}", "squad")
    assert (len(found.documents), len(found.questions)) == (24, 24)
    first = found.questions[0]
    assert (first.question, first.answers) == (
        "Which town does the river of a0p0 pass?", ("Towna0p0", "the town of Towna0p0"),
    )  # fmt: skip
    assert texts(found, first.gold) == [river("a0p0")]
    assert texts(found, first.near) == [river(f"a0p{number}") for number in (1, 2, 3)]


def test_hotpot_has_its_supporting_documents_and_those_that_came_with_them(hotpot_file: Path) -> None:
    found = read_questions(f"file:{hotpot_file}", "hotpot")
    assert (len(found.documents), len(found.questions)) == (120, 12)
    second = found.questions[1]
    assert second.answers == ("Townq1d3",)
    assert texts(found, second.gold) == [f"Title 1 {number}\n{river(f'q1d{number}')} So it is." for number in (3, 7)]
    assert len(second.near) == 8


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> str:
    (folder / "validation.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"dataset:{folder}"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("cached")
def test_squad_of_the_hub_is_that_of_the_file(tmp_path: Path, squad_file: Path) -> None:
    folder = tmp_path / "squad_v2"
    folder.mkdir()
    rows = [
        {
            "title": article["title"],
            "context": paragraph["context"],
            "question": asked["question"],
            "answers": {"text": [answer["text"] for answer in asked["answers"]], "answer_start": []},
        }
        for article in squad()["data"]
        for paragraph in article["paragraphs"]
        for asked in reversed(paragraph["qas"])
    ]
    assert read_questions(write_rows(folder, rows), "squad") == read_questions(f"file:{squad_file}", "squad")


@pytest.mark.usefixtures("cached")
def test_hotpot_of_the_hub_is_that_of_the_file(tmp_path: Path, hotpot_file: Path) -> None:
    folder = tmp_path / "hotpot_qa"
    folder.mkdir()
    rows = [
        {
            "question": row["question"],
            "answer": row["answer"],
            "context": {"title": [t for t, _ in row["context"]], "sentences": [s for _, s in row["context"]]},
            "supporting_facts": {"title": [t for t, _ in row["supporting_facts"]], "sent_id": [0, 1]},
        }
        for row in hotpot()
    ]
    source = f"{write_rows(folder, rows)}:default"
    assert read_questions(source, "hotpot") == read_questions(f"file:{hotpot_file}", "hotpot")


def test_a_data_set_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"cannot read data set .*, split 'validation'"):
        read_questions(f"dataset:{tmp_path}/nothing", "squad")


def test_answers_that_are_blank_or_said_twice_are_left_out(tmp_path: Path) -> None:
    rows = hotpot(3)
    rows[0]["answer"], rows[1]["answer"] = " ", "Rome"
    file = tmp_path / "hotpot.json"
    file.write_text(json.dumps(rows))
    assert [one.answers for one in read_questions(f"file:{file}", "hotpot").questions] == [("Rome",), ("Townq2d3",)]
    data = squad(1, 1)
    data["data"][0]["paragraphs"][0]["qas"][1]["answers"] = [{"text": text} for text in ("b", "", "a", "b")]
    file = tmp_path / "squad.json"
    file.write_text(json.dumps(data))
    found = read_questions(f"file:{file}", "squad")
    assert found.questions == (DocumentQuestion("Which town does the river of a0p0 pass?", ("b", "a"), (0,), ()),)


@pytest.mark.parametrize("corpus", ["squad", "hotpot"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        '"x"',
        '{"data": [{"paragraphs": [{"context": 1}]}]}',
        '[{"question": "x"}]',
        "[]",
        '{"data": []}',
    ],
)
def test_a_file_in_another_form_is_one_line(corpus: Any, text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(TextError, match="other") as error:
        read_questions(f"file:{file}", corpus)
    assert "\n" not in str(error.value)


def test_a_question_without_its_documents_is_refused(tmp_path: Path) -> None:
    rows = hotpot(1)
    rows[0]["supporting_facts"] = [["Another title", 0]]
    file = tmp_path / "hotpot.json"
    file.write_text(json.dumps(rows))
    with pytest.raises(TextError, match="supporting facts"):
        read_questions(f"file:{file}", "hotpot")


@pytest.mark.parametrize("source", ["x", "file:", "hub:x"])
def test_another_source_is_refused(source: str) -> None:
    with pytest.raises(SpecError, match="file:PATH or dataset:NAME"):
        read_questions(source, "squad")

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mta_eval.errors import TextError
from mta_eval.tasks import documents
from mta_eval.tasks.documents import Document, read_documents


def read(where: Path | str, column: str = "text", split: str = "test") -> list[Document]:
    return list(read_documents(str(where), column, split, 0))


def write_rows(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_text_file_is_one_document_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("A tale.\n\nIts end.  \n")
    assert read(tmp_path / "book.txt") == [Document("book", "A tale.\n\nIts end.  \n")]


def test_a_folder_has_a_domain_for_each_file_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("wiki.txt", "arxiv.md", "more/book.txt", "picture.png"):
        (tmp_path / name).write_text(name)
    write_rows(tmp_path / "c4.jsonl", {"text": "one"}, {"text": "two"})
    found = [(one.domain, one.text) for one in read(tmp_path)]
    assert found == [
        ("arxiv", "arxiv.md"),
        ("c4", "one"),
        ("c4", "two"),
        ("more/book", "more/book.txt"),
        ("wiki", "wiki.txt"),
    ]


def test_rows_name_their_domain_and_stand_together_by_it(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "mixed.jsonl",
        {"text": "1", "domain": "b"},
        {"text": "2", "meta": {"pile_set_name": "PubMed"}},
        {"text": "3", "source": "b"},
        {"text": "4"},
        {"text": "5", "meta": {"redpajama_set_name": "RedPajamaC4"}},
        {"text": " \n", "domain": "blank"},
        {"text": "7", "meta": "none", "domain": " ", "source": ""},
    )
    assert [(one.domain, one.text) for one in read(path)] == [
        ("b", "1"), ("b", "3"), ("PubMed", "2"), ("mixed", "4"), ("mixed", "7"), ("RedPajamaC4", "5"),
    ]  # fmt: skip


def test_a_row_is_an_object_on_a_line_and_blank_lines_are_none(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n  \n{"text": "b"}')
    assert [one.text for one in read(tmp_path / "rows.jsonl")] == ["a", "b"]


def test_a_path_may_begin_at_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "home.txt").write_text("A tale.")
    assert read("~/home.txt") == [Document("home", "A tale.")]


def test_a_data_set_has_only_so_many_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "test.jsonl", {"text": "one"}, {"text": "two"})
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 6)
    assert len(read(f"dataset:{tmp_path}")) == 2
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 5)
    read_documents.cache_clear()
    with pytest.raises(TextError, match="holds more than 5 characters"):
        read(f"dataset:{tmp_path}")


def test_a_line_separator_within_a_text_ends_no_row(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", {"story": "a\u2028b\u0085c\nd"})
    assert read(path, column="story") == [Document("rows", "a\u2028b\u0085c\nd")]


def test_a_data_set_is_read_by_split_and_column(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    write_rows(folder / "test.jsonl", {"story": "one"}, {"story": "two"})
    write_rows(folder / "train.jsonl", {"story": "three"})
    assert read(f"dataset:{folder}", "story") == [Document("books", "one"), Document("books", "two")]
    assert read(f"dataset:{folder}", "story", "train") == [Document("books", "three")]


def test_our_own_prose_hangs_on_the_seed() -> None:
    one, other = (read_documents("prose", "text", "test", seed) for seed in (0, 1))
    assert [document.domain for document in one] == ["prose"]
    assert one == read_documents("prose", "", "", 0) != other
    assert len(one[0].text.split()) > 40_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"text": "a"}\n{"text": ', "line 2 is no JSON"),
        ('["a"]\n', "line 1 is no JSON object"),
        ('{"story": "a", "id": 1}\n', r"row 1 has no text in column 'text', only: story, id; choose one by column="),
        ('{"text": 5}\n', "row 1 has no text in column 'text'"),
        ("\n\n", "holds no text"),
    ],
)
def test_a_damaged_or_empty_file_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(TextError, match=said) as error:
        read(tmp_path / "rows.jsonl")
    assert "\n" not in str(error.value)


def test_what_is_not_there_is_one_line_and_touches_no_network(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"no such file or folder: 'wikitext'; a data set is named dataset:NAME"):
        read("wikitext")
    with pytest.raises(TextError, match=r"holds no \.txt, \.md, \.jsonl file"):
        read(tmp_path)
    with pytest.raises(TextError, match="cannot read data set 'no/such', split 'test'"):
        read("dataset:no/such")

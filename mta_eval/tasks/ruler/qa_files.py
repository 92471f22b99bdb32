"""Questions over documents: SQuAD 2.0 and HotpotQA (distractor), from their JSON files or from data sets of the hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mta_eval.errors import SpecError, TextError
from mta_eval.outside import read_json
from mta_eval.tasks.prompts.sources import read_text

QA_SPLIT = "validation"  # of a data set: what RULER calls dev
DEFAULT_CONFIG = {"squad": None, "hotpot": "distractor"}
Corpus = Literal["squad", "hotpot"]


class DocumentQuestion(NamedTuple):
    """A question, its answers, and documents by their numbers: `gold` hold the answer, `near` are read beside them.

    `near` are the other paragraphs of the article (SQuAD), or those that came with the question (HotpotQA).
    """

    question: str
    answers: tuple[str, ...]
    gold: tuple[int, ...]
    near: tuple[int, ...]


class QuestionSet(NamedTuple):
    """Every different document, and the questions in the order of their file."""

    documents: tuple[str, ...]
    questions: tuple[DocumentQuestion, ...]


class _Asked(NamedTuple):
    """As `DocumentQuestion`, with the documents' texts."""

    question: str
    answers: tuple[str, ...]
    gold: tuple[str, ...]
    near: tuple[str, ...]


@lru_cache(maxsize=4)
def read_questions(source: str, corpus: Corpus) -> QuestionSet:
    """The questions that `source` names: file:PATH, the official JSON, or dataset:NAME or dataset:NAME:CONFIG.

    Questions without an answer are left out. Raises SpecError for another source, TextError for one that is not in the
    corpus's form.
    """
    kind, _, where = source.partition(":")
    if kind not in ("file", "dataset") or not where:
        raise SpecError(f"ruler_qa: source is file:PATH or dataset:NAME, not {source!r}")
    try:
        if kind == "file":
            asked, documents = _of_file(where, corpus)
        else:
            asked, documents = _of_rows(_rows_of(where, corpus), corpus)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        form = {"squad": "SQuAD 2.0", "hotpot": "HotpotQA (distractor)"}[corpus]
        raise TextError(f"{where!r} is not in the form of {form}: {type(error).__name__} {error}") from error
    if not asked:
        raise TextError(f"{where!r} holds no question with an answer")
    numbers = {text: number for number, text in enumerate(sorted(set(documents)))}
    return QuestionSet(
        tuple(numbers),
        tuple(
            DocumentQuestion(
                one.question,
                one.answers,
                tuple(numbers[text] for text in one.gold),
                tuple(dict.fromkeys(numbers[text] for text in one.near if text not in one.gold)),
            )
            for one in asked
        ),
    )


def _of_file(where: str, corpus: Corpus) -> tuple[list[_Asked], list[str]]:
    try:
        data = read_json(read_text(Path(where)))
    except ValueError as error:
        raise TextError(f"{where!r} is no JSON: {error}") from error
    if corpus == "hotpot":
        return _of_rows(data, corpus)
    asked, documents = [], []
    for article in data["data"]:
        texts = [_text(paragraph["context"]) for paragraph in article["paragraphs"]]
        documents += texts
        for text, paragraph in zip(texts, article["paragraphs"], strict=True):
            asked += [
                _Asked(_text(row["question"]), answers, (text,), tuple(texts))
                for row in paragraph["qas"]
                if not row["is_impossible"] and (answers := _answers(answer["text"] for answer in row["answers"]))
            ]
    return asked, documents


def _of_rows(rows: Iterable[Mapping[str, Any]], corpus: Corpus) -> tuple[list[_Asked], list[str]]:
    """Of rows of a data set, and of HotpotQA's file, which has the same fields."""
    listed = list(rows)
    if corpus == "hotpot":
        asked = [_hotpot(row) for row in listed]
        return [one for one in asked if one.answers], [text for one in asked for text in (*one.gold, *one.near)]
    articles: dict[str, dict[str, None]] = {}  # in order
    for row in listed:
        articles.setdefault(_text(row["title"]), {})[_text(row["context"])] = None
    asked = [
        _Asked(_text(row["question"]), answers, (row["context"],), tuple(articles[row["title"]]))
        for row in listed
        if (answers := _answers(row["answers"]["text"]))
    ]
    return asked, [text for article in articles.values() for text in article]


def _hotpot(row: Mapping[str, Any]) -> _Asked:
    context, facts = row["context"], row["supporting_facts"]
    if isinstance(context, Mapping):  # the hub's columns; the file has pairs
        context, facts = zip(context["title"], context["sentences"], strict=True), [(t,) for t in facts["title"]]
    titles = {fact[0] for fact in facts}
    documents = [(title, f"{_text(title)}\n{''.join(map(_text, sentences))}") for title, sentences in context]
    gold = tuple(dict.fromkeys(text for title, text in documents if title in titles))
    if not gold:
        raise KeyError("a question whose supporting facts are in none of its documents")
    return _Asked(_text(row["question"]), _answers([row["answer"]]), gold, tuple(text for _, text in documents))


def _answers(texts: Iterable[str]) -> tuple[str, ...]:
    """The different answers, in order; blank ones would be right in every output."""
    return tuple(dict.fromkeys(text for text in map(_text, texts) if text.strip()))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"has {value!r:.40} where a text should stand")
    return value


def _rows_of(where: str, corpus: Corpus) -> Sequence[Mapping[str, Any]] | Iterator[Mapping[str, Any]]:
    from datasets import load_dataset

    name, _, config = where.partition(":")
    try:
        rows: Sequence[Mapping[str, Any]] = load_dataset(name, config or DEFAULT_CONFIG[corpus], split=QA_SPLIT)
    except Exception as error:  # datasets raises whatever its loader, builder or network raises
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise TextError(f"cannot read data set {where!r}, split {QA_SPLIT!r}: {reason}") from error
    return rows

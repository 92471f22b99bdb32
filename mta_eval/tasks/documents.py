"""Documents by domain: whole texts to be read, from text files, folders, JSONL, data sets, or our own prose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mta_eval.core import generator
from mta_eval.errors import TextError
from mta_eval.outside import read_json
from mta_eval.tasks.prompts import prose
from mta_eval.tasks.prompts.sources import read_text

OWN_PROSE = 64  # blocks of sentences, some 50,000 words
DOMAIN_FIELDS = ("domain", "source", "pile_set_name", "redpajama_set_name")  # of a row, or of its `meta`
SUFFIXES = (".txt", ".md", ".jsonl")
MOST_CHARACTERS = 200_000_000  # of a data set; whoever has more names a smaller split


class Document(NamedTuple):
    """A text that is read from its start to its end, and what kind of text it is."""

    domain: str
    text: str


@lru_cache(maxsize=8)
def read_documents(where: str, column: str, split: str, seed: int) -> tuple[Document, ...]:
    """The documents that `where` names, domain by domain in the order in which these first appear; blank ones left out.

    "prose" is generated from `seed`; "dataset:NAME" or "dataset:NAME:CONFIG" are rows of `split` of a data set; all
    else is a path: a text file, JSONL, or a folder of such, where each file is a domain. Rows have their text in
    `column`, and name their domain in one of DOMAIN_FIELDS, else it is the file's or data set's name.
    Raises TextError.
    """
    if where == "prose":
        documents: Iterable[Document] = [_own_prose(seed)]
    elif where.startswith("dataset:"):
        documents = _of_dataset(where.removeprefix("dataset:"), column, split)
    else:
        documents = _of_path(where, column)
    domains: dict[str, list[Document]] = {}
    for document in documents:
        if document.text.strip():
            domains.setdefault(document.domain, []).append(document)
    if not domains:
        raise TextError(f"{where!r} holds no text; name a text file, JSONL, a folder of them, or dataset:NAME")
    return tuple(document for group in domains.values() for document in group)


def _own_prose(seed: int) -> Document:
    blocks = (prose.write_prose(generator(seed, "prose", index)) for index in range(OWN_PROSE))
    return Document("prose", "".join(unit for block in blocks for unit in block))


def _of_path(where: str, column: str) -> Iterator[Document]:
    try:
        path = Path(where).expanduser()
        folder = path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise TextError(f"no such file or folder: {where!r}") from error
    if not path.exists():
        raise TextError(f"no such file or folder: {where!r}; a data set is named dataset:NAME")
    files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES) if folder else [path]
    if not files:
        raise TextError(f"folder {where!r} holds no {', '.join(SUFFIXES)} file")
    for file in files:
        domain = str(file.relative_to(path).with_suffix("")) if folder else file.stem
        if file.suffix == ".jsonl":
            yield from _of_rows(_rows(file), column, domain, str(file))
        else:
            yield Document(domain, read_text(file))


def _rows(file: Path) -> Iterator[Mapping[str, object]]:
    # not splitlines(), which also parts at line ends that JSON allows within a text
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except ValueError as error:
            raise TextError(f"{str(file)!r} line {number} is no JSON") from error
        if not isinstance(row, dict):
            raise TextError(f"{str(file)!r} line {number} is no JSON object")
        yield row


def _of_rows(rows: Iterable[Mapping[str, object]], column: str, domain: str, where: str) -> Iterator[Document]:
    for number, row in enumerate(rows, 1):
        text = row.get(column)
        if not isinstance(text, str):
            raise TextError(
                f"{where!r} row {number} has no text in column {column!r}, only: {', '.join(map(str, row))}; "
                "choose one by column="
            )
        yield Document(_domain(row) or domain, text)


def _domain(row: Mapping[str, object]) -> str:
    """What a row says of its domain; "" if nothing."""
    meta = row.get("meta")
    for place in (row, meta if isinstance(meta, dict) else {}):
        for name in DOMAIN_FIELDS:
            if isinstance(value := place.get(name), str) and value.strip():
                return value
    return ""


def _of_dataset(name: str, column: str, split: str) -> Iterator[Document]:
    from datasets import load_dataset

    name, _, config = name.partition(":")
    characters = 0
    rows: list[Mapping[str, object]] = []
    try:
        for row in load_dataset(name, config or None, split=split, streaming=True):
            rows.append(row)
            characters += len(str(row.get(column, "")))
            if characters > MOST_CHARACTERS:
                break
    except Exception as error:  # datasets raises whatever its loader, builder or network raises
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise TextError(f"cannot read data set {name!r}, split {split!r}: {reason}") from error
    if characters > MOST_CHARACTERS:
        raise TextError(
            f"split {split!r} of {name!r} holds more than {MOST_CHARACTERS:,} characters; write the part to read "
            "into a JSONL file and name that"
        )
    yield from _of_rows(rows, column, name.rpartition("/")[2], f"{name}, {split}")

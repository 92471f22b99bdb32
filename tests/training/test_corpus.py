"""Corpora in tokens: every token is in one stream, and what is held out is nowhere else."""

from collections import Counter
from itertools import accumulate

import numpy as np
import pytest
from tiny_language import documents, texts_of, tokenizer_of

from mta_eval.errors import TextError
from mta_eval.training import corpus as module
from mta_eval.training.corpus import Corpus, TokenDocuments, pieces_of, tokenise

NOTES, PAGES = texts_of("note", 90, 20), texts_of("page", 60, 30)
TOKENIZER = tokenizer_of(NOTES + PAGES)


def split(part: TokenDocuments) -> list[tuple[int, ...]]:
    return [tuple(part.ids[part.starts[at] : part.starts[at + 1]].tolist()) for at in range(len(part))]


def encoded(text: str) -> tuple[int, ...]:
    ids = TOKENIZER.backend_tokenizer.encode(text, add_special_tokens=False).ids
    return (TOKENIZER.bos_token_id, *ids, TOKENIZER.eos_token_id)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return tokenise(documents(notes=NOTES, pages=PAGES), TOKENIZER)


def test_every_token_of_every_document_is_in_one_stream(corpus: Corpus) -> None:
    whole = Counter(encoded(text) for text in NOTES + PAGES)
    parts = Counter(one for part in corpus.streams.values() for one in split(part))
    assert sum(len(one) * count for one, count in parts.items()) == sum(map(len, whole))
    parted = parts - whole  # at most the documents at four borders, in two parts each
    assert sum(parted.values()) <= 8
    assert sum((whole & parts).values()) >= len(whole) - 4


def test_no_document_that_is_held_out_is_trained_on(corpus: Corpus) -> None:
    trained, validated, tested = (set(split(part)) for part in corpus.streams.values())
    assert not trained & validated
    assert not trained & tested
    assert not validated & tested


def test_a_twentieth_of_each_domain_is_held_out_half_for_each_stream(corpus: Corpus) -> None:
    for name, texts in (("notes", NOTES), ("pages", PAGES)):
        total = sum(len(encoded(text)) for text in texts)
        assert len(corpus.held_out[name].ids) == pytest.approx(0.025 * total, abs=1)
    held_out = np.concatenate([corpus.held_out[name].ids for name in ("notes", "pages")])
    assert np.array_equal(held_out, corpus.streams["validation"].ids)
    assert len(corpus.streams["test"].ids) == pytest.approx(len(held_out), abs=2)


def test_the_document_at_a_border_is_parted_there() -> None:
    text = ". ".join(NOTES)
    parts = tokenise(documents(one=[text]), TOKENIZER).streams
    assert [len(part) for part in parts.values()] == [1, 1, 1]
    assert tuple(token for part in parts.values() for token in part.ids.tolist()) == encoded(text)


def test_documents_are_held_out_by_chance_and_always_the_same() -> None:
    first, again = (tokenise(documents(notes=NOTES), TOKENIZER).streams for _ in range(2))
    assert all(np.array_equal(first[name].ids, again[name].ids) for name in first)
    assert split(first["test"])[-1] != encoded(NOTES[-1])
    assert sorted(split(first["training"])[:5]) != sorted(map(encoded, NOTES[:5]))


@pytest.mark.parametrize(("block", "piece"), [(7, 10**9), (10**9, 60), (3, 25)])
def test_texts_are_tokenised_alike_in_pieces_and_batches_of_any_size(
    block: int, piece: int, monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(module, "PIECE", piece)
    batches = list(module._batches(NOTES))
    assert "".join(part for some in batches for part, _ in some) == "".join(NOTES)
    assert sum(is_last for some in batches for _, is_last in some) == len(NOTES)
    assert len(batches) > 5
    assert max(map(len, batches)) <= block
    assert max(sum(len(part) for part, _ in some) for some in batches) < 2 * piece
    made = tokenise(documents(notes=NOTES, pages=PAGES), TOKENIZER)
    for stream in corpus.streams:
        assert np.array_equal(made.streams[stream].ids, corpus.streams[stream].ids)
        assert np.array_equal(made.streams[stream].starts, corpus.streams[stream].starts)


def test_long_texts_are_cut_before_a_space_or_a_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 10)
    assert list(pieces_of("one two three four")) == ["one two", " three", " four"]
    assert list(pieces_of("one\ntwo,three")) == ["one", "\ntwo,three"]
    assert list(pieces_of("abcdefghijklmno")) == ["abcdefghij", "klmno"]
    assert list(pieces_of("short one")) == ["short one"]
    assert list(pieces_of("")) == []


@pytest.mark.parametrize("texts", [["a"], ["a b c d"], ["7"] * 6])
def test_too_little_text_is_one_line(texts: list[str]) -> None:
    with pytest.raises(TextError, match=r"^the text is too short: it leaves no token to predict for .*; give more$"):
        tokenise(documents(notes=texts), TOKENIZER)


def test_a_domain_of_which_nothing_can_be_asked_has_no_perplexity() -> None:
    assert set(tokenise(documents(notes=NOTES, short=["1", "2"]), TOKENIZER).held_out) == {"notes"}


def test_pieces_are_those_of_the_documents_one_after_another(corpus: Corpus) -> None:
    part = corpus.streams["training"]
    order = list(range(len(part)))[::-1]
    whole = [token for place in order for token in split(part)[place]]
    ends = list(accumulate(len(split(part)[place]) for place in order))
    for first, count in ((0, 5), (3, 40), (17, 200), (len(whole) - 9, 9), (len(whole) - 9, 30)):
        pieces = list(part.pieces(order, ends, first, count))
        assert [token for piece in pieces for token in piece.tolist()] == whole[first : first + count]
        inner = set(ends) & set(range(first + 1, min(first + count, len(whole))))
        assert len(pieces) == len(inner) + 1

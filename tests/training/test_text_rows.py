"""Packed rows: all text once in an epoch, documents apart, and nothing of one document seen by another."""

from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from tiny_language import documents, texts_of, tokenizer_of
from tiny_models import KERNELS, family

from mta_eval.errors import TextError
from mta_eval.training import text_rows as module
from mta_eval.training.corpus import Corpus, TokenDocuments, tokenise
from mta_eval.training.text_rows import TextRows

NOTES, PAGES = texts_of("note", 90, 20), texts_of("page", 60, 30)
CORPUS = tokenise(documents(notes=NOTES, pages=PAGES), tokenizer_of(NOTES + PAGES))
TRAINING = CORPUS.streams["training"]
LENGTH = 40
ROWS = len(TRAINING.ids) // LENGTH


def rows(seed: int = 3, length: int = LENGTH) -> TextRows:
    return TextRows(CORPUS, length, seed)


def of_numbers(*texts: list[int]) -> TokenDocuments:
    return TokenDocuments(np.array(list(chain(*texts)), np.int32), np.cumsum([0, *map(len, texts)]))


def test_an_epoch_has_all_text_once_and_the_next_one_in_another_order() -> None:
    first, second = (rows().batch("training", range(ROWS * epoch, ROWS * (epoch + 1))).tokens for epoch in (0, 1))
    for epoch in (first, second):
        count = np.bincount(epoch.flatten().numpy(), minlength=300)
        left = np.bincount(TRAINING.ids, minlength=300) - count
        assert left.min() >= 0
        assert left.sum() == len(TRAINING.ids) - ROWS * LENGTH < LENGTH
    assert not torch.equal(first, second)


def test_a_batch_is_not_one_place_in_a_long_document() -> None:
    book = TokenDocuments(np.arange(400, dtype=np.int32), np.array([0, 400]))
    corpus = Corpus({"training": book, "validation": book, "test": book})
    firsts = [TextRows(corpus, 10, 0).batch("training", range(start, start + 40)).tokens[:, 0] for start in (0, 40)]
    for epoch in firsts:
        assert sorted(epoch.tolist()) == list(range(0, 400, 10))
        assert not torch.equal(epoch, epoch.sort().values)
    assert not torch.equal(*firsts)
    assert TextRows(corpus, 10, 0).batch("validation", range(40)).tokens[:, 0].tolist() == list(range(0, 400, 10))


def test_rows_are_packed_without_gaps_and_documents_are_counted() -> None:
    texts = [[10, 11, 12], [20, 21], [30, 31, 32, 33, 34]]
    corpus = Corpus({"training": of_numbers(*texts), "validation": of_numbers([1, 2, 3]), "test": of_numbers([4, 5])})
    batch = TextRows(corpus, 5, 0).batch("training", [0, 1])
    tokens = batch.tokens.flatten().tolist()
    assert sorted(tokens) == sorted(chain(*texts))
    assert batch.documents is not None
    for line, numbers, weights in zip(batch.tokens.tolist(), batch.documents.tolist(), batch.weights, strict=True):
        tens = [token // 10 for token in line]
        goes_on = [float(one == other) for one, other in pairwise(tens)]
        assert weights.tolist() == [0, *goes_on]
        assert numbers == [1, *(1 + goes_on[:place].count(0) for place in range(1, 5))]
    held_out = TextRows(corpus, 5, 0).batch("validation", [0])  # less than a row: padded
    assert held_out.documents is not None
    assert (held_out.tokens.tolist(), held_out.documents.tolist()) == ([[1, 2, 3, 0, 0]], [[1, 1, 1, 0, 0]])
    assert held_out.weights.tolist() == [[0, 1, 1, 0, 0]]


def test_each_token_but_the_first_of_a_document_is_an_answer_of_its_own() -> None:
    batch = rows().batch("training", range(6))
    assert torch.equal(batch.answers > 0, batch.weights > 0)
    assert batch.weights[:, 0].sum() == 0
    for line in batch.answers.tolist():
        numbers = [number for number in line if number]
        assert len(set(numbers)) == len(numbers) > LENGTH // 2


def test_rows_hang_on_the_seed_and_those_that_are_held_out_do_not() -> None:
    one, same, other = rows(3), rows(3), rows(4)
    for stream in ("training", "validation", "test"):
        batches = [each.batch(stream, range(4)).tokens for each in (one, same, other)]  # type: ignore[arg-type]
        assert torch.equal(batches[0], batches[1])
        assert torch.equal(batches[0], batches[2]) == (stream != "training")


def test_little_held_out_text_is_read_again_from_its_start() -> None:
    count = len(CORPUS.streams["validation"].ids) // LENGTH
    first, again = (rows().batch("validation", range(start, start + count)).tokens for start in (0, count))
    assert torch.equal(first, again)
    whole = CORPUS.streams["validation"].ids[: count * LENGTH]
    assert first.flatten().tolist() == whole.tolist()


def test_a_row_does_not_hang_on_what_else_is_asked() -> None:
    together = rows().batch("training", [5, 0, 9])
    for place, index in enumerate([5, 0, 9]):
        alone = rows().batch("training", [index])
        for field, whole in zip(alone, together, strict=True):
            assert field is not None
            assert whole is not None
            assert torch.equal(field[0], whole[place])


@pytest.mark.parametrize(("attention", "options"), [("mta", KERNELS), ("transformer", {}), ("diff", {})])
def test_the_logits_of_a_packed_document_are_those_of_it_alone(attention: str, options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model = family(attention, **options).double().eval()
    batch = rows().batch("training", range(3))
    assert batch.documents is not None
    tokens = batch.tokens % 40  # of the tiny model's vocabulary
    with torch.no_grad():
        packed = model(tokens, attention_mask=batch.documents, use_cache=False).logits
        for row, numbers in enumerate(batch.documents):
            assert int(numbers.max()) > 1
            for number in range(1, int(numbers.max()) + 1):
                mine = numbers == number
                alone = model(tokens[row][mine][None], use_cache=False).logits[0]
                torch.testing.assert_close(packed[row][mine], alone)


@pytest.mark.parametrize(("length", "line"), [(10**6, "fewer than a row of 1,000,000"), (1, "at least 2 tokens")])
def test_rows_that_cannot_be_are_one_line(length: int, line: str) -> None:
    with pytest.raises(TextError, match=line):
        rows(length=length)


def test_held_out_text_is_given_by_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = rows(length=20).held_out_texts()
    assert set(parts) == {"notes", "pages"}
    for name, (text, count) in parts.items():
        ids = CORPUS.held_out[name].ids
        assert count == len(ids) // 20
        assert text.batch("validation", range(count)).tokens.flatten().tolist() == ids[: 20 * count].tolist()
    monkeypatch.setattr(module, "MOST_DOMAINS", 1)
    largest = max(CORPUS.held_out, key=lambda name: len(CORPUS.held_out[name].ids))
    assert list(rows().held_out_texts()) == [largest]

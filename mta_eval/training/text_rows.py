"""Rows of running text, documents packed one after another, none of which sees another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch

from mta_eval.core import generator
from mta_eval.errors import TextError
from mta_eval.training.corpus import Corpus, TokenDocuments
from mta_eval.training.rows import RowBatch, Rows, Stream

SHORTEST = 2  # the first token of a row is not predicted
MOST_DOMAINS = 12  # whose perplexities are followed in a training


class TextRows:
    """Rows of `length` tokens out of a corpus, for `rows.Rows`; every token but the first of a document is predicted.

    An epoch has all documents once, in an order of its own, and its rows in another, so that a batch is not one place
    in a long document; what is left at its end and fills no row is left out. What
    is held out is read in one order, and again from its start where there is less of it than is asked. Raises
    TextError for a corpus that fills no row.
    """

    def __init__(self, corpus: Corpus, length: int, seed: int) -> None:
        self.corpus, self.length, self.seed = corpus, length, seed
        if length < SHORTEST:
            raise TextError(f"a row of text has at least {SHORTEST} tokens, not {length}")
        tokens = len(corpus.streams["training"].ids)
        if tokens < length:
            raise TextError(f"the text has {tokens:,} tokens to train on, fewer than a row of {length:,}; give more")

    def held_out_texts(self) -> Mapping[str, tuple[Rows, int]]:
        """See TextParts. Of many domains those that have most."""
        found: dict[str, tuple[Rows, int]] = {}
        domains = self.corpus.held_out.items()
        for name, documents in sorted(domains, key=lambda item: -len(item[1].ids))[:MOST_DOMAINS]:
            streams = {**self.corpus.streams, "validation": documents}
            found[name] = TextRows(Corpus(streams), self.length, self.seed), _row_count(documents, self.length)
        return found

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        """See Rows."""
        made = [self._row(stream, index) for index in indices]
        tokens, documents = (torch.tensor(np.stack(part)) for part in zip(*made, strict=True))
        predicted = torch.zeros_like(tokens)
        predicted[:, 1:] = ((documents[:, 1:] == documents[:, :-1]) & (documents[:, 1:] > 0)).long()
        return RowBatch(tokens, predicted.float(), predicted * torch.arange(self.length), documents)

    def _row(self, stream: Stream, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens, and the numbers of their documents from 1; 0 for what is padding, where little is held out."""
        documents = self.corpus.streams[stream]
        count = _row_count(documents, self.length)
        epoch, place = divmod(index, count)
        if stream == "training":
            place = _row_order(count, self.seed, epoch)[place]
        order, ends = _order(documents, self.seed if stream == "training" else None, epoch)
        tokens, numbers = np.zeros(self.length, np.int64), np.zeros(self.length, np.int64)
        first = 0
        for number, piece in enumerate(documents.pieces(order, ends, place * self.length, self.length), 1):
            tokens[first : first + len(piece)], numbers[first : first + len(piece)] = piece, number
            first += len(piece)
        return tokens, numbers


def _row_count(documents: TokenDocuments, length: int) -> int:
    return max(len(documents.ids) // length, 1)


@lru_cache(maxsize=2)
def _row_order(count: int, seed: int, epoch: int) -> list[int]:
    order = list(range(count))
    generator(seed, "rows of an epoch", epoch).shuffle(order)
    return order


@lru_cache(maxsize=8)
def _order(documents: TokenDocuments, seed: int | None, epoch: int) -> tuple[list[int], list[int]]:
    """The documents of an epoch in their order (None: as they are), and where in it each ends."""
    order = list(range(len(documents)))
    if seed is not None:
        generator(seed, "epoch", epoch).shuffle(order)
    lengths = np.diff(documents.starts)[order]
    return order, np.cumsum(lengths).tolist()

"""Rows of running text, documents packed one after another, none of which sees another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from mta_eval.core import generator
from mta_eval.errors import TextError
from mta_eval.training.corpus import Corpus, TokenDocuments
from mta_eval.training.rows import RowBatch, Stream


class TextRows:
    """Rows of `length` tokens out of a corpus, for `rows.Rows`; every token but the first of a document is predicted.

    An epoch has all documents once, in an order of its own; what is left at its end and fills no row is left out. What
    is held out is read in one order, and again from its start where there is less of it than is asked. Raises
    TextError for a corpus that fills no row.
    """

    def __init__(self, corpus: Corpus, length: int, seed: int) -> None:
        self.corpus, self.length, self.seed = corpus, length, seed
        tokens = len(corpus.streams["training"].ids)
        if tokens < length:
            raise TextError(f"the text has {tokens:,} tokens to train on, fewer than a row of {length:,}; give more")

    @property
    def rows_of_an_epoch(self) -> int:
        """How many rows have new text."""
        return len(self.corpus.streams["training"].ids) // self.length

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
        rows = max(len(documents.ids) // self.length, 1)
        epoch, place = divmod(index, rows)
        order, ends = _order(documents, self.seed if stream == "training" else None, epoch)
        tokens, numbers = np.zeros(self.length, np.int64), np.zeros(self.length, np.int64)
        first = 0
        for number, piece in enumerate(documents.pieces(order, ends, place * self.length, self.length), 1):
            tokens[first : first + len(piece)], numbers[first : first + len(piece)] = piece, number
            first += len(piece)
        return tokens, numbers


@lru_cache(maxsize=8)
def _order(documents: TokenDocuments, seed: int | None, epoch: int) -> tuple[list[int], list[int]]:
    """The documents of an epoch in their order (None: as they are), and where in it each ends."""
    order = list(range(len(documents)))
    if seed is not None:
        generator(seed, "epoch", epoch).shuffle(order)
    lengths = np.diff(documents.starts)[order]
    return order, np.cumsum(lengths).tolist()

"""Texts as tokens to train on, document by document, and a part of each domain that is held out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from mta_eval.core import generator
from mta_eval.tasks.documents import Document
from mta_eval.training.rows import Stream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

HELD_OUT = 0.05  # of each domain's tokens, half of them for each stream that is not trained on
BLOCK = 64  # documents that are tokenised together


@dataclass(frozen=True, eq=False)
class TokenDocuments:
    """Documents one after another: `ids` of all, and where each begins, with the number of all tokens at the end."""

    ids: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def pieces(self, order: Sequence[int], ends: Sequence[int], first: int, count: int) -> Iterator[np.ndarray]:
        """Tokens `first` to `first` + `count` of the documents in this order, whose ends in it are `ends`."""
        place, left = bisect_right(ends, first), count
        while left > 0 and place < len(order):
            start, end = self.starts[order[place]], self.starts[order[place] + 1]
            begin = end - (ends[place] - first)
            piece = self.ids[max(begin, start) : min(begin + left, end)]
            yield piece
            first, left, place = first + len(piece), left - len(piece), place + 1


@dataclass(frozen=True)
class Corpus:
    """What is trained on, and what is held out, by stream."""

    streams: dict[Stream, TokenDocuments]


def tokenise(documents: Sequence[Document], tokenizer: PreTrainedTokenizerFast) -> Corpus:
    """Each document with its BOS before and its EOS after it, where the tokenizer has one.

    Of each domain the documents are shuffled, the same way always, and the last HELD_OUT of its tokens are held out;
    the document that this border goes through is parted.
    """
    by_domain: dict[str, list[str]] = {}
    for document in documents:
        by_domain.setdefault(document.domain, []).append(document.text)
    streams: dict[Stream, list[list[int]]] = {"training": [], "validation": [], "test": []}
    for domain, texts in by_domain.items():
        generator(0, "held out", domain).shuffle(texts)
        documents_ids = list(_encode(texts, tokenizer))
        total = sum(map(len, documents_ids))
        borders = [round(total * (1 - HELD_OUT)), round(total * (1 - HELD_OUT / 2)), total]
        for stream, start, end in zip(streams, [0, *borders], borders, strict=False):
            streams[stream] += _between(documents_ids, start, end)
    return Corpus({stream: _joined(parts) for stream, parts in streams.items()})


def _encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> Iterator[list[int]]:
    before = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    after = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    for first in range(0, len(texts), BLOCK):
        some = list(texts[first : first + BLOCK])
        for encoding in tokenizer.backend_tokenizer.encode_batch(some, add_special_tokens=False):
            yield [*before, *encoding.ids, *after]


def _between(documents: Sequence[list[int]], start: int, end: int) -> Iterator[list[int]]:
    """The parts of the documents between two places in all their tokens."""
    place = 0
    for ids in documents:
        part = ids[max(start - place, 0) : max(end - place, 0)]
        if part:
            yield part
        place += len(ids)


def _joined(documents: Sequence[list[int]]) -> TokenDocuments:
    starts = np.array([0, *accumulate(map(len, documents))], dtype=np.int64)
    return TokenDocuments(np.array([token for ids in documents for token in ids], dtype=np.int32), starts)

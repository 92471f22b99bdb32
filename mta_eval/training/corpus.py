"""Texts as tokens to train on, document by document, and a part of each domain that is held out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from mta_eval.core import generator
from mta_eval.errors import TextError
from mta_eval.tasks.documents import Document
from mta_eval.training.rows import Stream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

HELD_OUT = 0.05  # of each domain's tokens, half of them for each stream that is not trained on
BLOCK, BLOCK_CHARACTERS = 64, 4_000_000  # documents that are tokenised together, and about as much of them


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
    """What is trained on, and what is held out, by stream; what is held out for validation also by domain."""

    streams: Mapping[Stream, TokenDocuments]
    held_out: Mapping[str, TokenDocuments] = field(default_factory=dict)


def tokenise(documents: Sequence[Document], tokenizer: PreTrainedTokenizerFast) -> Corpus:
    """Each document with its BOS before and its EOS after it, where the tokenizer has one.

    Of each domain the documents are shuffled, the same way always, and the last HELD_OUT of its tokens are held out;
    the document that this border goes through is parted. A document that is there twice is taken for two.
    Raises TextError if so little is held out that no token of it can be predicted.
    """
    by_domain: dict[str, list[str]] = {}
    for document in documents:
        by_domain.setdefault(document.domain, []).append(document.text)
    streams: dict[Stream, list[np.ndarray]] = {"training": [], "validation": [], "test": []}
    held_out: dict[str, TokenDocuments] = {}
    for domain, texts in by_domain.items():
        generator(0, "held out", domain).shuffle(texts)
        encoded = list(_encode(texts, tokenizer))
        total = sum(map(len, encoded))
        borders = [round(total * (1 - HELD_OUT)), round(total * (1 - HELD_OUT / 2)), total]
        parts = [list(_between(encoded, start, end)) for start, end in zip([0, *borders[:-1]], borders, strict=True)]
        for stream, part in zip(streams.values(), parts, strict=True):
            stream += part
        if _can_be_asked(parts[1]):
            held_out[domain] = _joined(parts[1])
    for name, part in streams.items():
        if not _can_be_asked(part):
            raise TextError(f"the text is too short: it leaves no token to predict for {name}; give more")
    return Corpus({name: _joined(part) for name, part in streams.items()}, held_out)


def _can_be_asked(documents: Sequence[np.ndarray]) -> bool:
    return any(len(ids) > 1 for ids in documents)  # the first token of each is not predicted


def _encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> Iterator[np.ndarray]:
    before = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    after = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    for some in _batches(texts):
        # "fast": without the places of tokens in the text, which nobody asks for here
        for encoding in tokenizer.backend_tokenizer.encode_batch_fast(some, add_special_tokens=False):
            yield np.array([*before, *encoding.ids, *after], dtype=np.int32)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts that are tokenised together: few enough that their encodings, which are large, fit the memory."""
    some: list[str] = []
    for text in texts:
        some.append(text)
        if len(some) == BLOCK or sum(map(len, some)) > BLOCK_CHARACTERS:
            yield some
            some = []
    if some:
        yield some


def _between(documents: Sequence[np.ndarray], start: int, end: int) -> Iterator[np.ndarray]:
    """The parts of the documents between two places in all their tokens."""
    place = 0
    for ids in documents:
        part = ids[max(start - place, 0) : max(end - place, 0)]
        if len(part):
            yield part
        place += len(ids)


def _joined(documents: Sequence[np.ndarray]) -> TokenDocuments:
    starts = np.array([0, *accumulate(map(len, documents))], dtype=np.int64)
    return TokenDocuments(np.concatenate(documents) if documents else np.zeros(0, np.int32), starts)

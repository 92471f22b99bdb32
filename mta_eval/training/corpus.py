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
BLOCK, PIECE = 64, 500_000  # texts that are tokenised together at most, and about as many characters


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


def pieces_of(text: str) -> Iterator[str]:
    """A text in pieces of at most PIECE characters, which begin at a space or a line end if there is one.

    Tokenizers take over a hundred bytes a character, and nearly all of them never join tokens over such a place.
    """
    start = 0
    while start < len(text):
        end = start + PIECE
        if end < len(text):
            end = next((at for sign in " \n" if (at := text.rfind(sign, start + 1, end)) > start), end)
        yield text[start:end]
        start = end


def _encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> Iterator[np.ndarray]:
    before, after = (
        np.array([] if token is None else [token], dtype=np.int32)
        for token in (tokenizer.bos_token_id, tokenizer.eos_token_id)
    )
    parts = [before]
    for some in _batches(texts):
        # "fast": without the places of tokens in the text, which nobody asks for here
        encodings = tokenizer.backend_tokenizer.encode_batch_fast(
            [piece for piece, _ in some], add_special_tokens=False
        )
        for (_, is_last), encoding in zip(some, encodings, strict=True):
            parts.append(np.array(encoding.ids, dtype=np.int32))
            if is_last:
                yield np.concatenate([*parts, after])
                parts = [before]


def _batches(texts: Sequence[str]) -> Iterator[list[tuple[str, bool]]]:
    """Pieces that are tokenised together, each with whether it is the last of its text."""
    some: list[tuple[str, bool]] = []
    characters = 0
    for text in texts:
        read = 0
        for piece in pieces_of(text):
            read += len(piece)
            some.append((piece, read == len(text)))
            characters += len(piece)
            if len(some) == BLOCK or characters >= PIECE:
                yield some
                some, characters = [], 0
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

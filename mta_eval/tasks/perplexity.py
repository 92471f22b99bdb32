"""Perplexity of texts by domain, in fixed or sliding windows: how likely a model finds what it reads, not what it says.

    <bos> The rain had stopped by noon , and the ferryman …     one window of a document, in the model's tokens
          0.9 3.1  0.2 1.4     0.3 2.2   0.1 0.4  5.0           -log p of each, given those before it (nats)
    perplexity = exp(sum of nats / number of tokens), of each domain; their plain mean

The validation perplexity of the MTA paper (Table 2: seven domains, windows of 2,048 tokens, the plain mean of the
domains' perplexities) and perplexity on long books (LongHeads). Unlike the paper's code, which joins documents and
drops what does not fill a batch, windows here never cross from one document into the next, and the last window of a
document has what is left of it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from functools import lru_cache
from itertools import groupby, islice, pairwise
from typing import ClassVar, NamedTuple

from mta_eval.core import Cell, Reading, Sample, Sweep, Tokenizer, number_of
from mta_eval.errors import LengthError, ModelError, SpecError, TextError
from mta_eval.registry import spec_of
from mta_eval.tasks.documents import Document, read_documents
from mta_eval.tasks.prompts.token_cache import recall
from mta_eval.tasks.windows import TextWindow, cut_windows

SHORTEST = 4  # tokens of a window
FINE = 128  # places from which on two stretches make an octave


class _Place(NamedTuple):
    """A window of a document, and the number of that document within its domain."""

    document: Document
    number: int
    window: TextWindow


@dataclass(frozen=True)
class Perplexity:
    """Perplexity of texts by domain; reads windows of --lengths tokens (2k), takes no depths and no repeats."""

    name: ClassVar[str] = "perplexity"

    text: str = field(
        default="prose", metadata={"help": "text file, .jsonl, folder (a file, a domain), dataset:NAME, or prose"}
    )
    stride: int = field(default=0, metadata={"help": "tokens that a sliding window moves by; 0: no overlap"})
    windows: int = field(default=0, metadata={"help": "read only the first so many windows of a domain; 0: all"})
    column: str = field(default="text", metadata={"help": "where rows (.jsonl, data sets) have their text"})
    split: str = field(default="test", metadata={"help": "the part of a data set to read"})

    def __post_init__(self) -> None:
        if self.stride < 0 or self.windows < 0:
            raise SpecError("perplexity: stride and windows must be 0 or more")

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The windows of Table 2."""
        return (2048,)

    def cells(self, sweep: Sweep, tokenizer: Tokenizer) -> Sequence[Cell]:
        """One for each window, its number in place of a repeat: domain by domain, in the order of the texts."""
        return [
            Cell(length, None, number)
            for length in sweep.lengths
            for number in range(len(self._places(length, sweep.seed, tokenizer)))
        ]

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """Window number `cell.repeat`; its depth does not matter. Raises LengthError if there are not so many."""
        places = self._places(cell.length, seed, tokenizer)
        if cell.repeat >= len(places):
            raise LengthError(
                f"{spec_of(self)} has {len(places)} windows of {cell.length} tokens, numbered from 0; "
                f"there is no number {cell.repeat}"
            )
        document, number, window = places[cell.repeat]
        new = document.text[window.border : window.end]
        place = Cell(cell.length, None, cell.repeat)
        return Sample(
            id=f"{spec_of(self)}/{place}",
            task=spec_of(self),
            prompt=document.text[window.start : window.end],
            targets=(),
            axes={
                "length": cell.length,
                "depth": None,
                "domain": document.domain,
                "document": number,
                "window": cell.repeat,
                "predicted": window.predicted,
                "characters": len(new),
                "bytes": len(new.encode()),
            },
            length=cell.length,
            prompt_tokens=window.tokens,
            max_new_tokens=0,
            draw=f"perplexity:{document.domain}/{number}",
        )

    def read(self, sample: Sample, loglikelihoods: Sequence[float]) -> Reading:
        """Score: exp of the mean log p, the geometric mean of the new tokens' probabilities, 1 / perplexity.

        Axis `nats`: -log p, summed over the `predicted` tokens. Positions count the tokens before a token.
        """
        if len(loglikelihoods) != sample.prompt_tokens - 1:
            raise ModelError(
                f"{sample.id}: {len(loglikelihoods)} log-probabilities for a text of {sample.prompt_tokens} tokens, "
                "the first of which has none; the model and its tokenizer do not belong together"
            )
        predicted = int(number_of(sample.axes, "predicted"))
        losses = [-value for value in loglikelihoods[-predicted:]]
        nats = math.fsum(losses)
        first = sample.prompt_tokens - predicted
        edges = [first, *(edge for edge in stretches(sample.length) if first < edge < sample.prompt_tokens)]
        positions: list[list[float]] = []
        for start, end in pairwise([*edges, sample.prompt_tokens]):
            part = losses[start - first : end - first]
            home = stretches(sample.length)[bisect_right(stretches(sample.length), start) - 1]
            positions.append([home, round(math.fsum(part), 4), len(part)])
        return Reading(math.exp(-nats / predicted), {"nats": round(nats, 4)}, positions)

    def score(self, sample: Sample, output: str) -> float:
        """Never asked: a text is read, not answered."""
        raise NotImplementedError(f"{sample.id} has no right answer; got {output!r}")

    def _places(self, length: int, seed: int, tokenizer: Tokenizer) -> tuple[_Place, ...]:
        if length < SHORTEST or self.stride >= length:
            raise LengthError(
                f"{spec_of(self)} cannot read windows of {length} tokens: it needs {max(SHORTEST, self.stride + 1)}"
            )
        return _cut(self, length, seed if self.text == "prose" else 0, tokenizer)


@lru_cache(maxsize=16)
def _cut(task: Perplexity, length: int, seed: int, tokenizer: Tokenizer) -> tuple[_Place, ...]:
    """What a task reads; texts are cut once for each tokenizer and length. Raises TextError, LengthError."""
    documents = read_documents(task.text, task.column, task.split, seed)
    domains = [document.domain for document in documents]
    rows = recall(
        "windows",
        [document.text for document in documents],
        (length, task.stride, task.windows, tokenizer.specials, domains),
        tokenizer,
        lambda: [number for row in _rows(task, documents, length, tokenizer) for number in row],
    )
    if not rows:
        raise TextError(f"{task.text!r} is too short: it has no token that another precedes")
    width, firsts = 1 + len(fields(TextWindow)), {domain: domains.index(domain) for domain in dict.fromkeys(domains)}
    cut = (rows[first : first + width] for first in range(0, len(rows), width))
    return tuple(_Place(documents[at], at - firsts[domains[at]], TextWindow(*window)) for at, *window in cut)


def _rows(
    task: Perplexity, documents: Sequence[Document], length: int, tokenizer: Tokenizer
) -> Iterator[tuple[int, ...]]:
    """(number of the document, *TextWindow) of each window to be read."""
    for _, group in groupby(enumerate(documents), key=lambda pair: pair[1].domain):
        windows = (
            (at, *astuple(window))
            for at, document in group
            for window in cut_windows(document.text, tokenizer, length, task.stride)
        )
        yield from islice(windows, task.windows or None)


@lru_cache(maxsize=64)
def stretches(length: int) -> tuple[int, ...]:
    """Where the stretches of a window begin, by which positions are told: octaves, and from FINE on halves of them."""
    octaves = [1 << power for power in range(length.bit_length())]
    halves = [octave + octave // 2 for octave in octaves if octave >= FINE]
    return tuple(sorted(place for place in octaves + halves if place < length))

"""Rows of tokens to train on and to be asked: what a row is, and rows of several kinds one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

from mta_eval.core import generator

if TYPE_CHECKING:
    import torch

Stream = Literal["training", "validation", "test"]


class RowBatch(NamedTuple):
    """B rows of T tokens, and what the loss and the errors are about; every field is (B, T).

    `weights` says how much the prediction of each token counts in the loss, 0 for not at all. `answers` numbers the
    answers of a row from 1, 0 is for tokens of none. `documents` numbers the documents of a row from 1, 0 is for
    padding; None where every row is one document.
    """

    tokens: torch.Tensor
    weights: torch.Tensor
    answers: torch.Tensor
    documents: torch.Tensor | None = None

    def part(self, first: int, last: int) -> RowBatch:
        """Rows `first` to `last` - 1."""
        return RowBatch(*(None if field is None else field[first:last] for field in self))  # type: ignore[arg-type]


class Rows(Protocol):
    """Rows of one length, the same for the same arguments."""

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        """The rows of these numbers, from 0 on."""


class AnswerRows(ABC):
    """Rows whose answers stand at the same places of each; the loss is about the answers alone."""

    @property
    @abstractmethod
    def answers(self) -> Sequence[Sequence[int]]:
        """The places of each answer's tokens, counted from the row's end: -1 is its last."""

    @abstractmethod
    def __call__(self, stream: Stream, index: int) -> list[int]:
        """The tokens of row `index`, from 0 on."""

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        """See Rows."""
        import torch

        tokens = torch.tensor([self(stream, index) for index in indices])
        answers = torch.zeros_like(tokens)
        for number, places in enumerate(self.answers, 1):
            answers[:, list(places)] = number
        return RowBatch(tokens, (answers > 0).float(), answers)


class WeightedRows(ABC):
    """Rows that say of each token how much it counts and which answer it is of; each row is one document."""

    @abstractmethod
    def row(self, stream: Stream, index: int) -> tuple[list[int], list[float], list[int]]:
        """Tokens of row `index`, their weights, and the numbers of the answers that they are of, 0 for none."""

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        """See Rows."""
        import torch

        rows = [self.row(stream, index) for index in indices]
        tokens, weights, answers = (torch.tensor(part) for part in zip(*rows, strict=True))
        return RowBatch(tokens, weights, answers)


@runtime_checkable
class TextParts(Protocol):
    """Rows that are running text, or some of which are."""

    def held_out_texts(self) -> Mapping[str, tuple[Rows, int]]:
        """For each domain of the text its rows, and how many different ones of the stream "validation" there are."""


class MixedRows:
    """Rows of several kinds, each with its share of them; which one a row is of hangs on its number."""

    def __init__(self, parts: Sequence[tuple[float, Rows]]) -> None:
        self.shares, self.parts = [share for share, _ in parts], [rows for _, rows in parts]

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        """See Rows."""
        import torch

        kinds = [self._kind(stream, index) for index in indices]
        made, places = [], list[int]()
        for kind in sorted(set(kinds)):
            mine = [place for place, other in enumerate(kinds) if other == kind]
            made.append(self.parts[kind].batch(stream, [indices[place] for place in mine]))
            places += mine
        back = torch.tensor(places).argsort()
        tokens, weights, answers, documents = zip(*made, strict=True)
        packed = None
        if any(one is not None for one in documents):  # rows of one document beside packed ones
            packed = torch.cat([_one_document(rows) if rows.documents is None else rows.documents for rows in made])
            packed = packed[back]
        return RowBatch(torch.cat(tokens)[back], torch.cat(weights)[back], torch.cat(answers)[back], packed)

    def held_out_texts(self) -> Mapping[str, tuple[Rows, int]]:
        """See TextParts."""
        parts = [part.held_out_texts() for part in self.parts if isinstance(part, TextParts)]
        return {name: text for part in parts for name, text in part.items()}

    def _kind(self, stream: Stream, index: int) -> int:
        random = generator(0, "mixed rows", stream, index)
        return int(random.choices(range(len(self.parts)), weights=self.shares)[0])


def _one_document(rows: RowBatch) -> torch.Tensor:
    import torch

    return torch.ones_like(rows.tokens)


class Stage(NamedTuple):
    """Part of a training: so many steps of so many rows each."""

    steps: int
    batch: int
    rows: Rows


class StagedRows:
    """Rows in stages, such as short ones first and long ones later. Held out are rows of the last stage."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = tuple(stages)

    def stage(self, step: int) -> tuple[Stage, int]:
        """The stage of step `step`, from 0, and how many rows of it were seen before. Later steps are of the last."""
        for stage in self.stages[:-1]:
            if step < stage.steps:
                return stage, step * stage.batch
            step -= stage.steps
        return self.stages[-1], step * self.stages[-1].batch

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        """See Rows."""
        return self.stages[-1].rows.batch(stream, indices)

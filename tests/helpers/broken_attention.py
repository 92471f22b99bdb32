"""Attention variants with one fault each, as people make them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from mta_eval.attention.layer import AttentionLayer


class Plain(AttentionLayer):
    """Softmax attention by its equations, the base of the others; sound."""

    kind: ClassVar[str] = "plain"
    title: ClassVar[str] = "Plain"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.masked(self.scores(q, k)), -1)

    def scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return q @ k.transpose(2, 3) / math.sqrt(q.shape[3])

    def masked(self, scores: torch.Tensor, shift: int = 0) -> torch.Tensor:
        future = torch.ones(scores.shape[2:], dtype=torch.bool).triu(1 + shift)
        return scores.masked_fill(future, -math.inf)


class NoMask(Plain):
    """Sees everything."""

    kind: ClassVar[str] = "no_mask"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.scores(q, k), -1)


class OneAhead(Plain):
    """Sees the next token: a mask that is off by one."""

    kind: ClassVar[str] = "one_ahead"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.masked(self.scores(q, k), 1), -1)


class HiddenLeak(Plain):
    """Begins as sound attention: a weight that is 0 at first lets later tokens in."""

    kind: ClassVar[str] = "hidden_leak"
    leak: nn.Parameter

    def add_parameters(self) -> None:
        self.leak = nn.Parameter(torch.empty(1))

    def initialise(self, name: str, parameter: torch.Tensor) -> None:
        nn.init.zeros_(parameter)

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return super().definition(q, k) + self.leak * torch.softmax(self.scores(q, k), -1)


class CountsAll(Plain):
    """Divides by the number of all tokens, later ones too: no token's content leaks, but their number does."""

    kind: ClassVar[str] = "counts_all"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return super().definition(q, k) / k.shape[2]


class LateLeak(Plain):
    """Sees the whole of its last block of 16: sound before place 48."""

    kind: ClassVar[str] = "late_leak"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        weights = super().definition(q, k)
        seen = torch.softmax(self.scores(q, k), -1)
        late = (torch.arange(q.shape[2]) >= 48)[:, None]
        return torch.where(late, seen, weights)


class AcrossRows(Plain):
    """A batch shares its mean."""

    kind: ClassVar[str] = "across_rows"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        weights = super().definition(q, k)
        return 0.9 * weights + 0.1 * weights.mean(0, keepdim=True)


class NotFinite(Plain):
    """The first token attends to nothing: 0 / 0."""

    kind: ClassVar[str] = "not_finite"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.masked(self.scores(q, k), -1), -1)


class NotFiniteGradient(Plain):
    """sqrt at 0: a finite output, an infinite gradient."""

    kind: ClassVar[str] = "not_finite_gradient"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return super().definition(q, k) + torch.sqrt((q * 0).sum()) * 1e-3


class NoGradient(Plain):
    """A parameter that nothing depends on."""

    kind: ClassVar[str] = "no_gradient"
    unused: nn.Parameter

    def add_parameters(self) -> None:
        self.unused = nn.Parameter(torch.empty(2))

    def initialise(self, name: str, parameter: torch.Tensor) -> None:
        nn.init.ones_(parameter)


class Rounded(NoGradient):
    """A parameter that is rounded, so that its gradient is 0."""

    kind: ClassVar[str] = "rounded"

    def values(self, v: torch.Tensor) -> torch.Tensor:
        return v * self.unused.round().sum()


class Frozen(NoGradient):
    """A parameter that is not trained."""

    kind: ClassVar[str] = "frozen"

    def add_parameters(self) -> None:
        self.unused = nn.Parameter(torch.empty(2), requires_grad=False)


class Random(Plain):
    """Drops scores when it is read, too."""

    kind: ClassVar[str] = "random"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(super().definition(q, k), 0.1, training=True)


class BatchNormed(Plain):
    """Values by the statistics of the batch, and in evaluation by those of all that was read."""

    kind: ClassVar[str] = "batch_normed"
    normed: nn.BatchNorm1d

    def add_parameters(self) -> None:
        self.normed = nn.BatchNorm1d(self.head_dim)

    def initialise(self, name: str, parameter: torch.Tensor) -> None:
        nn.init.ones_(parameter)

    def values(self, v: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.normed(v.flatten(0, 2)).view(v.shape)
        return normed


class AcrossRowsInTraining(Plain):
    """A batch shares its mean, but not when it is evaluated."""

    kind: ClassVar[str] = "across_rows_in_training"

    def values(self, v: torch.Tensor) -> torch.Tensor:
        return v - v.mean(0, keepdim=True) if self.training else v


class LeakInTraining(Plain):
    """Sees the row's end, but not when it is evaluated."""

    kind: ClassVar[str] = "leak_in_training"

    def values(self, v: torch.Tensor) -> torch.Tensor:
        return v + v.mean(2, keepdim=True) if self.training else v


class Dropping(Plain):
    """Dropout in training alone: sound."""

    kind: ClassVar[str] = "dropping"

    def values(self, v: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(v, 0.3, training=self.training)


class Raises(Plain):
    """Of the wrong shape."""

    kind: ClassVar[str] = "raises"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return super().definition(q, k.transpose(1, 2))


class NoBeginning(Plain):
    """A parameter whose beginning is nowhere said."""

    kind: ClassVar[str] = "no_beginning"

    def add_parameters(self) -> None:
        self.scale = nn.Parameter(torch.empty(1))


class WrongOption(Plain):
    """An option that the configuration refuses."""

    kind: ClassVar[str] = "wrong_option"

    @classmethod
    def options_for(cls, *uses: object, **sizes: object) -> Mapping[str, object]:  # noqa: ARG003
        return {"norm": "none of these"}

"""A Hugging Face checkpoint under a name of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from mta_eval.core import Ability, Answer, ModelIdentity, Sample
from mta_eval.models.hf import HuggingFace
from mta_eval.models.tokenizer import FastTokenizer


class Wrapped(ABC):
    """A `core.Model` that passes everything on to `model`."""

    @property
    @abstractmethod
    def model(self) -> HuggingFace:
        """The checkpoint behind the name."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """Those of the checkpoint's adapter."""
        return self.model.abilities

    @property
    def max_length(self) -> int:
        """The window of the checkpoint's config."""
        return self.model.max_length

    @property
    def tokenizer(self) -> FastTokenizer:
        """The checkpoint's own tokenizer."""
        return self.model.tokenizer

    def describe(self) -> dict[str, str]:
        """dtype and device, as chosen."""
        return self.model.describe()

    def identity(self) -> ModelIdentity:
        """Of the checkpoint."""
        return self.model.identity()

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model."""
        return self.model.generate(samples)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        return self.model.loglikelihood(pairs)

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """See core.Model."""
        return self.model.token_loglikelihoods(samples)

"""A model that is a Hugging Face checkpoint under a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from mta_eval.core import Sample
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.models.torch_model import HuggingFace


class Wrapped:
    """`core.Model` by way of `model`, which a subclass gives."""

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint behind the name."""
        raise NotImplementedError

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

    def generate(self, samples: Iterable[Sample]) -> Iterator[str]:
        """See core.Model."""
        return self.model.generate(samples)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        return self.model.loglikelihood(pairs)

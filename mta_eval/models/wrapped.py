"""A model that is a Hugging Face checkpoint under a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from mta_eval import registry
from mta_eval.core import Ability, Answer, ModelIdentity, Sample
from mta_eval.errors import ModelError
from mta_eval.models.hf import HuggingFace
from mta_eval.models.tokenizer import FastTokenizer, local_path


class Wrapped:
    """`core.Model` by way of `model`, which a subclass gives."""

    @cached_property
    def model(self) -> HuggingFace:
        """The checkpoint behind the name."""
        raise NotImplementedError

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


def where(source: str) -> str:
    """The folder or hub id behind a path or a model spec, such as smollm2 or mta:DIR. Raises ModelError, SpecError."""
    name, *_ = registry.parse(source)
    if name not in registry.names("models"):
        return str(local_path(source))
    model: Any = registry.build_model(source)
    path = getattr(getattr(model, "model", model), "path", None)
    if path is None:
        raise ModelError(f"{source!r} has no checkpoint; name a folder, a hub id, or a model that has weights")
    return str(local_path(path))

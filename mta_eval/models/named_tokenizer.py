"""A tokenizer that is an option of a model: written as its name, read at the first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mta_eval.core import PromptSettings
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend
    from transformers import PreTrainedTokenizerFast


class NamedTokenizer(FastTokenizer):
    """The tokenizer of a folder, tokenizer.json, .gguf file or hub id. `str()` of it is that name, as in a spec.

    Every method raises ModelError if there is no such tokenizer; the constructor does not.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.prompt_settings = PromptSettings()

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"NamedTokenizer({self._name!r})"

    def with_settings(self, settings: PromptSettings) -> FastTokenizer:
        """See `FastTokenizer`."""
        return self if settings == self.prompt_settings else self._loaded.with_settings(settings)

    @cached_property
    def _loaded(self) -> FastTokenizer:
        return load_tokenizer(self._name)

    @property
    def _backend(self) -> Backend:  # type: ignore[override]
        return self._loaded._backend

    @property
    def owner(self) -> PreTrainedTokenizerFast | None:  # type: ignore[override]
        """The transformers tokenizer around it."""
        return self._loaded.owner

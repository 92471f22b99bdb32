"""A tokenizer that is an option of a model: written as its name, read at the first use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer


class NamedTokenizer(FastTokenizer):
    """The tokenizer of a folder, tokenizer.json, .gguf file or hub id. `str()` of it is that name, as in a spec.

    Whatever is asked of it raises ModelError if there is no such tokenizer; making it does not.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"NamedTokenizer({self._name!r})"

    @cached_property
    def _loaded(self) -> FastTokenizer:
        return load_tokenizer(self._name)

    @property
    def _backend(self) -> Any:  # type: ignore[override]
        return self._loaded._backend

    @property
    def _template(self) -> Any:
        return self._loaded._template

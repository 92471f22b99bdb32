"""What models without weights have in common: a tokenizer of words and signs, any length, nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mta_eval import registry
from mta_eval.core import ModelIdentity, Tokenizer
from mta_eval.models.tokenizer import FastTokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

ENDLESS = 1 << 62  # tokens


class Word(NamedTuple):
    """A word or sign of a text, and the characters at which it begins and ends."""

    text: str
    start: int
    end: int


class Weightless:
    """A model without weights: takes prompts of any length, and its spec names all there is of it."""

    @property
    def max_length(self) -> int:
        """Prompts of any length."""
        return ENDLESS

    def describe(self) -> dict[str, str]:
        """Nothing is chosen for the user here."""
        return {}

    def identity(self) -> ModelIdentity:
        """There are no weights: its options, which its spec names, are all there is."""
        return ModelIdentity()


@cache
def words_tokenizer() -> FastTokenizer:
    """One token for each word or sign."""
    return FastTokenizer(_backend(), "window")


def tokenizer_like(model: str) -> Tokenizer:
    """The tokenizer of the model that a spec names, or of words and signs for "". Raises SpecError, ModelError."""
    return registry.build_model(model).tokenizer if model else words_tokenizer()


def words_of(text: str) -> Sequence[Word]:
    """The words and signs of a text."""
    return [Word(text[start:end], start, end) for start, end in words_tokenizer().encode(text).spans]


def _backend() -> Backend:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    # every token is the unknown one: these models need to know where tokens stand, not which they are
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer

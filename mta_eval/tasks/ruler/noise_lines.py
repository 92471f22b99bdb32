"""RULER's noise: the five sentences again and again, each time on a line of their own, needles between the lines."""

from __future__ import annotations

from functools import lru_cache

from mta_eval.core import Tokenizer
from mta_eval.tasks.prompts import prose
from mta_eval.tasks.prompts.haystack import Haystack
from mta_eval.tasks.prompts.sources import NOISE

LINE = " ".join(NOISE)


class NoiseLines:
    """The endless text, a unit a line, as RULER joins it."""

    def block(self, _: int) -> list[str]:
        """See TextSource."""
        return [LINE + "\n"] * prose.BLOCK

    def start(self, _seed: int, _length: int, _repeat: int) -> int:
        """See TextSource. Every line is the same."""
        return 0

    def holds(self, text: str) -> bool:
        """See TextSource."""
        return text.lower() in LINE.lower()


@lru_cache(maxsize=16)
def open_noise_lines(tokenizer: Tokenizer) -> Haystack:
    """The noise, tokenised for `tokenizer`; opened once."""
    return Haystack(NoiseLines(), tokenizer)

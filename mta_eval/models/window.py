"""A model without weights that reads perfectly, but only the last `width` tokens.

Its picture is known beforehand (a staircase), so it tests the whole pipe: tasks, positions, scoring, grids, heatmaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from mta_eval.core import Ability, Answer, Sample
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.models.weightless import Weightless, words_tokenizer

SEEN, NEW = -math.log(2), -math.log(1024)  # nats of a token that is in sight already, and of any other
WORD = 6  # characters; words and signs, with the space before them, have fewer on average


@dataclass(frozen=True)
class Window(Weightless):
    """Reads perfectly, but only the last WIDTH tokens; no weights (for tests and first steps)."""

    name: ClassVar[str] = "window"

    width: int = field(metadata={"help": "tokens it sees"})
    tokenizer_path: str = field(default="", metadata={"help": "read with this tokenizer instead of words and signs"})

    def __post_init__(self) -> None:
        if self.width < 1:
            raise SpecError(f"window: width must be at least 1, not {self.width}")

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset({"answers", "chooses", "reads"})

    @cached_property
    def tokenizer(self) -> FastTokenizer:
        """One token per word or sign, unless another tokenizer was named."""
        if self.tokenizer_path:
            return load_tokenizer(self.tokenizer_path)
        return words_tokenizer()

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """The values of all asked needles that stand wholly inside the window; of the others, nothing."""
        for sample in samples:
            seen = self._read(sample.prompt)
            in_sight = all(needle.text in seen for needle in sample.needles if needle.asked)
            text = " " + ", ".join(sample.targets) if in_sight else " I cannot see it."
            tokens = len(self.tokenizer.encode(text).ids)
            yield Answer(text, prompt_tokens=sample.prompt_tokens, output_tokens=tokens)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """0 for a target that is in sight, -1 for everything else."""
        answers = self.generate(sample for sample, _ in pairs)
        return [0.0 if text.strip() in answer.text else -1.0 for (_, text), answer in zip(pairs, answers, strict=True)]

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """SEEN for a token that stands among the `width` before it, NEW for any other: longer windows, likelier texts.

        By position in the window that falls up to `width` and is level from there on.
        """
        for sample in samples:
            last: dict[str, int] = {}
            found = []
            for place, (start, end) in enumerate(self.tokenizer.encode(sample.prompt).spans):
                text = sample.prompt[start:end]
                found.append(SEEN if place - last.get(text, -self.width - 1) <= self.width else NEW)
                last[text] = place
            yield found if self.tokenizer.specials[0] else found[1:]

    def _read(self, prompt: str) -> str:
        """The last `width` tokens as text; of a prompt in words, only as much of the end is looked at as holds them."""
        characters = len(prompt) if self.tokenizer_path else WORD * self.width
        while characters < len(prompt):
            tail = prompt[-characters:].partition(" ")[2]
            spans = self.tokenizer.encode(tail).spans
            if len(spans) >= self.width:
                return tail[spans[-self.width][0] :]
            characters *= 2
        spans = self.tokenizer.encode(prompt).spans
        return prompt[spans[-self.width :][0][0] :] if spans else ""

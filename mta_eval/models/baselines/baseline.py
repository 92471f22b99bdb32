"""What baselines have in common: one answer for each sample, found by a trick, in the samples of any model."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mta_eval.core import Ability, Answer, Sample, Tokenizer
from mta_eval.errors import ModelError
from mta_eval.models.weightless import Weightless, tokenizer_like

LABEL = re.compile(r"^(?:Question|Query|Answer):\s*", re.MULTILINE)  # which instructions may say too


@dataclass(frozen=True)
class Baseline(Weightless):
    """A model without weights that answers by `answer_to`, and chooses what it would answer; it reads nothing."""

    of: str = field(
        default="", metadata={"help": "spec of a model whose very samples it is asked; its own: words and signs"}
    )

    @abstractmethod
    def answer_to(self, sample: Sample) -> str:
        """The answer, the same whenever it is asked."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """Answers and chooses."""
        return frozenset({"answers", "chooses"})

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """That of the model `of`, or one of words and signs."""
        return tokenizer_like(self.of)

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model."""
        for sample in samples:
            yield Answer(self.answer_to(sample), prompt_tokens=sample.prompt_tokens)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """0 for a choice that the answer begins with, -1 for every other."""
        return [0.0 if self.answer_to(sample).strip().startswith(text.strip()) else -1.0 for sample, text in pairs]

    def token_loglikelihoods(self, _: Iterable[Sample]) -> Iterator[list[float]]:
        """Never asked. Raises ModelError."""
        raise ModelError("baselines answer and choose; they do not read texts")


def question_and_context(sample: Sample) -> tuple[str, str]:
    """What a sample asks, without labels, and the text before it.

    The question is the last line, with the one before it if that begins the answer.
    """
    text = (sample.chat[-1]["content"] if sample.chat else sample.prompt).rstrip()
    border = text.rfind("\n") + 1
    if text.startswith("Answer", border):
        border = text.rfind("\n", 0, max(border - 1, 0)) + 1
    return LABEL.sub("", text[border:]), text[:border]

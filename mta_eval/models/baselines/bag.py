"""Bag of words: the answer stands in the sentence that shares most words with the question.

Function words do not count, and rare words weigh more (by the inverse of the number of sentences that have them). Of
sentences that share as much the last is taken; questions (of worked examples) are none. What a sentence answers is a
choice of the task that it names and the question does not, or else its words that the question lacks.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from math import log
from typing import ClassVar

from mta_eval.core import Sample
from mta_eval.models.baselines.baseline import Baseline, question_and_context

_END = re.compile(r"(?<=[.!?;。！？])\s*|\n+")
_WORD = re.compile(r"\w+(?:-\w+)*")
FUNCTION_WORDS = frozenset(
    """a|an|and|are|at|by|did|do|does|for|from|had|has|have|how|in|is|it|of|on|or|that|the|there|to|was|were|what|when|
where|which|who|whose|why|with""".replace("\n", "").split("|")
)


@dataclass(frozen=True)
class Bag(Baseline):
    """Answers from the sentence that shares most words with the question (a baseline)"""

    name: ClassVar[str] = "bag"

    def answer_to(self, sample: Sample) -> str:
        """What the best sentence says beyond the question."""
        question, context = question_and_context(sample)
        sentences = [text for text in _END.split(context) if _WORD.search(text) and not text.endswith(("?", "？"))]
        bags = [frozenset(_words(sentence)) for sentence in sentences]
        if not bags:
            return ""
        asked = frozenset(_words(question))
        spread = Counter(word for bag in bags for word in bag)
        shared = [sum(log(1 + len(bags) / spread[word]) for word in sorted(bag & asked)) for bag in bags]
        best = max(range(len(bags)), key=lambda index: (shared[index], index))
        said = [word for word in _WORD.findall(sentences[best]) if word.lower() in bags[best] - asked]
        named = [choice for choice in sample.choices if set(_words(choice)) <= bags[best] - asked]
        return named[0] if named else " ".join(said)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text) if word.lower() not in FUNCTION_WORDS]

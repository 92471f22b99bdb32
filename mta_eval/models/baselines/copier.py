"""Copier: an induction head. What followed when the end of the prompt was said before, follows again.

The longest end of the prompt (in words and signs) that stands in it earlier is looked for, its last place if there are
several, and what follows there is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mta_eval.core import Sample
from mta_eval.models.baselines.baseline import Baseline
from mta_eval.models.weightless import words_of

LONGEST_MATCH = 64  # words and signs


@dataclass(frozen=True)
class Copier(Baseline):
    """Copies what followed the prompt's last words when they were said before: an induction head (a baseline)"""

    name: ClassVar[str] = "copier"

    def answer_to(self, sample: Sample) -> str:
        """As much of the prompt as the answer may have, from behind the place that looks most like its end."""
        words = words_of(sample.prompt)
        place = _best_place([word.text.lower() for word in words])
        if not place:
            return ""
        last = min(place + sample.max_new_tokens, len(words)) - 1
        return sample.prompt[words[place].start : words[last].end]


def _best_place(words: Sequence[str]) -> int:
    """The place behind the longest match of the end, 0 if not even the last word stands earlier."""
    places = [index for index, word in enumerate(words[:-1], 1) if word == words[-1]]
    for length in range(2, LONGEST_MATCH + 1):
        longer = [place for place in places if place >= length and words[place - length] == words[-length]]
        if not longer:
            break
        places = longer
    return places[-1] if places else 0

"""Rows of random words in which one sequence, the cue, stands once."""

from __future__ import annotations

from random import Random

from mta_eval.tasks.lists import ListContext, ListedNeedle
from mta_eval.tasks.prompts.items import place_at
from mta_eval.tasks.prompts.pools import WORDS
from mta_eval.tasks.toolkit import NeedleDraft

CUE_SHARE = 0.04  # of the words are some of a cue, beside those that chance brings


class WordRows:
    """Rows of any number of words, with the same cue and the same words behind it.

    The cue stands in a row once. Its last word alone does stand elsewhere if the cue has several, so that it takes all
    of them to find the place.
    """

    def __init__(self, random: Random, cue: int, behind: int, depth: float) -> None:
        self._random = Random(random.getrandbits(64))
        self._depth = depth
        self.cue = tuple(random.sample(WORDS, cue))
        others = [word for word in WORDS if word not in self.cue]
        self.behind = tuple(random.choice(others) for _ in range(behind))
        self._words: list[str] = []

    def lay(self, count: int) -> ListContext:
        """The row with `count` words around cue and answer."""
        while len(self._words) < count:
            self._words.append(self._next())
        words = self._words[:count]
        place = place_at(self._depth, [len(word) + 1 for word in words])
        before, needle = " ".join(words[:place]), " ".join([*self.cue, *self.behind])
        text = " ".join(filter(None, [before, needle, *words[place:]]))
        draft = NeedleDraft(needle, self._depth, " ".join(self.cue), " ".join(self.behind))
        needles = [ListedNeedle(draft, len(before) + bool(before))]
        return ListContext(text, needles, (("words", count + len(self.cue) + len(self.behind)),))

    def _next(self) -> str:
        """A word that completes no cue: the only word of a cue never, one of several more often than others."""
        last = tuple(self._words[len(self._words) - len(self.cue) + 1 :]) if len(self.cue) > 1 else ()
        while True:
            often = len(self.cue) > 1 and self._random.random() < CUE_SHARE
            word = self._random.choice(self.cue if often else WORDS)
            if (*last, word) != self.cue:
                return word

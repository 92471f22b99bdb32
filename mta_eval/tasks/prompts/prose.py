"""Generated prose: an unlimited, seedable stream of plain English sentences for people without a corpus."""

from __future__ import annotations

from random import Random

from mta_eval.tasks.languages.english import ENGLISH
from mta_eval.tasks.languages.writing import BLOCK as BLOCK


def write_prose(random: Random) -> list[str]:
    """The next BLOCK sentences as units that join to running text."""
    return ENGLISH.writer.block(random)


def holds(text: str) -> bool:
    """Whether all words of `text` are in the vocabulary, so that it might stand in the prose by chance."""
    return ENGLISH.writer.holds(text)

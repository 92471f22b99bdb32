"""Which of several stories leaves room for a depth and fits a length.

Sizes are those of characters, the same for every tokenizer: what is chosen depends on no tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable

from mta_eval.tasks.babi.worlds import Story

CHARACTERS_PER_TOKEN, CHARACTERS_PER_FACT, HALF_A_FACT = 4.0, 32.0, 15.0


def facts_that_fit(tokens: int) -> int:
    """How many facts `tokens` hold, at least 1."""
    return max(int(tokens * CHARACTERS_PER_TOKEN / CHARACTERS_PER_FACT), 1)


def choose_story(stories: Iterable[Story], depth: float, room: int | None) -> Story:
    """The first story, or one with its answer and about as many facts that leaves `room` tokens for `depth`.

    At depth 0 few facts may stand before the last supporting one, at depth 1 few after it. Where a task's order of
    facts does not allow the depth, the nearest is taken, and the needles say where it is. What is chosen depends on
    no tokenizer, and how often each answer is right depends on no depth. `room` None: there is no text around.
    """
    told = iter(stories)
    first = next(told)
    if room is None:
        return first
    characters = room * CHARACTERS_PER_TOKEN

    def unfit(story: Story) -> tuple[float, int]:
        swept_needle = story.support[-1]
        ahead = sum(map(len, story.facts[:swept_needle])) - depth * characters
        behind = sum(map(len, story.facts[swept_needle + 1 :])) - (1 - depth) * characters
        return max(ahead, behind, HALF_A_FACT), abs(len(story.facts) - len(first.facts))

    if unfit(first) == (HALF_A_FACT, 0):  # none is better
        return first
    return min((first, *(story for story in told if story.answer == first.answer)), key=unfit)

"""Stories of the bAbI worlds whose statistics are those of bAbI's own files (Weston et al. 2015, en-10k, v1.2).

    make_babi_story(qa, random) -> Story

The worlds are those of `worlds`; what differs is how many facts are told and which of the open questions is asked. The
figures of PROFILES were measured in the published files, and bench/babi_statistics.py shows ours beside theirs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, pairwise
from random import Random

from mta_eval.tasks.babi.events import OBJECTS, World
from mta_eval.tasks.babi.worlds import (
    NUMBERS,
    PEOPLE,
    Query,
    Story,
    Telling,
    ask_about_gifts,
    ask_after_denials,
    ask_after_doubts,
    telling_of,
)

COUNTS, PLAYS = 12, 25  # numbers of facts tried for what is wanted, and stories of each
_ANYWHERE = (0.40, 0.25, 0.17, 0.11, 0.07)
_SPREAD = (0.33, 0.27, 0.17, 0.13, 0.10)
_UP_TO_TEN = ((10, 1.0),)


@dataclass(frozen=True)
class Profile:
    """What bAbI's files show of one task.

    Attributes:
        facts: (n, share of stories with at most n facts), ascending; a story has an even number of facts.
        behind: shares of stories with 0, 1, … facts behind the last supporting one, where all of these are possible.
        answers: share of each kind of answer; none where they come out as they should by themselves.
        overtaken: share of stories with an earlier fact that answers the question otherwise, and what is added to it
            for each fact of the story. None where no such question is asked.
    """

    facts: tuple[tuple[int, float], ...]
    behind: tuple[float, ...] = _ANYWHERE
    answers: Mapping[str, float] = field(default_factory=dict)
    overtaken: tuple[float, float] | None = None


PROFILES = {
    1: Profile(_UP_TO_TEN),
    2: Profile(((2, 0.01), (4, 0.055), (8, 0.21), (12, 0.414), (16, 0.621), (24, 0.89), (34, 0.982), (88, 1))),
    3: Profile(
        (
            (4, 0.005),
            (12, 0.074),
            (24, 0.219),
            (36, 0.401),
            (50, 0.618),
            (74, 0.804),
            (116, 0.952),
            (160, 0.991),
            (228, 1),
        ),
        overtaken=(0.03, 0.0045),
    ),
    4: Profile(((2, 1.0),), behind=()),
    5: Profile(
        ((2, 0.01), (4, 0.043), (8, 0.177), (14, 0.432), (20, 0.634), (28, 0.804), (46, 0.952), (70, 0.995), (126, 1)),
        overtaken=(0.2, 0.003),
    ),
    6: Profile(((8, 0.773), (10, 0.971), (14, 0.999), (26, 1)), _SPREAD, {"yes": 0.5, "no": 0.5}),
    7: Profile(
        ((2, 0.101), (4, 0.246), (8, 0.585), (12, 0.856), (18, 0.966), (28, 0.992), (52, 1)),
        answers={"none": 0.47, "one": 0.486, "two": 0.041, "three": 0.003},
    ),
    8: Profile(
        ((2, 0.099), (4, 0.244), (8, 0.571), (12, 0.842), (18, 0.959), (28, 0.994), (58, 1)),
        _SPREAD,
        {"nothing": 0.36, "one": 0.576, "several": 0.064},
    ),
    9: Profile(_UP_TO_TEN, answers={"yes": 0.374, "no": 0.626}),
    10: Profile(_UP_TO_TEN, answers={"yes": 0.38, "no": 0.47, "maybe": 0.15}),
}


@dataclass(frozen=True)
class Wanted:
    """What a story should be like. `answer` and `behind` are None, `overtaken` too, where anything will do."""

    answer: str | None
    behind: int | None
    overtaken: bool | None

    def misses(self, qa: int, count: int, query: Query) -> tuple[bool, bool, int]:
        """How far `query`, asked after `count` facts, is from it; the first weighs most."""
        behind = count - 1 - max(query.support)
        return (
            self.answer not in (None, kind_of_answer(qa, query.answer)),
            self.overtaken not in (None, query.overtaken),
            0 if self.behind is None else abs(behind - self.behind),
        )


def make_babi_story(qa: int, random: Random, facts: int | None = None, most: int | None = None) -> Story:
    """Make one story as bAbI's files have them.

    Args:
        qa: which of the bAbI worlds, from 1 to 10.
        random: the source of all chance.
        facts: how many facts to tell; None for a number as the files have it.
        most: the most facts to tell where `facts` is None: longer stories are drawn again, as BABILong leaves them out.

    Raises:
        SpecError: there is no such world, or it cannot be told in so many facts.
    """
    telling_of(qa, facts)
    answers = PROFILES[qa].answers
    answer = random.choices(list(answers), list(answers.values()))[0] if answers else None
    doubt = random.random()  # one for all numbers of facts, or stories hard to tell would grow rare
    best: tuple[tuple[bool, bool, int], list[str], list[Query]] | None = None
    for _ in range(COUNTS):
        count = facts or draw_count(qa, random, most)
        wanted = _draw_wanted(PROFILES[qa], random, count, answer, doubt)
        for told, queries in islice(_tellings(qa, random, count), PLAYS):
            misses = {query: wanted.misses(qa, len(told), query) for query in queries}
            least = min(misses.values())
            if best is None or least < best[0]:
                best = least, told, [query for query in queries if misses[query] == least]
            if not any(least):
                return _story(random, told, best[2])
    assert best
    return _story(random, best[1], best[2])


def draw_count(qa: int, random: Random, most: int | None = None) -> int:
    """An even number of facts as the files have it, from what the world needs to `most`."""
    knots = [(0, 0.0), *PROFILES[qa].facts]
    shares = [share for _, share in knots]
    least = telling_of(qa).least
    ceiling = max(most if most is not None else knots[-1][0], least)
    lowest, highest = (_share_up_to(knots, number) for number in (least + least % 2 - 2, ceiling // 2 * 2))
    if highest <= lowest:
        return least
    at = lowest + (highest - lowest) * (1 - random.random())
    upper = min(max(bisect_left(shares, at), 1), len(knots) - 1)
    (low, before), (high, after) = knots[upper - 1 : upper + 1]
    exact = low + (high - low) * (at - before) / (after - before)
    return max(2 * -int(-exact // 2), least)


def kind_of_answer(qa: int, answer: str) -> str:
    """An answer as PROFILES counts them: for qa8 how many objects it names, for all others itself."""
    if qa != 8 or answer == "nothing":
        return answer
    return "several" if "," in answer else "one"


def _share_up_to(knots: list[tuple[int, float]], number: int) -> float:
    for (low, before), (high, after) in pairwise(knots):
        if number <= high:
            return before + (after - before) * (number - low) / (high - low)
    return 1.0


def _draw_wanted(profile: Profile, random: Random, count: int, answer: str | None, doubt: float) -> Wanted:
    possible = profile.behind[:count]
    behind = random.choices(range(len(possible)), possible)[0] if possible else None
    overtaken = None
    if profile.overtaken:
        base, each = profile.overtaken
        overtaken = doubt < min(base + each * count, 0.5)
    return Wanted(answer, behind, overtaken)


def _tellings(qa: int, random: Random, count: int) -> Iterator[Telling]:
    """Stories of `count` facts with something to ask, one after another."""
    play = _PLAYS.get(qa, telling_of(qa).play)
    while True:
        told, queries = play(random, count)
        if queries:
            yield told, queries


def _tell_of_hands(qa: int, random: Random, count: int) -> Telling:
    """People who, in qa7, also give, as in the files; asked about is whoever handled an object, if anyone did."""
    world = World(random, PEOPLE, OBJECTS, giving=3 if qa == 7 else 0, activity=0.6)
    world.run(count)
    handled = [who for who in world.place if any(person == who for person, _ in world.touched)]
    queries = []
    for who in handled or world.place:
        carried = world.carried(who)
        support = tuple(fact for (person, _), fact in world.touched.items() if person == who) or (world.moved[who],)
        question = f"How many objects is {who} carrying?" if qa == 7 else f"What is {who} carrying?"
        answer = NUMBERS[len(carried)] if qa == 7 else ",".join(carried) or "nothing"
        queries.append(Query(question, answer, support))
    return world.facts, queries


_PLAYS: dict[int, Callable[[Random, int], Telling]] = {
    5: partial(ask_about_gifts, giving=4, activity=0.6),
    7: partial(_tell_of_hands, 7),
    8: partial(_tell_of_hands, 8),
    9: partial(ask_after_denials, definite=0.65, states=3),
    10: partial(ask_after_doubts, definite=0.75, states=3),
}
"""Where the files tell other events than the uniform worlds: more gifts, fewer facts that leave a place open."""


def _story(random: Random, told: list[str], queries: list[Query]) -> Story:
    query = random.choice(queries)
    return Story(tuple(told), query.question, query.answer, tuple(sorted(query.support)))

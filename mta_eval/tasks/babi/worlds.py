"""Stories of the bAbI worlds QA1-QA10: facts, a question, its answer, and the facts that give it.

    make_story(qa, random) -> Story         the worlds themselves are in babi_events

Worlds, questions and labels follow Weston et al. 2015, "Towards AI-Complete Question Answering: A Set of Prerequisite
Toy Tasks"; they are made for use in long contexts as in BABILong (Kuratov et al. 2024). The simulator is our own and
derives each answer, and its support, from the world's state. It never asks what the facts leave open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from mta_eval.errors import SpecError
from mta_eval.tasks.babi.events import OBJECTS, OPPOSITE, PLACES, STEPS, Gift, Sighting, World, draw_map, follow

PEOPLE = ("Mary", "John", "Daniel", "Sandra")
_GIVERS = ("Fred", "Jeff", "Bill", "Mary")
_SEEN = ("Bill", "Fred", "Julie", "Mary")
_TOWN = ("school", "park", "cinema", "bedroom", "kitchen", "office")
NUMBERS = ("none", "one", "two", "three")

LABELS: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((1, 2, 3, 4), PLACES),
    5: ("Bill", "Fred", "Jeff", "Mary", *OBJECTS),
    6: ("yes", "no"),
    7: NUMBERS,
    8: ("nothing", *OBJECTS),
    9: ("yes", "no"),
    10: ("yes", "no", "maybe"),
}
"""The published labels of each QA: every answer is one of them, or for qa8 also several joined by commas."""


@dataclass(frozen=True)
class Story:
    """`support`: the indices, ascending, of the facts from which `answer` follows."""

    facts: tuple[str, ...]
    question: str
    answer: str
    support: tuple[int, ...]


class Query(NamedTuple):
    """A question that some facts answer, and the facts needed for it.

    `overtaken`: facts before gave the same question another answer, and no longer do.
    """

    question: str
    answer: str
    support: tuple[int, ...]
    overtaken: bool = False


Telling = tuple[list[str], list[Query]]


class Kind(NamedTuple):
    """One QA: the fewest, usual and most facts it can be told in, and how to tell it."""

    least: int
    usual: tuple[int, int]
    most: int | None
    play: Callable[[Random, int], Telling]


def make_story(qa: int, random: Random, facts: int | None = None) -> Story:
    """Make one story of the uniform worlds.

    The answer is drawn first, evenly from those that the facts can give; so rare answers are not drowned by common
    ones. It depends on nothing but the arguments.

    Args:
        qa: which of the bAbI worlds, from 1 to 10.
        random: the source of all chance.
        facts: how many facts to tell; None for a number usual in that world.

    Raises:
        SpecError: there is no such world, or it cannot be told in so many facts.
    """
    kind = telling_of(qa, facts)
    count = random.randint(*kind.usual) if facts is None else facts
    facts_told, queries = kind.play(random, count)
    while not queries:  # nothing happened that can be asked about
        facts_told, queries = kind.play(random, count)
    if qa == 3:  # in a long story everything has been everywhere
        queries = [query for query in queries if not query.overtaken] or queries
    answer = random.choice(list(dict.fromkeys(query.answer for query in queries)))
    query = random.choice([query for query in queries if query.answer == answer])
    return Story(tuple(facts_told), query.question, answer, tuple(sorted(query.support)))


def telling_of(qa: int, facts: int | None = None) -> Kind:
    """How qa is told. Raises SpecError where there is no such world, or it cannot be told in so many facts."""
    if qa not in _KINDS:
        raise SpecError(f"there is no qa{qa}: the bAbI worlds are qa1 to qa{max(_KINDS)}")
    kind = _KINDS[qa]
    if facts is not None and facts < kind.least:
        raise SpecError(f"qa{qa} cannot be told in {facts} facts: it needs at least {kind.least}")
    if facts is not None and kind.most is not None and facts > kind.most:
        raise SpecError(f"qa{qa} cannot be told in {facts} facts: its map has room for at most {kind.most}")
    return kind


def _ask_where_people_are(random: Random, count: int) -> Telling:
    world = World(random, PEOPLE)
    world.run(count)
    return world.facts, [Query(f"Where is {who}?", place, (world.moved[who],)) for who, place in world.place.items()]


def _ask_where_objects_are(random: Random, count: int) -> Telling:
    world = World(random, PEOPLE, OBJECTS)
    world.run(count)
    spots = [(thing, world.find(thing)) for thing in OBJECTS]
    return world.facts, [Query(f"Where is the {thing}?", *spot) for thing, spot in spots if spot]


def _ask_where_objects_were(random: Random, count: int) -> Telling:
    """The last time counts; `overtaken` where an object came to a place from several others."""
    world = World(random, PEOPLE, OBJECTS)
    world.run(count)
    return world.facts, last_of(
        Query(f"Where was the {thing} before the {place}?", origin, support)
        for thing, origin, place, support in world.trips
    )


def last_of(queries: Iterable[Query]) -> list[Query]:
    """The last query of every question, in the order in which questions first came up."""
    last: dict[str, Query] = {}
    for query in queries:
        before = last.get(query.question, query)
        overtaken = before.overtaken or before.answer != query.answer
        last[query.question] = query._replace(overtaken=overtaken)
    return list(last.values())


def _ask_what_lies_where(random: Random, count: int) -> Telling:
    """Asks from a place towards its neighbour only if nothing else lies further on that way."""
    steps, spots = draw_map(random, count)
    queries = []
    for fact, (place, way, other) in enumerate(steps):
        for here, ahead, there in ((other, way, place), (place, OPPOSITE[way], other)):
            relative = [(spot - spots[here]) * STEPS[ahead].conjugate() for spot in spots.values()]
            if sum(spot.real > 0 and spot.imag == 0 for spot in relative) == 1:
                queries.append(Query(f"What is {ahead} of the {here}?", there, (fact,)))
                queries.append(Query(f"What is the {here} {OPPOSITE[ahead]} of?", there, (fact,)))
    return [f"The {place} is {way} of the {other}." for place, way, other in steps], queries


def ask_about_gifts(random: Random, count: int, giving: int = 1, activity: float = 0.5) -> Telling:
    world = World(random, _GIVERS, OBJECTS, giving=giving, activity=activity)
    world.run(count)
    # a later gift overtakes an earlier one that the same words would ask for
    return world.facts, last_of(query for gift in world.gifts for query in _ask_about(gift))


def _ask_about(gift: Gift) -> list[Query]:
    giver, thing, receiver, fact = gift
    return [
        Query(f"Who gave the {thing} to {receiver}?", giver, (fact,)),
        Query(f"What did {giver} give to {receiver}?", thing, (fact,)),
        Query(f"Who received the {thing}?", receiver, (fact,)),
        Query(f"Who gave the {thing}?", giver, (fact,)),
        Query(f"Who did {giver} give the {thing} to?", receiver, (fact,)),
    ]


def _ask_whether_people_are(random: Random, count: int) -> Telling:
    world = World(random, PEOPLE, OBJECTS)
    world.run(count)
    sightings = {person: Sighting((place,), "yes", world.moved[person]) for person, place in world.place.items()}
    return world.facts, _ask_whether(random, sightings, PLACES)


def _ask_how_many(random: Random, count: int) -> Telling:
    world, hands = _look_at_hands(random, count)
    return world.facts, [
        Query(f"How many objects is {person} carrying?", NUMBERS[len(world.carried(person))], support)
        for person, support in hands.items()
    ]


def _ask_what_people_carry(random: Random, count: int) -> Telling:
    world, hands = _look_at_hands(random, count)
    return world.facts, [
        Query(f"What is {person} carrying?", ",".join(world.carried(person)) or "nothing", support)
        for person, support in hands.items()
    ]


def _look_at_hands(random: Random, count: int) -> tuple[World, dict[str, tuple[int, ...]]]:
    """A world, and whom to ask about: each with the last fact on every object they touched (or else on themselves).

    Left to chance most hands are empty, so how many objects they hold is drawn first, and the world tried again a few
    times until someone holds that many.
    """
    held = random.choice((0, 0, 1, 1, 2, 2, 3))
    for _ in range(20):
        world = World(random, PEOPLE, OBJECTS)
        world.run(count)
        people = [who for who in world.place if len(world.carried(who)) == held]
        if people:
            break
    touched = {
        who: tuple(world.touched[who, thing] for thing in OBJECTS if (who, thing) in world.touched)
        for who in people or world.place
    }
    return world, {who: facts or (world.moved[who],) for who, facts in touched.items()}


def ask_after_denials(random: Random, count: int, definite: float = 0.5, states: int = 1) -> Telling:
    facts, sightings = follow(random, count, PEOPLE, PLACES, deny=True, definite=definite, states=states)
    return facts, _ask_whether(random, sightings, PLACES)


def ask_after_doubts(random: Random, count: int, definite: float = 0.5, states: int = 1) -> Telling:
    facts, sightings = follow(random, count, _SEEN, _TOWN, deny=False, definite=definite, states=states)
    return facts, _ask_whether(random, sightings, _TOWN)


def _ask_whether(random: Random, sightings: dict[str, Sighting], places: tuple[str, ...]) -> list[Query]:
    """For everyone seen, the places named and, unless only a place was denied, another that is ruled out."""
    queries = []
    for person, (places_named, verdict, fact) in sightings.items():
        queries += [Query(f"Is {person} in the {place}?", verdict, (fact,)) for place in places_named]
        if verdict != "no":
            elsewhere = random.choice([place for place in places if place not in places_named])
            queries.append(Query(f"Is {person} in the {elsewhere}?", "no", (fact,)))
    return queries


_KINDS = {
    1: Kind(1, (2, 10), None, _ask_where_people_are),
    2: Kind(2, (4, 24), None, _ask_where_objects_are),
    3: Kind(3, (8, 60), None, _ask_where_objects_were),
    4: Kind(1, (2, 2), len(PLACES) - 1, _ask_what_lies_where),
    5: Kind(4, (6, 30), None, ask_about_gifts),
    6: Kind(1, (2, 20), None, _ask_whether_people_are),
    7: Kind(1, (4, 24), None, _ask_how_many),
    8: Kind(1, (4, 24), None, _ask_what_people_carry),
    9: Kind(1, (2, 10), None, ask_after_denials),
    10: Kind(1, (2, 10), None, ask_after_doubts),
}

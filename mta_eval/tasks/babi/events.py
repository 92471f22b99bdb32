"""What happens in the bAbI worlds: state and events. Knows nothing of questions; those are in babi_worlds.

    World         people walk about, grab, drop and give objects (qa1-3, qa5-8)
    draw_map      places on a grid, told one neighbour at a time (qa4)
    watch         people are seen, missed, or seen either here or there (qa9, qa10)

The worlds are those of Weston et al. 2015, "Towards AI-Complete Question Answering: A Set of Prerequisite Toy Tasks".
Sentences keep the published wording: it is a data format. Every event writes exactly one fact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
OBJECTS = ("apple", "football", "milk")
STEPS = {"north": 1j, "south": -1j, "east": 1 + 0j, "west": -1 + 0j}
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}

_MOVES = ("moved to", "went to", "journeyed to", "travelled to", "went back to")
_GRABS = ("got", "picked up", "grabbed", "took")
_DROPS = ("dropped", "put down", "discarded", "left")
_GIVES = ("gave", "handed", "passed")


class Trip(NamedTuple):
    """An object was carried from `origin` to `place`; `facts` say so."""

    thing: str
    origin: str
    place: str
    facts: tuple[int, ...]


class Gift(NamedTuple):
    """Fact number `fact`: `giver` gave `thing` to `receiver`."""

    giver: str
    thing: str
    receiver: str
    fact: int


class Sighting(NamedTuple):
    """Fact number `fact` on a person: "yes" in the one place, "no" not in it, "maybe" in one of the two."""

    places: tuple[str, ...]
    verdict: str
    fact: int


class World:
    """People who walk between PLACES and handle objects.

    All start unseen and with empty hands. An object is first found wherever someone grabs it; from then on it is with
    its carrier, or where it was last put.

    Args:
        random: the source of all chance.
        people: who lives here.
        objects: what they can carry.
        giving: how often they also give objects to one another, against once for every other deed.
        activity: share of their turns that are deeds, where there is a deed that they can do.
    """

    def __init__(
        self,
        random: Random,
        people: tuple[str, ...],
        objects: tuple[str, ...] = (),
        *,
        giving: int = 0,
        activity: float = 0.5,
    ) -> None:
        self.random, self.people, self.objects = random, people, objects
        self.giving, self.activity = giving, activity
        self.facts: list[str] = []
        self.place: dict[str, str] = {}  # person -> where they are
        self.moved: dict[str, int] = {}  # person -> the fact that says so
        self.holder: dict[str, str] = {}  # object in someone's hands -> whose
        self.lying: dict[str, tuple[str, tuple[int, ...]]] = {}  # object put down -> where, and the facts that say so
        self.touched: dict[tuple[str, str], int] = {}  # (person, object) -> the last fact on the two
        self.trips: list[Trip] = []
        self.gifts: list[Gift] = []

    def run(self, count: int) -> None:
        """Let `count` events happen."""
        while len(self.facts) < count:
            person = self.random.choice(self.people)
            deeds = self._list_deeds(person)
            if deeds and self.random.random() < self.activity:
                self.random.choice(deeds)()
            else:
                self._move(person)

    def carried(self, person: str) -> list[str]:
        """What `person` holds, in the order of OBJECTS."""
        return [thing for thing in self.objects if self.holder.get(thing) == person]

    def find(self, thing: str) -> tuple[str, tuple[int, ...]] | None:
        """Where `thing` is and the facts that say so; None if no fact has named it yet."""
        if thing not in self.holder:
            return self.lying.get(thing)
        holder = self.holder[thing]
        return self.place[holder], (self.moved[holder], self.touched[holder, thing])

    def _list_deeds(self, person: str) -> list[Callable[[], None]]:
        """All that `person` can do with objects here and now. Nobody acts before a fact has placed them."""
        if person not in self.place:
            return []
        here, held = self.place[person], self.carried(person)
        loose = [thing for thing in self.objects if thing not in self.holder]
        near = [other for other in self.people if other != person and self.place.get(other) == here]
        grabs = [partial(self._grab, person, t) for t in loose if t not in self.lying or self.lying[t][0] == here]
        drops = [partial(self._drop, person, thing) for thing in held]
        gives = [partial(self._give, person, thing, other) for thing in held for other in near]
        return [*grabs, *drops, *gives * self.giving]

    def _move(self, person: str) -> None:
        origin = self.place.get(person)
        place = self.random.choice([place for place in PLACES if place != origin])
        fact = self._write(f"{person} {self.random.choice(_MOVES)} the {place}.")
        if origin is not None:
            for thing in self.carried(person):
                facts = (self.moved[person], self.touched[person, thing], fact)
                self.trips.append(Trip(thing, origin, place, facts))
        self.place[person], self.moved[person] = place, fact

    def _grab(self, person: str, thing: str) -> None:
        there = self.random.choice(("", " there"))
        self.touched[person, thing] = self._write(f"{person} {self.random.choice(_GRABS)} the {thing}{there}.")
        self.holder[thing] = person
        self.lying.pop(thing, None)

    def _drop(self, person: str, thing: str) -> None:
        there = self.random.choice(("", " there"))
        fact = self._write(f"{person} {self.random.choice(_DROPS)} the {thing}{there}.")
        self.touched[person, thing] = fact
        del self.holder[thing]
        self.lying[thing] = self.place[person], (self.moved[person], fact)

    def _give(self, giver: str, thing: str, receiver: str) -> None:
        fact = self._write(f"{giver} {self.random.choice(_GIVES)} the {thing} to {receiver}.")
        self.touched[giver, thing] = self.touched[receiver, thing] = fact
        self.holder[thing] = receiver
        self.gifts.append(Gift(giver, thing, receiver, fact))

    def _write(self, fact: str) -> int:
        self.facts.append(fact)
        return len(self.facts) - 1


def draw_map(random: Random, count: int) -> tuple[list[tuple[str, str, str]], dict[str, complex]]:
    """A map of `count` + 1 places on a grid, told in `count` steps.

    Returns:
        The steps (place, direction, other), meaning that the place is that way of the other, and the spot of every
        place as x + y·1j, east and north counting up.
    """
    first, *others = random.sample(PLACES, count + 1)
    spots, steps = {first: 0j}, []
    for place in others:
        free = [(other, way) for other in spots for way in STEPS if spots[other] + STEPS[way] not in spots.values()]
        other, way = random.choice(free)
        spots[place] = spots[other] + STEPS[way]
        steps.append(random.choice([(place, way, other), (other, OPPOSITE[way], place)]))
    random.shuffle(steps)
    return steps, spots


def follow(
    random: Random,
    count: int,
    people: tuple[str, ...],
    places: tuple[str, ...],
    *,
    deny: bool,
    definite: float = 0.5,
    states: int = 1,
) -> tuple[list[str], dict[str, Sighting]]:
    """See people come and go in `count` facts, a share `definite` of them definite.

    A new fact never names a place that the person's last one named, unless it denies it: so a move changes the place.

    Args:
        deny: whether the other facts say where somebody is not (qa9) or name two places of which one is right (qa10).
        states: how often a definite fact says "is in", against once for each of the five ways to move.

    Returns:
        The facts, and the last sighting of everyone they mention.
    """
    facts: list[str] = []
    last: dict[str, Sighting] = {}
    for fact in range(count):
        person = random.choice(people)
        before = last.get(person, Sighting((), "", fact))
        fresh = [place for place in places if place not in before.places]
        sure = random.random() < definite
        if deny and not sure and before.verdict != "no":
            named = before.places or (random.choice(places),)
            facts.append(f"{person} is {random.choice(('not', 'no longer'))} in the {named[0]}.")
            last[person] = Sighting(named, "no", fact)
        elif not deny and not sure:
            one, two = random.sample(fresh, 2)
            facts.append(f"{person} is either in the {one} or the {two}.")
            last[person] = Sighting((one, two), "maybe", fact)
        else:
            place = random.choice(fresh)
            facts.append(f"{person} {random.choice((*('is in',) * states, *_MOVES))} the {place}.")
            last[person] = Sighting((place,), "yes", fact)
    return facts, last

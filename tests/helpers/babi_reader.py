"""Reads bAbI stories as a stranger would: from the English alone, knowing nothing of the simulator.

answer(facts, question)   what the facts say, None where they leave it open
find_faults(facts)        everything in the facts that cannot happen
"""

from __future__ import annotations

import re
from itertools import pairwise

FACTS = {
    "go": r"(\w+) (?:moved to|went to|journeyed to|travelled to|went back to) the (\w+)\.",
    "in": r"(\w+) is in the (\w+)\.",
    "out": r"(\w+) is (?:not|no longer) in the (\w+)\.",
    "either": r"(\w+) is either in the (\w+) or the (\w+)\.",
    "grab": r"(\w+) (?:got|picked up|grabbed|took) the (\w+)(?: there)?\.",
    "drop": r"(\w+) (?:dropped|put down|discarded|left) the (\w+)(?: there)?\.",
    "give": r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\.",
    "map": r"The (\w+) is (north|south|east|west) of the (\w+)\.",
}
WAYS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}


def parse(facts):
    """Each fact as (kind, *names). Raises ValueError at a sentence that is not one of exactly one kind."""
    events = []
    for fact in facts:
        found = [(kind, *match.groups()) for kind, form in FACTS.items() if (match := re.fullmatch(form, fact))]
        if len(found) != 1:
            raise ValueError(f"cannot read {fact!r}: {found}")
        events += found
    return events


def answer(facts, question):
    events = parse(facts)
    for form, read in QUESTIONS.items():
        if match := re.fullmatch(form, question):
            return read(events, *match.groups())
    raise ValueError(f"cannot read {question!r}")


def last(events, kinds, **wanted):
    """The last event of these kinds whose names at the wanted positions (a=1st, b=2nd, c=3rd) are those given."""
    for event in reversed(events):
        if event[0] in kinds and all(event["_abc".index(slot)] == name for slot, name in wanted.items()):
            return event
    return None


def place_person(events, who):
    event = last(events, ("go", "in"), a=who)
    return event and event[2]


def trace(events, thing):
    """The places where `thing` has been, in order. Whoever acts on it is taken to be able to."""
    places, holder, spot, path = {}, None, None, []
    for kind, who, *names in events:
        if kind in ("go", "in"):
            places[who] = names[0]
        elif names[0] == thing:
            holder = {"grab": who, "drop": None, "give": names[-1]}[kind]
            spot = places.get(who, spot)
        spot = places.get(holder, spot)
        if spot and path[-1:] != [spot]:
            path.append(spot)
    return path


def place_object(events, thing):
    return (trace(events, thing) or [None])[-1]


def place_before(events, thing, place):
    path = trace(events, thing)
    before = [earlier for earlier, later in pairwise(path) if later == place]
    return before[-1] if before else None


def hold(events, who):
    """What `who` carries. A drop takes from hands even what no fact put there: support may leave the grab out."""
    held = set()
    for kind, *names in events:
        if kind in ("drop", "give") and names[0] == who:
            held.discard(names[1])
        if (kind == "grab" and names[0] == who) or (kind == "give" and names[2] == who):
            held.add(names[1])
    return sorted(held)


def is_in(events, who, place):
    event = last(events, ("go", "in", "out", "either"), a=who)
    if event is None:
        return None
    if event[0] == "out":
        return "no" if event[2] == place else None
    if place not in event[2:]:
        return "no"
    return "maybe" if event[0] == "either" else "yes"


def draw(events):
    """Spots of all places that the steps connect to the first one, by walking the steps until nothing is new."""
    spots = {}
    for _ in events:
        for _, place, way, other in events:
            dx, dy = WAYS[way]
            if not spots:
                spots[other] = (0, 0)
            if other in spots:
                spots.setdefault(place, (spots[other][0] + dx, spots[other][1] + dy))
            elif place in spots:
                spots[other] = (spots[place][0] - dx, spots[place][1] - dy)
    return spots


def look(events, way, here):
    """The only place straight ahead; None if there are more or none. Ahead of a place is also what is ahead of that."""
    spots = draw(events)
    (x, y), (dx, dy) = spots[here], WAYS[way]
    line = [(x + dx * step, y + dy * step) for step in range(1, 7)]
    ahead = [place for place, spot in spots.items() if spot in line]
    return ahead[0] if len(ahead) == 1 else None


def turn(way):
    return {"north": "south", "south": "north", "east": "west", "west": "east"}[way]


def name(event, position):
    return event and event[position]


QUESTIONS = {
    r"Where is ([A-Z]\w+)\?": place_person,
    r"Where is the (\w+)\?": place_object,
    r"Where was the (\w+) before the (\w+)\?": place_before,
    r"What is (\w+) of the (\w+)\?": look,
    r"What is the (\w+) (\w+) of\?": lambda events, here, way: look(events, turn(way), here),
    r"Who gave the (\w+) to (\w+)\?": lambda events, b, c: name(last(events, ("give",), b=b, c=c), 1),
    r"What did (\w+) give to (\w+)\?": lambda events, a, c: name(last(events, ("give",), a=a, c=c), 2),
    r"Who received the (\w+)\?": lambda events, b: name(last(events, ("give",), b=b), 3),
    r"Who gave the (\w+)\?": lambda events, b: name(last(events, ("give",), b=b), 1),
    r"Who did (\w+) give the (\w+) to\?": lambda events, a, b: name(last(events, ("give",), a=a, b=b), 3),
    r"Is (\w+) in the (\w+)\?": is_in,
    r"How many objects is (\w+) carrying\?": lambda events, who: ("none", "one", "two", "three")[
        len(hold(events, who))
    ],
    r"What is (\w+) carrying\?": lambda events, who: ",".join(hold(events, who)) or "nothing",
}


def find_faults(facts):
    """Says what cannot be. Somebody must have been placed before they act; an object is found wherever first taken."""
    events = parse(facts)
    if events and events[0][0] == "map":
        return find_map_faults(events)
    faults = []
    for now, (kind, who, *names) in enumerate(events):
        past = events[:now]
        complain = CHECKS[kind](past, who, *names)
        faults += [f"{now}: {facts[now]} ({why})" for why, wrong in complain.items() if wrong]
    return faults


def check_arrival(past, who, *places):
    """`places`: one, or the two that somebody may be in."""
    before = last(past, ("go", "in", "out", "either"), a=who)
    return {"is there": bool(before and set(places) & set(before[2:])), "same twice": len(set(places)) < len(places)}


def check_absence(past, who, place):
    before = last(past, ("go", "in", "out", "either"), a=who)
    return {"never was there": bool(before and (before[0] not in ("go", "in") or before[2] != place))}


def check_grab(past, who, thing):
    here = place_person(past, who)
    people = {event[1] for event in past}
    lying = place_object(past, thing)
    return {
        "is nowhere": here is None,
        "it is held": any(thing in hold(past, other) for other in people),
        "it is elsewhere": lying is not None and lying != here,
    }


def check_drop(past, who, thing):
    return {"does not hold it": thing not in hold(past, who), "is nowhere": place_person(past, who) is None}


def check_gift(past, who, thing, other):
    apart = place_person(past, who) != place_person(past, other)
    return {**check_drop(past, who, thing), "is not with them": apart, "is the same": who == other}


CHECKS = {
    "go": check_arrival,
    "in": check_arrival,
    "either": check_arrival,
    "out": check_absence,
    "grab": check_grab,
    "drop": check_drop,
    "give": check_gift,
}


def find_map_faults(events):
    spots = draw(events)
    faults = [f"{spot} holds two places" for spot in set(spots.values()) if list(spots.values()).count(spot) > 1]
    for kind, place, way, other in events:
        step = kind == "map" and tuple(a - b for a, b in zip(spots[place], spots[other], strict=True))
        if step != WAYS[way]:
            faults.append(f"{place} is not {way} of {other}")
    return faults

"""Generated prose: an unlimited, seedable stream of plain sentences for people without a corpus.

The vocabulary is closed. It holds no digit, no name of a person or town, and none of the places and things of the
bAbI worlds, so nothing that a task hides in it can stand in it by chance (`holds` says so; a test reads it all).
"""

from __future__ import annotations

import re
from functools import cache
from random import Random

BLOCK = 64  # sentences made, and later tokenised, at a time

_WHO = """the carpenter|the ferryman|her uncle|a retired teacher|the youngest apprentice|the clockmaker|
our neighbour|the shepherd|a travelling musician|the librarian|the baker's wife|an old sailor|
the night watchman|the gardener's son|the village doctor|a quiet stranger|the miller|
two brothers from the valley|the bookbinder|a group of children|the innkeeper|the stonemason|my grandmother|
the weaver|a patient fisherman|the postman|the beekeeper|a young painter"""
_DID = """repaired|carried home|sketched|forgot about|borrowed|measured|polished|bought|described|hid|
looked for|wrapped up|examined|admired|gave away|painted|kept|lost|cleaned|asked about|remembered|folded|
counted|wrote about"""
_WHAT = """a wooden ladder|the torn map|an iron kettle|a basket of pears|the copper lamp|several old letters|
a pair of boots|the broken wheel|a bundle of reeds|the heavy ledger|a silver spoon|the blue curtain|
a jar of honey|the long rope|a box of candles|the rusty hinge|a woollen coat|the narrow boat|a stack of plates|
the stone bench|a leather bag|the crooked fence|a loaf of rye bread|the small mirror|a packet of seeds|
the church bell|an empty barrel|the worn saddle"""
_WHERE = """by the river|near the old mill|behind the barn|at the edge of the forest|under the bridge|
along the coast|in the square|beside the well|on the hillside|at the harbour|in the attic|across the meadow|
in front of the chapel|below the tower|at the crossroads|in the workshop|on the frozen pond|by the orchard wall|
in a narrow lane|on the ferry"""
_WHEN = """in the early morning|before the first snow|late in the autumn|after the storm|during the long winter|
on a warm evening|while the rain was falling|shortly before dawn|at the end of the harvest|in those days|
as the bells were ringing|on the day of the fair|when the fog had lifted|a few weeks later|towards midnight|
in the middle of the summer|soon after the wedding|without telling anyone|for the last time|almost by accident"""
_THING = """the wind|the light|the silence|the smell of wet leaves|the water|the road|the sky|the fire|
the old song|the weather|the noise of the market|the view from the hill|the taste of fresh bread|the morning|
the shade of the oak"""
_HOW = """gentle|strangely familiar|colder than expected|hard to describe|full of promise|slow and steady|
never quite the same|clear and bright|heavy with dust|pleasant enough|the best part of the day|easy to forget|
different from what people say|almost like music|older than the town itself|softer than before|
a comfort to everyone|gone too soon"""
_WHY = """because the road was closed|since nobody else was willing|although the hour was late|
because the rain would not stop|so that the others could rest|even though it seemed useless|
because a promise is a promise|though few people noticed|since the days were getting shorter|
because the roof was leaking again|although the price was too high|so that nothing would be wasted|
because it had always been done that way|while the others were still arguing"""
_THOUGHT = """work of this kind needs patience|good tools are half the work|people are kinder than they seem|
a straight path is not always the shortest|small repairs prevent large ones|
nobody learns a craft in a single season|there is a right moment for every task|
most quarrels begin with a misunderstanding|a careful hand leaves no mark|
what is cheap today may be dear tomorrow|the simplest answer is often the right one|
rain always finds the weak spot|it is better to ask than to guess|a house remembers the people who lived in it"""
_SAID = "thought|believed|used to say|insisted|liked to repeat|wrote in a letter|knew|was certain"

_SLOTS = {
    name: tuple(" ".join(phrase.split()) for phrase in words.split("|"))
    for name, words in {
        "who": _WHO, "did": _DID, "what": _WHAT, "where": _WHERE, "when": _WHEN,
        "thing": _THING, "how": _HOW, "why": _WHY, "thought": _THOUGHT, "said": _SAID,
    }.items()
}  # fmt: skip
_PATTERNS = tuple(
    tuple(re.split(r"<(\w+)>", pattern))
    for pattern in (
        "<who> <did> <what> <where>.",
        "<when>, <who> <did> <what>.",
        "<who> <did> <what> <why>.",
        "<where>, <thing> was <how>.",
        "<thing> was <how>, and <who> <did> <what>.",
        "<who> <said> that <thought>.",
        "<thought>, as <who> <said>.",
        "<when>, <thing> seemed <how>, so <who> <did> <what> <where>.",
        "after <who> <did> <what>, <thing> was <how>.",
        "there was a time when <who> <did> <what> <where>, <why>.",
        "it was <who> who <did> <what> <when>.",
        "nothing <where> was <how>, yet <who> <did> <what>.",
        "<who> <did> <what>; <thing> was <how>.",
        "if <thing> was <how>, then <thought>.",
        "neither <who> nor <who> <did> <what> <when>.",
        "<thing>, <who> <said>, was <how> <where>.",
        "every year <who> <did> <what> <where>, <when>.",
        "perhaps <thought>, but <who> <did> <what>.",
    )
)


def write_prose(random: Random) -> list[str]:
    """The next BLOCK sentences as units that join to running text.

    A unit opens with a space inside a paragraph and closes with an empty line at its end, so that units border on
    each other where tokenizers part words.
    """
    units, left = [], 0
    for index in range(BLOCK):
        opening = left == 0
        if opening:
            left = random.randint(4, 9)
        left -= 1
        ending = left == 0 or index == BLOCK - 1
        units.append(("" if opening else " ") + _sentence(random) + ("\n\n" if ending else ""))
    return units


def holds(text: str) -> bool:
    """Whether all words of `text` are in the vocabulary, so that it might stand in the prose by chance."""
    return all(word in _vocabulary() for word in re.findall(r"[\w-]+", text.lower()))


def _sentence(random: Random) -> str:
    words: list[str] = []
    for index, part in enumerate(random.choice(_PATTERNS)):
        word = random.choice(_SLOTS[part]) if index % 2 else part
        while index % 2 and word in words:
            word = random.choice(_SLOTS[part])
        words.append(word)
    sentence = "".join(words)
    return sentence[0].upper() + sentence[1:]


@cache
def _vocabulary() -> frozenset[str]:
    phrases = [phrase for slot in _SLOTS.values() for phrase in slot]
    phrases += [part for pattern in _PATTERNS for part in pattern[::2]]
    return frozenset(re.findall(r"[\w-]+", " ".join(phrases).lower()))

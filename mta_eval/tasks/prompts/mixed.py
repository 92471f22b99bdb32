"""Mixed text: prose, code, tables and dialogue take turns, as in what people give to models beside plain prose.

Generated like prose, from a closed vocabulary without names and without the places and things of the bAbI worlds. Its
numbers have two digits, so that no number of another size can stand in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from random import Random

import regex

from mta_eval.tasks.languages.english import ENGLISH
from mta_eval.tasks.languages.pack import split_names
from mta_eval.tasks.languages.writing import BLOCK

_NOUNS = split_names(
    "crate|barrel|ladder|lamp|rope|basket|saddle|hinge|ledger|bundle|kettle|mirror|pillow|curtain|plate"
)
_VERBS = split_names("measure|fold|count|polish|sort|weigh|wrap|borrow|repair|label|stack|sweep")
_PLACES = split_names("harbour|attic|barn|cellar|square|mill|orchard|ferry|chapel|bridge")
_COLOURS = split_names("red|blue|grey|copper|amber|ivory|black|green")
_SPEAKERS = split_names("Carpenter|Ferryman|Librarian|Miller|Shepherd|Weaver|Innkeeper|Postman")
_HEADS = ("name", "colour", "weight", "place")
_CODE = (
    '''def <verb>_<noun>(<noun>s, limit=<n>):
    """Return the <noun>s that weigh less than the limit."""
    light = []
    for <noun> in <noun>s:
        if <noun>.weight < limit:
            light.append(<noun>)
    return light''',
    """class <Noun>Store:
    size = <n>

    def __init__(self, <other>s):
        self.<other>s = list(<other>s)

    def <verb>(self, <other>):
        if len(self.<other>s) >= self.size:
            raise OverflowError("no room for a <other>")
        self.<other>s.append(<other>)""",
    """with open("<noun>s.txt") as lines:
    for line in lines:
        <other>, weight = line.split()
        total[<other>] += float(weight) * <n>  # in pounds""",
    """select place, sum(weight) as total
from <noun>s
where colour = '<colour>' and weight > <n>
group by place
order by total desc
limit <m>;""",
    """{
  "<noun>": {"colour": "<colour>", "weight": <n>},
  "<other>": {"colour": "<tint>", "weight": <m>},
  "place": "<place>",
  "open": true
}""",
    """while <noun>s and weight < <n>:
    <noun> = <noun>s.pop()
    try:
        weight += <verb>(<noun>)
    except ValueError as error:
        print("cannot <verb> the <noun>:", error)
        break""",
)
_SAID = (
    "Who left the <noun> in the <place>?", "I did not <verb> the <noun>. Ask somebody else.",
    "There were <n> of them, or perhaps <m>.", "Then we should <verb> the <other> before it rains.",
    "No, the <colour> one. The <tint> one is broken.", "Why would anyone <verb> a <noun> at this hour?",
    "It was in the <place> yesterday, beside the <other>.", "Wait until the bells ring; nobody will <verb> it now.",
    "I paid <n> for that <noun>, and it was not worth it.", "You said the same of the <other> last winter.",
    "Let us meet in the <place> and talk about the <noun>.", "That is true, but the <noun> is not ours.",
)  # fmt: skip


class MixedWriter:
    """Writes blocks of mixed text: sentences are units in prose, lines in all else (see units.py)."""

    def block(self, random: Random) -> list[str]:
        """The next units, BLOCK or a few more; the last of them ends a paragraph of prose."""
        units: list[str] = []
        while len(units) < BLOCK:
            parts: list[Callable[[Random], list[str]]] = [_code, _table, _dialogue]
            random.shuffle(parts)
            for part in parts:
                units += [*_prose(random), *part(random)]
                units.append("\n")  # an empty line, which the next unit opens with
        units += _prose(random)
        return _with_empty_lines(units)

    def holds(self, text: str) -> bool:
        """Whether `text` might stand in it by chance: all its words are in the vocabulary, or numbers of two digits."""
        words = regex.findall(r"[^\W_]+", text.lower())
        return all(word in self._vocabulary or regex.fullmatch(r"\d\d", word) for word in words)

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        lists = (*_NOUNS, *_VERBS, *_PLACES, *_COLOURS, *_SPEAKERS, *_CODE, *_SAID, *_HEADS)
        plurals = [f"{noun}s {noun}store" for noun in _NOUNS]
        return frozenset(regex.findall(r"[^\W_]+", " ".join([*lists, *plurals]).lower())) | ENGLISH.writer.parts


def _prose(random: Random) -> list[str]:
    sentences = [ENGLISH.writer.sentence(random) for _ in range(random.randint(4, 9))]
    return [sentences[0], *(f" {sentence}" for sentence in sentences[1:-1]), f" {sentences[-1]}\n\n"]


def _code(random: Random) -> list[str]:
    return [f"{line}\n" for line in _fill(random.choice(_CODE), random).split("\n")]


def _table(random: Random) -> list[str]:
    rows = [_HEADS, *(_row(random) for _ in range(random.randint(5, 10)))]
    if random.random() < 0.5:
        return [",".join(row) + "\n" for row in rows]
    rows.insert(1, ("---",) * len(_HEADS))
    return [f"| {' | '.join(row)} |\n" for row in rows]


def _row(random: Random) -> tuple[str, ...]:
    return random.choice(_NOUNS), random.choice(_COLOURS), _number(random), random.choice(_PLACES)


def _dialogue(random: Random) -> list[str]:
    speakers = random.sample(_SPEAKERS, 2)
    lines = random.sample(_SAID, random.randint(5, 9))
    return [f"{speakers[index % 2]}: {_fill(line, random)}\n" for index, line in enumerate(lines)]


def _fill(template: str, random: Random) -> str:
    """The template with one choice for each of its places."""
    noun, other = random.sample(_NOUNS, 2)
    colour, tint = random.sample(_COLOURS, 2)
    chosen = {
        "noun": noun, "Noun": noun.capitalize(), "other": other, "colour": colour, "tint": tint,
        "verb": random.choice(_VERBS), "place": random.choice(_PLACES), "n": _number(random), "m": _number(random),
    }  # fmt: skip
    return str(regex.sub(r"<(\w+)>", lambda place: chosen[place[1]], template))


def _number(random: Random) -> str:
    return str(random.randrange(10, 100))


def _with_empty_lines(units: list[str]) -> list[str]:
    """Units that are empty lines open the next unit instead, so that every line closes with one line break."""
    joined, empty = [], ""
    for unit in units:
        if unit == "\n":
            empty += unit
        else:
            joined.append(empty + unit)
            empty = ""
    return joined

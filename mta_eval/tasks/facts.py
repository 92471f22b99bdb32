"""Sentences that tie attributes together: who left what, where, when and in what.

    In Riga, on Friday, Nora left the accordion.
    The accordion was left by Nora, slowly, without a word, in a red box.
    The magic number of Nora in Riga is 4071842.

The attributes may stand in any order. Between two of them adverbs make a distance in tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from random import Random

from mta_eval.core import Encoding, Tokenizer
from mta_eval.tasks.prompts.pools import CITIES, WORDS

PERSONS = tuple(
    """Agnes|Albert|Alfred|Amelia|Arthur|Astrid|Beatrice|Bernard|Bridget|Caroline|Cecil|Clara|Conrad|Cyril|Daphne|
Dexter|Dorothy|Edgar|Edith|Elliot|Esther|Ezra|Felix|Fiona|Floyd|Freya|Gilbert|Gloria|Greta|Gustav|Harriet|Hector|
Helena|Hugo|Imogen|Ingrid|Irving|Isabel|Jasper|Joanna|Joel|Josephine|Judith|Julius|Kathryn|Kirsten|Laurence|Leonard|
Leopold|Lionel|Lydia|Magnus|Marcus|Matilda|Maxwell|Mildred|Miriam|Nathan|Nora|Oscar|Ottilie|Patricia|Percy|Phoebe|
Quentin|Rachel|Ralph|Regina|Roland|Rosalind|Rupert|Selma|Sigrid|Silas|Stella|Sylvia|Thelma|Theodor|Tobias|Ursula|
Verena|Vincent|Wallace|Wilfred|Winifred|Xavier|Yvonne|Zelda""".replace("\n", "").split("|")
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "purple", "violet", "pink", "brown", "grey", "golden")
ADVERBS = tuple(
    """slowly|quietly|calmly|gladly|at last|without a word|as usual|once again|in secret|by mistake|with care|
all alone|for no reason|in good spirits|rather late|as promised|quite openly|in a hurry|with a smile|not for long|
unnoticed|after all|at first sight|with regret|on purpose|of all things|in the end|as it were""".replace(
        "\n", ""
    ).split("|")
)

KINDS = ("person", "object", "place", "day", "colour")
VALUES = dict(zip(KINDS, (PERSONS, WORDS, CITIES, DAYS, COLOURS), strict=True))
PHRASES = {"place": "in {}", "day": "on {}", "colour": "in a {} box"}
NUMBER = "number"  # what a fact may have beside its attributes: the magic number of all of them together
NUMBERED = {"person": "of {}", "object": "with the {}"}
Fact = dict[str, str]  # kind of attribute -> its value


def phrase(kind: str, value: str, is_subject: bool) -> str:
    """What a sentence says of one attribute; of a person or an object, also the verb if that is its subject."""
    if kind == "person":
        return f"{value} left" if is_subject else f"by {value}"
    if kind == "object":
        return f"the {value} was left" if is_subject else f"the {value}"
    return PHRASES[kind].format(value)


def tell(fact: Fact, order: Sequence[str], between: Sequence[Sequence[str]] = ()) -> str:
    """A sentence with the attributes in `order`; `between` has the adverbs that stand behind each of them.

    Of a fact with a number it says that number, of any other who left what.
    """
    behind = ["".join(f", {adverb}" for adverb in adverbs) for adverbs in (*between, *[()] * len(order))]
    if NUMBER in fact:
        said = [{**PHRASES, **NUMBERED}[kind].format(fact[kind]) + behind[n] for n, kind in enumerate(order)]
        return f"The magic number {_joined(said)} is {fact[NUMBER]}."
    subject = next(kind for kind in order if kind in ("person", "object"))
    said = [phrase(kind, fact[kind], kind == subject) + behind[n] for n, kind in enumerate(order)]
    leading = order.index(subject)
    text = ", ".join([*said[:leading], _joined(said[leading:])])
    return f"{text[0].upper()}{text[1:]}."


def _joined(phrases: Sequence[str]) -> str:
    """Phrases one after the other, with a comma behind those that end in adverbs."""
    *first, last = phrases
    return "".join(text + (", " if "," in text else " ") for text in first) + last


def join_clauses(clauses: Sequence[str]) -> str:
    """Sentences as one: "Nora left the cello in Riga, and in Oslo, the walrus was left by Edgar."."""
    first, *others = clauses
    return first[:-1] + "".join(f", and {_uncapitalised(other)[:-1]}" for other in others) + "."


def _uncapitalised(sentence: str) -> str:
    word = sentence.partition(" ")[0]
    return sentence if word in PERSONS else sentence[0].lower() + sentence[1:]


def distances(encoding: Encoding, text: str, values: Sequence[str]) -> list[int]:
    """Tokens of `text` that stand wholly between each of `values` and the next, in the order in which they stand."""
    places = sorted(match.span() for value in values if (match := re.search(rf"\b{value}\b", text)))
    return [
        sum(behind <= start and end <= before for start, end in encoding.spans)
        for (_, behind), (before, _) in pairwise(places)
    ]


def tell_apart(
    fact: Fact, order: Sequence[str], asked: Sequence[str], span: int, random: Random, tokenizer: Tokenizer
) -> str:
    """A sentence whose `asked` attributes, neighbours in `order`, stand about `span` tokens apart.

    Adverbs between them come as near to that as they can; `span` 0 adds none.
    """
    pool = random.sample(ADVERBS, len(ADVERBS))
    between: list[list[str]] = [[] for _ in order]
    values = [fact[kind] for kind in asked]

    def gap_of(index: int) -> int:
        text = tell(fact, order, between)
        return distances(tokenizer.encode(text), text, values)[index]

    ordered = [kind for kind in order if kind in asked]
    for index, kind in enumerate(ordered[:-1]):
        chosen = between[order.index(kind)]
        gap = gap_of(index) if span else 0
        for adverb in pool:
            if gap >= span:
                break
            chosen.append(adverb)
            longer = gap_of(index)
            if abs(longer - span) > abs(gap - span):
                chosen.pop()  # a shorter one may fit
            else:
                gap = longer
    return tell(fact, order, between)

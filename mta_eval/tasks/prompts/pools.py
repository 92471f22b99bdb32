"""What needles are drawn from. No word is inside another, and none stands in the generated prose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import perm
from random import Random
from string import ascii_lowercase

from mta_eval.errors import SpecError
from mta_eval.scoring.numbers import is_digit, whole_numbers
from mta_eval.tasks.prompts.sources import TextSource

DECOYS = 4  # choices offered at least
DIGITS = tuple("0123456789")

CITIES = tuple(
    """Amsterdam|Ankara|Antwerp|Athens|Atlanta|Auckland|Baghdad|Baltimore|Bangkok|Barcelona|Beijing|Belfast|
Belgrade|Berlin|Bogota|Boston|Bratislava|Brisbane|Brussels|Bucharest|Budapest|Buenos Aires|Cairo|Calgary|
Cape Town|Caracas|Casablanca|Chicago|Cologne|Copenhagen|Dakar|Dallas|Damascus|Denver|Detroit|Dresden|Dublin|
Durban|Edinburgh|Florence|Frankfurt|Geneva|Genoa|Glasgow|Gothenburg|Hamburg|Hanoi|Havana|Helsinki|Hong Kong|
Houston|Istanbul|Jakarta|Jerusalem|Johannesburg|Karachi|Kathmandu|Kinshasa|Kolkata|Krakow|Lagos|Las Vegas|
Leipzig|Lima|Lisbon|Liverpool|London|Los Angeles|Lyon|Madrid|Malmo|Manchester|Manila|Marrakesh|Marseille|
Melbourne|Memphis|Mexico City|Miami|Milan|Minneapolis|Montevideo|Montreal|Moscow|Mumbai|Munich|Nairobi|Naples|
New Delhi|New Orleans|Osaka|Oslo|Ottawa|Palermo|Paris|Perth|Philadelphia|Phoenix|Porto|Prague|Quebec|Quito|
Reykjavik|Riga|Rio de Janeiro|Rome|Rotterdam|San Diego|San Francisco|Santiago|Sarajevo|Seattle|Seoul|Seville|
Shanghai|Singapore|Sofia|Stockholm|Stuttgart|Sydney|Taipei|Tallinn|Tbilisi|Tehran|Tokyo|Toronto|Toulouse|Tunis|
Turin|Valencia|Vancouver|Venice|Vienna|Vilnius|Warsaw|Wellington|Zagreb|Zurich""".replace("\n", "").split("|")
)

WORDS = tuple(
    """accordion|almanac|anchovy|apricot|armadillo|asteroid|avalanche|axolotl|badminton|bagpipe|balloon|bamboo|
banjo|barracuda|bassoon|bazooka|biscuit|blizzard|bonsai|boomerang|broccoli|buffalo|burrito|cactus|calculus|
camel|canyon|caravan|cardigan|cashew|castanet|catapult|caterpillar|cauliflower|cello|chameleon|cinnamon|
clarinet|cobalt|coconut|comet|compass|coriander|crocodile|croissant|cucumber|cyclone|dandelion|dinosaur|dolphin|
domino|dragonfly|eclipse|elephant|emerald|espresso|falcon|flamingo|flannel|galaxy|gazelle|geyser|giraffe|
glacier|gondola|gorilla|graphite|guitar|hammock|harmonica|hazelnut|helium|hexagon|hurricane|iguana|igloo|jaguar|
jasmine|jukebox|kangaroo|karaoke|kayak|koala|labyrinth|lagoon|lasagna|lavender|lemonade|leopard|lobster|
magnolia|mandolin|marathon|marmalade|meteor|microscope|monsoon|mosaic|mustard|nebula|nutmeg|oboe|octopus|
omelette|orchid|ostrich|oyster|pagoda|panther|papaya|parachute|peacock|pelican|penguin|periscope|piano|
pineapple|platypus|polka|porcupine|pretzel|pumpkin|pyramid|quartz|raccoon|rhubarb|rodeo|saffron|salamander|
sapphire|satellite|saxophone|scorpion|skateboard|snorkel|sombrero|spaghetti|submarine|surfboard|tambourine|
tangerine|telescope|tornado|toucan|trombone|tsunami|turquoise|ukulele|unicorn|vanilla|violin|volcano|waffle|
walrus|xylophone|yacht|yogurt|zeppelin|zucchini""".replace("\n", "").split("|")
)


def draw(random: Random, make: Callable[[Random], str], used: Sequence[str], source: TextSource) -> str:
    """A fresh text: not in the haystack, and neither inside a used one nor around it.

    Raises SpecError if none is found.
    """
    for _ in range(1000):
        text = make(random)
        if can_hide(text, used, source):
            return text
    raise SpecError("this haystack holds nearly everything that could be hidden in it; take other needles")


def can_hide(text: str, used: Sequence[str], source: TextSource) -> bool:
    """Whether a text is not in the haystack, and neither inside a used one nor around it.

    A single digit stands within so many numbers that in words it counts only as a number of its own: "8" can be hidden
    beside "Route 18" and not beside "8 roads".
    """
    return not any(_clash(text.lower(), other.lower()) for other in used) and not source.holds(text)


def need_digits(count: int, used: Sequence[str], source: TextSource) -> None:
    """Raises SpecError unless so many digits can be hidden, each as a number of its own."""
    free = [digit for digit in DIGITS if can_hide(digit, used, source)]
    if len(free) < count:
        raise SpecError(
            f"needles and choices of one digit need {count} of the numbers 0 to 9 that neither the haystack nor the "
            f"needle's words say, and there are {len(free)}; take another haystack, fewer needles or more digits"
        )


def _clash(text: str, other: str) -> bool:
    if is_digit(text) and not other.isdecimal():
        return text in whole_numbers(other)
    return text in other or other in text


class OtherBlocks:
    """An endless list of blocks that lack at least one query letter; no block twice while there are enough."""

    def __init__(self, random: Random, size: int, query: str) -> None:
        # a stream of its own: how many blocks are drawn must not change what is drawn after
        self._random = Random(random.getrandbits(64))
        self._size, self._query = size, set(query)
        self._blocks: list[str] = []
        self._seen: set[str] = set()

    def take(self, count: int) -> list[str]:
        """The first `count` blocks."""
        while len(self._blocks) < count:
            block = "".join(self._random.sample(ascii_lowercase, self._size))
            if self._query <= set(block):
                continue
            if block in self._seen and len(self._seen) < perm(26, self._size) // 4:
                continue
            self._seen.add(block)
            self._blocks.append(block)
        return self._blocks[:count]

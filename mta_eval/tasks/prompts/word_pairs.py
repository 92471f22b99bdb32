"""Words to be counted or to be keys: an adjective and a noun of ours, "amber-otter" like.

RULER takes its words from the package wonderwords, and its keys are such pairs of them. The lists here are our own.
No pair stands within another one, so that a scoring rule that looks for substrings finds none that is not said.
"""

from __future__ import annotations

from random import Random

from mta_eval.tasks.prompts.pools import WORDS

ADJECTIVES = tuple(
    """abrupt|agile|alert|amber|ample|ancient|angry|antique|anxious|arctic|awkward|bashful|beige|blissful|blunt|
boisterous|bouncy|brave|breezy|brief|brisk|bronze|bulky|busy|calm|candid|careful|chatty|cheerful|chilly|chubby|civil|
clever|clumsy|coarse|cosmic|costly|cozy|crafty|cranky|creamy|crimson|crisp|crooked|crunchy|curious|curly|daring|dazzling|
decent|deluxe|dense|devout|dizzy|docile|drowsy|dusty|eager|earnest|elastic|elegant|elite|eloquent|empty|enormous|
exotic|fabulous|faint|faithful|famous|fancy|feeble|fickle|fierce|fiery|flaky|flat|fluffy|fluent|foggy|
frantic|frosty|frugal|fuzzy|gallant|gaudy|gentle|giddy|gigantic|glossy|gloomy|graceful|grand|grateful|greedy|grim|
grumpy|handsome|harsh|hasty|hazy|hefty|hidden|hollow|honest|humble|hungry|husky|idle|immense|ivory|jagged|jolly|
jovial|juicy|jumbo|keen|knotty|lavish|lazy|lenient|limber|lively|lofty|lonely|loyal|lucid|lucky|lunar|lush|magenta|
majestic|marble|mellow|merry|mighty|misty|modest|moody|muddy|mute|mystic|narrow|nasty|neat|nervous|nimble|noble|noisy|
numb|obscure|olive|opaque|ornate|pale|patient|peaceful|perky|petite|placid|plain|playful|plump|polite|precise|prickly|
proud|prudent|purple|quaint|quick|quiet|quirky|radiant|rapid|regal|robust|rough|royal|rugged|rusty|salty|sandy|
scarlet|serene|shabby|sharp|shiny|silent|silky|sincere|skinny|sleepy|slender|slick|smooth|snappy|soggy|solemn|sparse|
spicy|stable|steep|sticky|stiff|stormy|sturdy|subtle|sudden|sunny|superb|swift|tame|tense|thirsty|thorny|tidy|timid|
tiny|tranquil|tricky|tropical|urban|urgent|vague|valiant|velvet|vibrant|vivid|wary|wealthy|weird|wicked|wise|witty|
wobbly|wooden|worthy|young|zany|zesty""".replace("\n", "").split("|")
)
PAIRS = len(ADJECTIVES) * len(WORDS)


def word_pair(random: Random) -> str:
    """One of them."""
    return f"{random.choice(ADJECTIVES)}-{random.choice(WORDS)}"


class DifferentPairs:
    """All of them in random order, drawn when they are wanted."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._drawn: dict[str, None] = {}  # in order

    def take(self, count: int) -> list[str]:
        """The first `count`, at most PAIRS."""
        while len(self._drawn) < count:
            self._drawn[word_pair(self._random)] = None
        return list(self._drawn)[:count]

"""English: the words of the MTA paper's needles, and prose for people without a corpus.

The vocabulary of the prose is closed. It holds no digit, no name of a person or town, and none of the places and
things of the bAbI worlds, so nothing that a task hides in it can stand in it by chance (a test reads it all).
"""

from __future__ import annotations

from mta_eval.tasks.languages.pack import NEEDLE_NOUNS, Language, NeedleSentences
from mta_eval.tasks.languages.writing import SentenceWriter

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

_PATTERNS = (
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
_SLOTS = {
    "who": _WHO, "did": _DID, "what": _WHAT, "where": _WHERE, "when": _WHEN,
    "thing": _THING, "how": _HOW, "why": _WHY, "thought": _THOUGHT, "said": _SAID,
}  # fmt: skip


def _sentences(noun: str) -> NeedleSentences:
    return NeedleSentences(
        needle=f"The magic {noun} of {{key}} is {{value}}.",
        stem_of_several=f"The magic {noun}s of {{key}} are",
        hidden=f"The following text hides some magic {noun}s. Read it and remember them.",
        ask_one=f"What is the magic {noun} of {{key}}? Answer with the {noun} alone.",
        ask_several=f"What are the magic {noun}s of {{key}}? Answer with the {noun}s alone.",
    )


ENGLISH = Language(
    code="en",
    name="English",
    sentences={noun: _sentences(noun) for noun in NEEDLE_NOUNS},
    read="Read the following text. It is followed by a question.",
    question="Question: ",
    answer="Answer:",
    comma=", ",
    last_comma=" and ",
    stops=(".",),
    gap=" ",
    cities=CITIES,
    words=WORDS,
    writer=SentenceWriter(_SLOTS, _PATTERNS),
)

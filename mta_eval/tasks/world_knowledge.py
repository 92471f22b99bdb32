"""Facts that a small language model knows, for questions that share no word with the sentence that answers them.

Each row is a sentence's words, what they imply (one hop) and what that implies (two hops). Rows of one domain are told
apart by both, as far as `semantic` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class KnownFact(NamedTuple):
    """`told` stands in the text; `implied` and then `far` follow from it. `far` "": there is no second hop."""

    told: str
    implied: str
    far: str = ""


@dataclass(frozen=True)
class Domain:
    """Rows of one kind, and how they are told and asked for.

    `sentence` tells a row of a person, with the places {name} and {it}; `questions` ask for the person by what follows
    at one hop and at two, with the place {it}; `plain` says outright what is implied: the control with shared words.
    """

    sentence: str
    plain: tuple[str, ...]
    questions: tuple[str, ...]
    facts: tuple[KnownFact, ...]


def _rows(text: str) -> tuple[KnownFact, ...]:
    """Lines of "told | implied | far"."""
    return tuple(KnownFact(*(part.strip() for part in line.split("|"))) for line in text.strip().splitlines())


LANDMARKS = Domain(
    "{name} has a flat beside {it}.",
    ("{name} lives in {it}.", "{name} lives on the continent of {it}."),
    ("Who lives in {it}?", "Who lives on the continent of {it}?"),
    _rows("""
        the Eiffel Tower | France | Europe
        the Brandenburg Gate | Germany | Europe
        the Colosseum | Italy | Europe
        the Sagrada Familia | Spain | Europe
        Buckingham Palace | England | Europe
        the Acropolis | Greece | Europe
        the Kremlin | Russia | Europe
        the Little Mermaid statue | Denmark | Europe
        the Atomium | Belgium | Europe
        the Taj Mahal | India | Asia
        the Forbidden City | China | Asia
        Mount Fuji | Japan | Asia
        Angkor Wat | Cambodia | Asia
        the Petronas Towers | Malaysia | Asia
        the Kaaba | Saudi Arabia | Asia
        the ruins of Petra | Jordan | Asia
        the Great Sphinx | Egypt | Africa
        Table Mountain | South Africa | Africa
        the Hassan II Mosque | Morocco | Africa
        the Serengeti | Tanzania | Africa
        the rock churches of Lalibela | Ethiopia | Africa
        the Statue of Liberty | the United States | North America
        the CN Tower | Canada | North America
        the pyramid of Chichen Itza | Mexico | North America
        Machu Picchu | Peru | South America
        the statue of Christ the Redeemer | Brazil | South America
        the Perito Moreno glacier | Argentina | South America
        the heads of Easter Island | Chile | South America
    """),
)
ANIMALS = Domain(
    "{name} feeds {it} every evening.",
    ("{name} is looking after a kind of {it}.",),
    ("Who is looking after a kind of {it}?",),
    _rows("""
        a cobra | snake
        a python | snake
        a rattlesnake | snake
        a parrot | bird
        a flamingo | bird
        a penguin | bird
        a salmon | fish
        a trout | fish
        a goldfish | fish
        a poodle | dog
        a beagle | dog
        a dachshund | dog
        a Siamese | cat
        a tarantula | spider
        a black widow | spider
        a chimpanzee | ape
        a gorilla | ape
        an orangutan | ape
        a grasshopper | insect
        a ladybug | insect
        a dragonfly | insect
        a stallion | horse
        a Clydesdale | horse
    """),
)
BOOKS = Domain(
    "{name} is rereading {it}.",
    ("{name} likes the works of {it}.", "{name} likes writers born in {it}."),
    ("Who likes the works of {it}?", "Who likes writers born in {it}?"),
    _rows("""
        Hamlet | Shakespeare | England
        Oliver Twist | Dickens | England
        Pride and Prejudice | Jane Austen | England
        Murder on the Orient Express | Agatha Christie | England
        War and Peace | Tolstoy | Russia
        Crime and Punishment | Dostoevsky | Russia
        The Cherry Orchard | Chekhov | Russia
        The Metamorphosis | Kafka | Bohemia
        Les Misérables | Victor Hugo | France
        Around the World in Eighty Days | Jules Verne | France
        Madame Bovary | Flaubert | France
        Don Quixote | Cervantes | Spain
        Faust | Goethe | Germany
        The Magic Mountain | Thomas Mann | Germany
        The Divine Comedy | Dante | Italy
        The Name of the Rose | Umberto Eco | Italy
        The Odyssey | Homer | Greece
        Huckleberry Finn | Mark Twain | America
        The Old Man and the Sea | Hemingway | America
        Moby Dick | Melville | America
        The Little Mermaid | Andersen | Denmark
        A Doll's House | Ibsen | Norway
        One Hundred Years of Solitude | Garcia Marquez | Colombia
    """),
)
DISHES = Domain(
    "{name} cooks {it} for supper.",
    ("{name} prefers the cuisine of {it}.", "{name} prefers the cuisine of {it}."),
    ("Who prefers the cuisine of {it}?", "Who prefers the cuisine of the continent of {it}?"),
    _rows("""
        lasagne | Italy | Europe
        paella | Spain | Europe
        moussaka | Greece | Europe
        sauerkraut with bratwurst | Germany | Europe
        ratatouille | France | Europe
        goulash | Hungary | Europe
        borscht | Ukraine | Europe
        sushi | Japan | Asia
        kimchi | Korea | Asia
        tandoori chicken | India | Asia
        Peking duck | China | Asia
        pad thai | Thailand | Asia
        pho | Vietnam | Asia
        tagine with couscous | Morocco | Africa
        injera | Ethiopia | Africa
        enchiladas | Mexico | North America
        poutine | Canada | North America
        feijoada | Brazil | South America
        ceviche | Peru | South America
    """),
)
TOOLS = Domain(
    "{name} never goes anywhere without {it}.",
    ("{name} earns a living as {it}.", "{name} is employed in {it}."),
    ("Who earns a living as {it}?", "Who is employed in {it}?"),
    _rows("""
        a scalpel | a surgeon | a hospital
        a cleaver | a butcher | a slaughterhouse
        a baton | a conductor | a concert hall
        a gavel | a judge | a court of law
        an anvil | a blacksmith | a forge
        a box of chalk | a teacher | a school
        a rolling pin | a baker | a bread shop
        a plough | a farmer | agriculture
        a wig and greasepaint | an actor | a theatre
        a hose and a ladder | a firefighter | a rescue service
        a sewing machine | a tailor | a garment factory
        a telescope | an astronomer | an observatory
        a Bible and a rosary | a priest | a church
        a razor and a comb | a barber | a hair salon
    """),
)
DOMAINS = {"landmarks": LANDMARKS, "animals": ANIMALS, "books": BOOKS, "dishes": DISHES, "tools": TOOLS}

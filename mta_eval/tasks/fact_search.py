"""Searches among facts: facts of which one alone has all the attributes that are asked for, and the question."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from random import Random
from typing import NamedTuple

from mta_eval.errors import SpecError
from mta_eval.tasks.facts import KINDS, NUMBER, NUMBERED, PHRASES, VALUES, Fact, phrase, tell
from mta_eval.tasks.prompts.pools import can_hide, draw
from mta_eval.tasks.prompts.sources import TextSource

HIDDEN = ("person", "object", "place")  # what the haystack may not say; every fact has them, and answers are of them
NUMBERED_KINDS = ("person", "place", "object", "day", "colour")  # in the order in which facts with numbers have them
DIGITS = {NUMBER: 7, "note": 3}  # of a fact's magic number, and of that of its note
GAP = "\N{BALLOT BOX}"  # stands for the answer
ENOUGH = 12  # values of a kind that the haystack has to leave


class Search(NamedTuple):
    """`wanted`: what the question names, in its order. `answer`: the kind to be answered, "number", "note" or "yes_no".

    `facts` has first the one that is looked for or, where the answer is "no", one that comes near; then those near it,
    then those that share nothing with it; `answers` of each.
    """

    wanted: Fact
    answer: str
    facts: tuple[Fact, ...]
    answers: tuple[str, ...]


def draw_search(
    random: Random, source: TextSource, asked: int, distractors: int, shared: int, answer: str, strangers: int = 0
) -> Search:
    """A search for a fact by `asked` of its attributes among others that have `shared` of them, `distractors` in all.

    Which attributes those are is spread evenly; `strangers` more facts have none. `answer` is "attribute", "number",
    "note" or "yes_no" (half of them "no"). Raises SpecError if the haystack says nearly all that could be asked.
    """
    pools = {kind: _free(kind, source) for kind in KINDS}
    if answer == NUMBER:
        kinds, asked_for = NUMBERED_KINDS[: max(2, asked)], answer
    else:
        kinds = KINDS[: max(len(HIDDEN), asked + (answer == "attribute"))]
        asked_for = random.choice(HIDDEN) if answer == "attribute" else answer
    named = _question_order([kind for kind in kinds if kind != asked_for], asked, random)
    found = {kind: random.choice(pools[kind]) for kind in kinds}
    groups = list(combinations(named, shared))
    random.shuffle(groups)

    def near(group: Sequence[str]) -> Fact:
        other = {kind: random.choice([value for value in pools[kind] if value != found[kind]]) for kind in kinds}
        return other | {kind: found[kind] for kind in group}

    facts = [found, *(near(groups[index % len(groups)]) for index in range(distractors))]
    facts += [near(()) for _ in range(strangers)]
    if answer == "yes_no":
        answers = [random.choice(("yes", "no"))] + ["no"] * (len(facts) - 1)
        if answers[0] == "no":
            facts[0] = near(groups[-1])
    elif answer in DIGITS:
        answers = []
        least = 10 ** (DIGITS[answer] - 1)
        for _ in facts:
            answers.append(draw(random, lambda chance: str(chance.randrange(least, 10 * least)), answers, source))
        facts = [
            fact | ({NUMBER: number} if answer == NUMBER else {}) for fact, number in zip(facts, answers, strict=True)
        ]
    else:
        answers = [fact[asked_for] for fact in facts]
    return Search({kind: found[kind] for kind in named}, asked_for, tuple(facts), tuple(answers))


def _free(kind: str, source: TextSource) -> tuple[str, ...]:
    """The values of a kind that may be used over this haystack."""
    if kind not in HIDDEN:
        return VALUES[kind]
    free = tuple(value for value in VALUES[kind] if can_hide(value, (), source))
    if len(free) < ENOUGH:
        raise SpecError(f"this haystack names nearly every {kind} that could be asked for; take another haystack")
    return free


def _question_order(kinds: Sequence[str], count: int, random: Random) -> tuple[str, ...]:
    """`count` of the kinds in the order in which a question can name them; one at least is not in the haystack."""
    while True:
        named = random.sample(kinds, count)
        if set(named) & set(HIDDEN):
            return tuple(sorted(named, key=lambda kind: kind != "object"))  # "the cello by Nora in Riga"


def question_of(search: Search) -> str:
    """What is asked, in words."""
    wanted = search.wanted
    if search.answer == NUMBER:
        named = " ".join({**PHRASES, **NUMBERED}[kind].format(value) for kind, value in wanted.items())
        return f"What is the magic number {named}?"
    thing = f"the {wanted['object']}" if "object" in wanted else "something"
    rest = "".join(" " + phrase(kind, value, False) for kind, value in wanted.items() if kind != "object")
    return {
        "person": f"Who left {thing}{rest}?",
        "object": f"What was left{rest}?",
        "place": f"Where was {thing} left{rest}?",
        "note": f"Which note says that {thing} was left{rest}?",
        "yes_no": f"Does the text say that {thing} was left{rest}?",
    }[search.answer]


def stem_of(search: Search) -> str:
    """The beginning of a sentence that the answer completes: "In Oslo, Nora left the"."""
    order = [*search.wanted, *([search.answer] if search.answer != NUMBER else [])]
    told = tell(search.wanted | {search.answer: GAP}, order)
    return told[: told.index(GAP)].rstrip()

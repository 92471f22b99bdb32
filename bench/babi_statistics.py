"""Statistics of bAbI stories: ours calibrated, ours uniform and, where files are given, the real ones, as one table.

    python bench/babi_statistics.py --stories 2000                       # ours
    python bench/babi_statistics.py --stories 2000 --files PATH/en-10k   # beside bAbI's own test files

A story is a question with all the facts before it, as BABILong takes them. What is measured of each task:

    facts               mean and most facts of a story
    ends in a support   share of stories whose last fact is one that the answer needs
    several candidates  share of stories with facts that give another answer to the question's words: for qa3 the object
                        came to the place asked for from several places, for qa5 several gifts fit, of which only one,
                        the last, is right
    answers             share of each answer (qa1 to qa5: of the commonest one)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Annotated

import typer

from mta_eval.core import generator
from mta_eval.errors import MtaEvalError
from mta_eval.tasks.babi.calibrated import kind_of_answer, make_babi_story
from mta_eval.tasks.babi.files import read_stories
from mta_eval.tasks.babi.worlds import LABELS, Story, make_story

GIFT = re.compile(r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)")
MOVE = re.compile(r"(\w+) (?:moved|went|journeyed|travelled|went back) (?:back )?to the (\w+)")
GRAB = re.compile(r"(\w+) (?:got|picked up|grabbed|took) the (\w+)")
DROP = re.compile(r"(\w+) (?:dropped|put down|discarded|left) the (\w+)")


def find_candidates(story: Story) -> set[str]:
    """The answers that facts of a qa3 or qa5 story give to the words of its question, at whatever time."""
    asked = re.fullmatch(r"Where was the (\w+) before the (\w+)\?", story.question)
    if asked:
        return {before for before, after in pairwise(trace(story.facts, asked[1])) if after == asked[2]}
    forms = {
        r"Who gave the (?P<b>\w+) to (?P<c>\w+)\?": 0,
        r"What did (?P<a>\w+) give to (?P<c>\w+)\?": 1,
        r"Who received the (?P<b>\w+)\?": 2,
        r"Who gave the (?P<b>\w+)\?": 0,
        r"Who did (?P<a>\w+) give the (?P<b>\w+) to\?": 2,
    }
    gifts = [found.groups() for fact in story.facts if (found := GIFT.match(fact))]
    for form, wanted in forms.items():
        if asked := re.fullmatch(form, story.question):
            named = {"abc".index(slot): name for slot, name in asked.groupdict().items()}
            return {gift[wanted] for gift in gifts if all(gift[slot] == name for slot, name in named.items())}
    return {story.answer}


def trace(facts: Iterable[str], thing: str) -> list[str]:
    """The places where `thing` has been, in order, as far as the facts tell."""
    places: dict[str, str] = {}
    holder, path = "", list[str]()
    for fact in facts:
        if move := MOVE.match(fact):
            places[move[1]] = move[2]
        elif (grab := GRAB.match(fact)) and grab[2] == thing:
            holder = grab[1]
        elif (drop := DROP.match(fact)) and drop[2] == thing:
            holder = ""
        if holder in places and path[-1:] != [places[holder]]:
            path.append(places[holder])
    return path


KINDS = {6: ("yes", "no"), 7: ("none", "one", "two", "three"), 8: ("nothing", "one", "several"), 9: ("yes", "no")}
KINDS[10] = ("yes", "no", "maybe")


def measure(qa: int, stories: Sequence[Story]) -> list[str]:
    """The figures of one task, as cells of the table."""
    sizes = [len(story.facts) for story in stories]
    counts = Counter(kind_of_answer(qa, story.answer) for story in stories)
    shares = {kind: counts[kind] / len(stories) for kind in KINDS.get(qa, ())}
    answers = " · ".join(f"{kind} {percent(share)}" for kind, share in shares.items())
    several = mean(len(find_candidates(story)) > 1 for story in stories)
    return [
        f"{mean(sizes):.1f} ({max(sizes)})",
        percent(mean(story.support[-1] == len(story.facts) - 1 for story in stories)),
        percent(several) if qa in (3, 5) else "",
        answers or f"commonest {percent(max(counts.values()) / len(stories))}",
    ]


def mean(values: Iterable[float]) -> float:
    """Of one value or more."""
    numbers = list(values)
    return sum(numbers) / len(numbers)


def percent(share: float) -> str:
    """0.153 -> "15 %"; a tenth is shown below one percent."""
    return f"{share:.0%}" if share >= 0.01 or not share else f"{share:.1%}"


def make(qa: int, stories: int, seed: int, maker: Callable[..., Story]) -> list[Story]:
    """Stories of our worlds, each of a generator of its own."""
    return [maker(qa, generator(seed, "babi statistics", qa, number)) for number in range(stories)]


def main(
    stories: Annotated[int, typer.Option(min=1, help="stories of ours for each task")] = 2000,
    files: Annotated[str, typer.Option(help="folder of bAbI text files, qaN_*test*.txt; none: ours alone")] = "",
    tasks: Annotated[str, typer.Option(help="such as 1,2,3")] = ",".join(map(str, LABELS)),
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Print the table."""
    if wrong := [task for task in tasks.split(",") if task not in map(str, LABELS)]:
        raise typer.BadParameter(f"{wrong[0]!r} is none of 1 to {max(LABELS)}", param_hint="--tasks")
    print("| task | stories | facts: mean (most) | ends in a support | several candidates | answers |")
    print("|---|---|---|---|---|---|")
    for qa in (int(task) for task in tasks.split(",")):
        try:
            sources = {"bAbI": read_stories(files, qa)} if files else {}
        except MtaEvalError as error:
            raise typer.BadParameter(str(error), param_hint="--files") from error
        sources["ours, babi"] = tuple(make(qa, stories, seed, make_babi_story))
        sources["ours, uniform"] = tuple(make(qa, stories, seed, make_story))
        for name, found in sources.items():
            print("|", " | ".join([f"qa{qa}", name, *measure(qa, found)]), "|", flush=True)


if __name__ == "__main__":
    typer.run(main)

"""Solvers of RULER's tasks and of chains in prose: they read the prompt alone, and refuse what has two answers."""

from __future__ import annotations

import re
from collections import Counter


class AmbiguousError(Exception):
    """A prompt that has no answer, or more than one."""


def only(found: list[str]) -> str:
    """The one thing that was found."""
    if len(found) != 1:
        raise AmbiguousError(found)
    return found[0]


def variables(prompt: str) -> set[str]:
    """The variables that have the value that is asked for; of a worked example, nothing."""
    text = prompt[prompt.rfind("hidden in the following text.") + 1 :]
    value = re.findall(r"have the value (\d+)|assigned the value (\d+)", text)[-1]
    value = value[0] or value[1]
    rows = re.findall(r"\bVAR ([A-Z]+) = (?:VAR ([A-Z]+)|(\d+))\b", text)
    given = {}
    for name, other, number in rows:
        if name in given:
            raise AmbiguousError(name)
        given[name] = other or number

    def value_of(name: str) -> str:
        while name in given:
            name = given[name]
        return name

    if sum(number == value for _, _, number in rows) != 1:
        raise AmbiguousError(value)
    return {name for name in given if value_of(name) == value}


def most_common(words: list[str], count: int) -> set[str]:
    """The commonest words; none that is left out may be as common."""
    ranked = Counter(words).most_common()
    if len(ranked) <= count or ranked[count - 1][1] <= ranked[count][1]:
        raise AmbiguousError(ranked[count - 1 : count + 1])
    return {word for word, _ in ranked[:count]}


def common_words(prompt: str, count: int) -> set[str]:
    """The words that stand in the last list most often."""
    if "numbered list" in prompt:
        listed = prompt.rpartition("appear most often.\n")[2].partition("\nQuestion:")[0]
        numbers, words = zip(*re.findall(r"(\d+)\. (\S+)", listed), strict=True)
        if list(numbers) != [str(number) for number in range(1, len(numbers) + 1)]:
            raise AmbiguousError("the numbers of the list")
        return most_common(list(words), count)
    return most_common(prompt.split("\n\n")[-2].split(", "), count)


def frequent_words(prompt: str) -> set[str]:
    """The three commonest codes; dots are none."""
    if "coded words. " in prompt:
        text = prompt.partition("coded words. ")[2].partition("\nQuestion:")[0]
    else:
        text = prompt.split("\n\n")[-2]
    return most_common([word for word in text.split() if word.strip(".")], 3)


def end_of_chain(prompt: str) -> str:
    """Where the facts lead from the start that the question names."""
    facts = re.findall(r"The key to the tower of (.+?) is kept in (.+?)\.", prompt)
    leads = dict(facts)
    if len(leads) < len(facts) or len(set(leads.values())) < len(facts):
        raise AmbiguousError("chains that join or part")
    start, once, times = re.findall(r"Start in (.+?) and go (?:(once)|(\d+) times in a row) to", prompt)[-1]
    here = start
    for _ in range(1 if once else int(times)):
        here = leads[here]
    if here in leads:
        raise AmbiguousError("a chain that goes on")
    return str(here)


def magic_values(prompt: str) -> list[str]:
    """The values of the keys that the question names."""
    text, _, question = prompt.rpartition("\nWhat ")
    asked = re.split(
        r", and |, ", only(re.findall(r"special magic \w+ for (.+?) mentioned in the provided text\?", question))
    )
    rows = re.findall(r"One of the special magic \w+ for (\S+) is: (\S+)\.", text)
    found = [value for key in asked for name, value in rows if name == key]
    if len(set(found)) < len(found) or any(sum(value == other for _, other in rows) > 1 for value in found):
        raise AmbiguousError(found)
    return found


def town_of_river(prompt: str) -> str:
    """Of the made questions over documents: the town that a river passes."""
    river = prompt.rpartition("Which town does the river of ")[2].partition(" pass?")[0]
    return only(list(dict.fromkeys(re.findall(rf"The river of {river} flows past the town of (\w+)\.", prompt))))

"""What kind of mistake an answer is. Reads one record, by rules of its own: it scores nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher

from mta_eval.core import Record
from mta_eval.scoring.matching import says
from mta_eval.scoring.numbers import is_digit

KINDS = {
    "failed": "the model broke down; the run tries it again",
    "truncated": "the prompt was cut to the model's window",
    "empty": "no answer at all",
    "other needle": "says the value of another needle of the prompt",
    "other choice": "says another of the task's choices",
    "incomplete": "says some of the right values, not all",
    "malformed": "says the right value, or nearly, but not in the form that the rule takes",
    "refusal": "says that it cannot, or that nothing is there",
    "repetition": "says the same again and again",
    "other": "none of these",
}
REFUSAL = re.compile(
    r"\b(sorry|apologi[sz]e|cannot|can'?t|can ?not|unable to|not able to|as an ai|no (information|mention|such)"
    r"|(do|does|did|is|are|was|were)( not|n't) (\w+ )?"
    r"(know|mention|contain|say|provide|appear|specif|given|state|found)\w*"
    r"|not (mentioned|provided|specified|given|stated|found))\b",
    re.IGNORECASE,
)
SHORTEST_REPETITION, LONGEST_UNIT, PROBE = 12, 60, 4  # characters
SIGNS = re.compile(r"[\W_]+")
SHORT = 4  # characters of a target
WORDS_READ = 20
NEARLY = 0.8  # of the characters of a word and a target, as difflib counts them
LONGEST_READ = 600  # characters of an answer: what it says and whether it goes round in circles shows early


def kind_of(record: Record) -> str | None:
    """One of KINDS, the first that holds; None if the answer has the full score, or none was asked for (yet)."""
    if record.error is not None:
        return "failed"
    if record.score is None or record.score >= 1 or record.was_read:
        return None
    if record.truncated:
        return "truncated"
    output = (record.output or "")[:LONGEST_READ].replace("’", "'")
    if not output.strip():
        return "empty"
    if _says_one_of(output, [needle.value for needle in record.needles], record.targets):
        return "other needle"
    # "there is no information" does not choose "no"
    if record.choices and _says_one_of(REFUSAL.sub(" ", output), record.choices, record.targets):
        return "other choice"
    found = [_nearly(output, target) for target in record.targets]
    if any(found):
        return "malformed" if all(found) else "incomplete"
    if REFUSAL.search(output):
        return "refusal"
    return "repetition" if _repeats(" ".join(output.split())) else "other"


def _says_one_of(output: str, values: Iterable[str], targets: Iterable[str]) -> bool:
    """Whether a value that is no target stands in the output as a word of its own."""
    text = output.lower()
    right = {target.lower() for target in targets}
    return any(
        value not in right and _is_word(value, text)
        for value in map(str.lower, values)
        if value and value in text  # the quick question first
    )


def _is_word(value: str, text: str) -> bool:
    """Whether `value`, which is somewhere in `text`, stands there with nothing glued to it."""
    if is_digit(value):
        return says(text, value)
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _nearly(output: str, target: str) -> bool:
    """Whether the target is there but for signs between its characters, or a word is much like it.

    A short target ("no", "e") must be a word of its own: it stands in too many others.
    """
    plain = _plain(target)
    if len(plain) < SHORT:
        return plain in map(_plain, output.split())
    if plain in _plain(output):
        return True
    return any(_alike(plain, _plain(word)) for word in output.split()[:WORDS_READ])


def _alike(target: str, word: str) -> bool:
    if 2 * min(len(target), len(word)) < NEARLY * (len(target) + len(word)):
        return False  # no matter which characters
    if set(target).isdisjoint(word):
        return False
    match = SequenceMatcher(None, target, word)
    return match.quick_ratio() >= NEARLY and match.ratio() >= NEARLY


def _repeats(text: str) -> bool:
    """Whether up to LONGEST_UNIT characters stand three times in a row, SHORTEST_REPETITION in all.

    Such a stretch holds four characters at every place, so also at every fourth, that come again one unit later. (A
    regular expression with a back-reference takes a hundred times as long.)
    """
    for place in range(0, len(text) - PROBE, PROBE):
        probe, end = text[place : place + PROBE], place + LONGEST_UNIT + PROBE
        again = text.find(probe, place + 1, end)
        while again > 0:
            unit = again - place
            if _stretch(text, place, unit) >= max(SHORTEST_REPETITION, 3 * unit):
                return True
            again = text.find(probe, again + 1, end)
    return False


def _stretch(text: str, place: int, unit: int) -> int:
    """How many characters around `place` are the same as those one unit on, that unit included."""
    start, end = place, place + unit
    while start > 0 and text[start - 1] == text[start - 1 + unit]:
        start -= 1
    while end < len(text) and text[end] == text[end - unit]:
        end += 1
    return end - start


def _plain(text: str) -> str:
    """Letters and digits alone, in lower case; full-width ones and the like as plain ones."""
    text = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()
    return SIGNS.sub("", text)

"""Marking: one pure function per published rule, each (output, targets, …) -> 0..1. No tokens, no files, no models."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Sequence

from mta_eval.scoring.numbers import is_digit, is_glued, normalised_number, whole_numbers

_PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
_YES_NO = ("no", "yes")
BABILONG_LABELS: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((1, 2, 3, 4, 11, 12, 13), _PLACES),
    5: ("Bill", "Fred", "Jeff", "Mary", "apple", "football", "milk"),
    **dict.fromkeys((6, 9, 17, 18), _YES_NO),
    7: ("none", "one", "three", "two"),
    8: ("apple", "football", "milk", "nothing"),
    10: ("maybe", *_YES_NO),
    14: ("bedroom", "cinema", "kitchen", "office", "park", "school"),
    15: ("cat", "mouse", "sheep", "wolf"),
    16: ("gray", "green", "white", "yellow"),
    19: ("e,e", "e,n", "e,s", "n,e", "n,n", "n,w", "s,e", "s,s", "s,w", "w,n", "w,s", "w,w"),
    20: ("bedroom", "bored", "garden", "hungry", "kitchen", "thirsty", "tired"),
}
"""The labels of each BABILong task as `babilong/metrics.py` has them (booydar/babilong, TASK_LABELS)."""
KV_PARTS = str.maketrans(dict.fromkeys("\n:\"'.,?!{}", " "))
GLUED = re.compile(r"[\w-]*\w|[.,]\d")  # what makes a longer word or number of the one before it
QUOTES = str.maketrans("’‘ʼ“”", "'''\"\"")
CONTROLS = re.compile(r"[\x00-\x1f]")
PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def first_word(output: str, targets: Sequence[str]) -> float:
    """1 if the output begins with a target and nothing is glued to it (the MTA paper's exact answer; any case).

    Of a target of one digit the whole number that it begins must be that digit: "8 000" does not begin with 8.
    """
    text = output.strip().lstrip("\"'*`([{").lower()
    words = (target.lower() for target in targets)
    return float(any(text.startswith(word) and not _goes_on(text, word) for word in words))


def all_contained(output: str, targets: Sequence[str]) -> float:
    """1 if every target occurs in the output, any case (RULER's rule for needles, all or nothing)."""
    return float(all(target.lower() in output.lower() for target in targets))


def share_contained(output: str, targets: Sequence[str]) -> float:
    """The share of targets that occur in the output, any case (RULER `string_match_all`)."""
    return sum(target.lower() in output.lower() for target in targets) / len(targets)


def any_contained(output: str, targets: Sequence[str]) -> float:
    """1 if one target occurs anywhere in the output, any case (lm-eval's BABILong; RULER `string_match_part`)."""
    return float(any(target.lower() in output.lower() for target in targets))


def babilong_official(output: str, target: str, labels: Iterable[str], question: str) -> float:
    """BABILong's own rule, number for number (booydar/babilong `metrics.compare_answers`): in lower case, up to the
    first ".", "<context>" or "<example>", the only label said is the target; labels that stand in the question are
    passed over. A target of several parts joined by commas must be named whole, and nothing else.

    Labels are plain substrings, so "none" also says "one" and is never right in qa7, and "nobody" says "no".
    `one_label_only` is our tasks' rule, which mends that.
    """
    sentence = output.lower().split(".", 1)[0].split("<context>", 1)[0].split("<example>", 1)[0]
    asked, target = question.lower(), target.lower()
    said = {label for label in map(str.lower, labels) if label in sentence and label not in asked}
    # qa19's "e,n" is one label: only what is longer than that is a set
    parts = target.split(",") if len(target) > 3 else [target]
    return float(len(said) == len(parts) and said.issuperset(parts))


def one_label_only(output: str, target: str, labels: Sequence[str], question: str) -> float:
    """BABILong's rule (Kuratov et al. 2024) as our tasks take it: the first sentence of the output holds the target
    and no other label; labels that the question names do not count. A target with commas is a set, to be named whole.

    Labels are looked for as plain substrings, as published, but not inside a longer label: else "none" would also say
    "one" and could never be right. For published numbers take `babilong_official`, which does just that.
    """
    sentence = re.split(r"\.|<context>|<example>", output.lower(), maxsplit=1)[0]
    said = set()
    for label in sorted((label.lower() for label in labels), key=len, reverse=True):
        if label in sentence:
            said.add(label)
            sentence = sentence.replace(label, "|")
    said -= {label.lower() for label in labels if label.lower() in question.lower()}
    return float(said == set(target.lower().split(",")))


def first_integer(output: str, targets: Sequence[str]) -> float:
    """1 if the first run of digits in the output is a target (InfiniteBench's passkey)."""
    digits = re.search(r"[0-9]+", output)
    return float(digits is not None and digits.group() in targets)


def word_contained(output: str, target: str) -> float:
    """1 if the target is one of the words of the output, case and all (InfiniteBench's key-value retrieval).

    Words are parted by white space and by the characters : " ' . , ? ! { } and nothing else.
    """
    return float(target in output.translate(KV_PARTS).split())


def squad_words(text: str) -> list[str]:
    """The words of a text as SQuAD's scorer compares them: lower case, no punctuation marks, no a, an, the."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def plain_words(text: str) -> list[str]:
    """The words of a text in lower case; all signs between them are as good as spaces."""
    return re.findall(r"\w+", text.lower())


def last_line(output: str) -> str:
    """What stands after the last newline, the ends of the output bare."""
    return output.strip().split("\n")[-1]


def without_controls(output: str) -> str:
    """The output as RULER and lm-eval clean it before they look: control characters are newlines, the ends bare."""
    return CONTROLS.sub("\n", output).strip()


def all_named(output: str, targets: Sequence[str]) -> float:
    """1 if the output names every target: a whole number in any notation, all else as words of their own, any case.

    "3,486,456" names 3486456, and neither "34864569" nor "3486456.5" does; "cellos" does not name "cello". What white
    space, quotes, and signs at the target's end look like does not count.
    """
    return float(all(_names(output, target) for target in targets))


def one_number(output: str, target: str) -> float:
    """1 if the target is a number of the output, in any notation, and no other number there has as many digits."""
    key = normalised_number(target) or target
    return float({number for number in whole_numbers(output, len(key)) if len(number) == len(key)} == {key})


def says(output: str, value: str) -> bool:
    """Whether a value occurs in an output, in any case; a single digit only as a number of its own."""
    return value in whole_numbers(output) if is_digit(value) else value.lower() in output.lower()


def mentions(output: str, values: Sequence[str]) -> list[str]:
    """The values that an output names as words of their own, in any case, as often and in the order as it does."""
    text = _spoken(output)
    places = [
        (match.start(), value)
        for value in values
        for match in re.finditer(re.escape(_spoken(value)), text)
        if _is_free(text, match.start(), match.end() - match.start())
    ]
    return [value for _, value in sorted(places)]


def _goes_on(text: str, word: str) -> bool:
    """Whether a longer word or number begins at the start of `text`, where `word` stands."""
    return GLUED.match(text, len(word)) is not None or (is_digit(word) and whole_numbers(text)[:1] != [word])


def _names(output: str, target: str) -> bool:
    if number := normalised_number(target):
        return number in whole_numbers(output, len(number))
    text, words = _spoken(output), _spoken(target)
    words = words.rstrip(".!?") or words
    return any(_is_free(text, place.start(), len(words)) for place in re.finditer(f"(?={re.escape(words)})", text))


def _is_free(text: str, start: int, size: int) -> bool:
    """Whether no word goes on beyond text[start:start + size]."""
    before, after = text[max(0, start - 1) : start], text[start + size : start + size + 1]
    return not (before and is_glued(text[start], before)) and not (after and is_glued(text[start + size - 1], after))


def _spoken(text: str) -> str:
    """The text as one line in lower case, with one kind of quotes."""
    return " ".join(unicodedata.normalize("NFC", text).translate(QUOTES).casefold().split())

"""Marking: one pure function per published rule, each (output, targets, …) -> 0..1. No tokens, no files, no models."""

from __future__ import annotations

import re
from collections.abc import Sequence


def first_word(output: str, targets: Sequence[str]) -> float:
    """1 if the output begins with a target and nothing is glued to it (the MTA paper's exact answer; any case)."""
    text = output.strip().lstrip("\"'*`([{").lower()
    return float(any(re.match(re.escape(target.lower()) + r"(?![\w-]*\w)(?![.,]\d)", text) for target in targets))


def all_contained(output: str, targets: Sequence[str]) -> float:
    """1 if every target occurs in the output, any case (RULER's rule for needles, all or nothing)."""
    return float(all(target.lower() in output.lower() for target in targets))


def share_contained(output: str, targets: Sequence[str]) -> float:
    """The share of targets that occur in the output, any case (RULER `string_match_all`)."""
    return sum(target.lower() in output.lower() for target in targets) / len(targets)


def any_contained(output: str, targets: Sequence[str]) -> float:
    """1 if one target occurs anywhere in the output, any case (lm-eval's BABILong; RULER `string_match_part`)."""
    return float(any(target.lower() in output.lower() for target in targets))


def one_label_only(output: str, target: str, labels: Sequence[str], question: str) -> float:
    """The official BABILong rule (Kuratov et al. 2024): the first sentence of the output holds the target and no other
    label; labels that the question names do not count. A target with commas is a set, to be named whole.

    Labels are looked for as plain substrings, as published, but not inside a longer label: else "none" would also say
    "one" and could never be right.
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

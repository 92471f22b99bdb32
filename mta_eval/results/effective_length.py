"""The effective length: up to which length a model finds things, how sure that is, and what being sure would take."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.results.draws import draw_of, scores_of
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule
from mta_eval.results.statistics import CONFIDENCE, Estimate, effective_count, margin, wilson
from mta_eval.results.table import length_text, percent_text

MOST_DRAWS = 10_000  # a length; more are not worth naming


class EffectiveLength(NamedTuple):
    """In tokens. `length`: the longest up to which every length surely holds, together in 97.5 % of cases; None if none
    does. `so_far`: the same by the means alone. `high`: the longest that may hold, 0 if surely none does. `longest`
    that was measured. `draws` that each length needs to be sure of `so_far`, None if it is sure, or never would be.
    `again`: lengths that surely hold beyond one that surely does not. `score`: at the shortest, corrected for chance.
    """

    length: int | None
    so_far: int | None
    high: int
    longest: int
    draws: int | None
    again: tuple[int, ...]
    score: float


class _Level(NamedTuple):
    """A length: its mean score, how many independent samples that is worth, and how many draws it has."""

    length: int
    mean: float
    worth: float
    draws: int
    chance: float

    def estimate(self, times: float = 1.0, confidence: float = CONFIDENCE) -> Estimate:
        """The score corrected for chance, had it been measured `times` as often."""
        ends = wilson(self.mean, self.worth * times, confidence)
        return Estimate(*((value - self.chance) / (1 - self.chance) for value in (self.mean, *ends)))


def effective_length(records: Sequence[Record], rule: LengthRule = LENGTH_RULE) -> EffectiveLength | None:
    """That of the records of one task and model, corrected by `chance_of` them; None if there are no two lengths."""
    scored = [one for one in records if one.score is not None and one.axes.get("length") is not None]
    lengths: dict[int, list[Record]] = defaultdict(list)
    for record in scored:
        lengths[int(record.number("length"))].append(record)
    return effective_length_of_scores(
        {length: scores_of(group) for length, group in lengths.items()}, rule, chance_of(scored)
    )


def effective_length_of_scores(
    lengths: Mapping[int, tuple[Sequence[float], Sequence[Hashable]]],
    rule: LengthRule = LENGTH_RULE,
    chance: float = 0.0,
) -> EffectiveLength | None:
    """The effective length of (scores, draws) by length; None if fewer than two lengths were measured.

    `chance` is the score of a guesser from 0 to under 1. A length is surely held if the lower ends of its margins (over
    the floor, and over the share of the shortest length's score, which is an estimate itself) are above 0; lengths are
    tried from the shortest on and no longer one is once one fails, so that claims need no correction for their number.
    What surely does not hold is corrected for the number of margins.
    """
    levels = _levels(lengths, chance)
    if len(levels) < 2:
        return None
    first = levels[0]
    sure = [min(low for low, _ in _margins(first, one, rule)) > 0 for one in levels]
    joint = 1 - (1 - CONFIDENCE) / (2 * len(levels) - 1)  # over all margins: Bonferroni
    lost = [min(high for _, high in _margins(first, one, rule, confidence=joint)) < 0 for one in levels]
    means = [_holds(first, one, rule) for one in levels]
    held, so_far, may = _unbroken(sure), _unbroken(means), _unbroken([not one for one in lost])
    so_far, may = max(so_far, held), max(may, held)
    return EffectiveLength(
        levels[held - 1].length if held else None,
        levels[so_far - 1].length if so_far else None,
        levels[may - 1].length if may else 0,
        levels[-1].length,
        _draws_needed(levels[:so_far], rule) if so_far > held else None,
        tuple(one.length for one, good in zip(levels[may:], sure[may:], strict=True) if good),
        first.estimate().mean,
    )


def chance_of(records: Sequence[Record]) -> float:
    """The score of a guesser: one of the choices at random where answers were chosen, else always the commonest answer.

    How common it is among the other draws, as one of n draws that are all different is no answer to guess.
    """
    chosen = [1 / len(one.choices) for one in records if one.choices and one.finish is None and one.output is not None]
    answers = {draw_of(record): tuple(record.targets) for record in records if record.targets}
    commonest = max(Counter(answers.values()).values(), default=1)
    constant = (commonest - 1) / (len(answers) - 1) if len(answers) > 1 else 0.0
    return min(max(constant, fmean(chosen) if len(chosen) == len(records) and chosen else 0.0), 0.99)


def effective_length_text(found: EffectiveLength) -> str:
    """In a few words: "4K, the longest measured"; "16K so far; 22 draws a length to be sure"."""
    if found.so_far is None:
        text = f"none ({percent_text(max(found.score, 0.0))} at the shortest)"
    elif found.length == found.so_far:
        text = length_text(found.length) + (", the longest measured" if found.length == found.longest else "")
    else:
        surely = f"{length_text(found.length)} surely, " if found.length else ""
        text = f"{surely}{length_text(found.so_far)} so far"
        text += f"; {found.draws} draws a length to be sure" if found.draws else "; too close to the bound to be sure"
    if found.high > (found.so_far or 0):
        text += f"; may be {length_text(found.high)}"
    if found.again:
        text += f"; holds again at {', '.join(map(length_text, found.again))}"
    return text


def effective_length_brief(found: EffectiveLength) -> str:
    """In a word or two: "4K", "≥ 16K" (the longest measured), "16K so far", "none"."""
    if found.so_far is None:
        return "none"
    if found.length is None:
        return f"{length_text(found.so_far)} so far"
    return ("≥ " if found.length == found.longest else "") + length_text(found.length)


def _levels(lengths: Mapping[int, tuple[Sequence[float], Sequence[Hashable]]], chance: float) -> list[_Level]:
    """The lengths in order."""
    levels = []
    for length, (scores, draws) in sorted(lengths.items()):
        worth = effective_count(scores, draws)
        levels.append(_Level(length, math.fsum(scores) / len(scores), worth, len(set(draws)), chance))
    return levels


def _margins(
    first: _Level,
    one: _Level,
    rule: LengthRule,
    times: tuple[float, float] = (1.0, 1.0),
    confidence: float = CONFIDENCE,
) -> list[tuple[float, float]]:
    """(low, high) of what a length has above the floor and, but for the first, above the share of the first's score."""
    other = one.estimate(times[1], confidence)
    margins = [(other.low - rule.floor, other.high - rule.floor)]
    if one is not first and rule.share:
        over = margin(first.estimate(times[0], confidence), other, rule.share)
        margins.append((over.low, over.high))
    return margins


def _holds(first: _Level, one: _Level, rule: LengthRule) -> bool:
    """Whether a length holds by the means alone."""
    return one.estimate().mean >= max(rule.floor, rule.share * first.estimate().mean)


def _draws_needed(levels: Sequence[_Level], rule: LengthRule) -> int | None:
    """The least number of draws that each of these lengths needs to be sure of, if the means stay what they are."""

    def enough(draws: int) -> bool:
        first = levels[0]
        for one in levels:
            margins = _margins(first, one, rule, (draws / first.draws, draws / one.draws))
            if min(low for low, _ in margins) <= 0:
                return False
        return True

    if not enough(MOST_DRAWS):
        return None
    low, high = 0, MOST_DRAWS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _unbroken(holds: Iterable[bool]) -> int:
    """How many hold from the first on."""
    count = 0
    for one in holds:
        if not one:
            break
        count += 1
    return count

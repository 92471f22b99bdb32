"""What a picture shows at a glance, as numbers: the effective length, and whether a model is lost in the middle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import mean
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.results.draws import draw_of, scores_of
from mta_eval.results.statistics import Estimate, contrast, estimate, margin
from mta_eval.results.table import GAP, axis_text, gap_text, length_text, model_text, percent_text

THRESHOLD = 0.85  # of the shortest length's score (RULER's kind of threshold, Hsieh et al. 2024, made relative)
MIDDLE = (0.25, 0.75)  # depths, both included; the ends are all others
FINDINGS_HEAD = ("task", "model", "effective length", "ends − middle (points)", "seeds")
FINDINGS_NOTE = (
    f"Effective length: the longest up to which the score surely (lower end of its 95 % interval) stays above "
    f"{THRESHOLD:.0%} of the shortest length's; in brackets from where it surely holds to where it may. It takes about "
    "22 draws a length to be sure of a model that is always right. Ends − middle: depths under 25 % and over 75 % "
    "against those between."
)


class EffectiveLength(NamedTuple):
    """The effective length, in tokens, None if not even the shortest length is sure; `low` and `high` its interval.

    `longest` of the lengths that were measured.
    """

    length: int | None
    low: int
    high: int
    longest: int


def effective_length(records: Sequence[Record]) -> EffectiveLength | None:
    """The longest length up to which the lower bound of the score stays above THRESHOLD of the shortest length's score.

    Its interval: up to which length the score surely stays above, and from which on it surely does not, the doubt
    about the shortest length's own score included. None if fewer than two lengths were measured, or nothing was right
    at the shortest.
    """
    lengths: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        if record.score is not None and record.axes.get("length") is not None:
            lengths[int(record.number("length"))].append(record)
    order = sorted(lengths)
    estimates = [estimate(*scores_of(lengths[length])) for length in order]
    if len(order) < 2 or not estimates[0].mean:
        return None
    goal = THRESHOLD * estimates[0].mean
    sure = _unbroken([one.low > goal for one in estimates])
    margins = [margin(estimates[0], one, THRESHOLD) for one in estimates[1:]]
    low, high = _unbroken([one.low > 0 for one in margins]), _unbroken([one.high > 0 for one in margins])
    low = min(low, max(sure - 1, 0))
    return EffectiveLength(order[sure - 1] if sure else None, order[low], order[high], order[-1])


def lost_in_the_middle(records: Sequence[Record]) -> Estimate | None:
    """The score at the ends minus that in the middle of the depths; None if one of them was not measured.

    Draws that lack one of the two are left out where there are whole ones, lest lengths be compared instead of depths.
    """
    inside: list[tuple[float, Hashable]] = []
    outside: list[tuple[float, Hashable]] = []
    for record in records:
        if record.score is not None and record.axes.get("depth") is not None:
            side = inside if MIDDLE[0] <= record.number("depth") <= MIDDLE[1] else outside
            side.append((record.score, draw_of(record)))
    if not inside or not outside:
        return None
    whole = {draw for _, draw in inside} & {draw for _, draw in outside}
    if whole:
        inside, outside = ([one for one in side if one[1] in whole] for side in (inside, outside))
    (upper, above), (lower, below) = zip(*outside, strict=True), zip(*inside, strict=True)
    return contrast(upper, lower, above, below)


def finding_rows(records: Sequence[Record]) -> list[list[str]]:
    """One row for each task and model of which there is something to say, under FINDINGS_HEAD."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if not record.was_read:
            groups[record.task, record.model].append(record)
    rows = [
        [
            task,
            model_text(model),
            _length_or_none(effective_length(group)),
            _gap_or_none(lost_in_the_middle(group)),
            _seeds_text(group),
        ]
        for (task, model), group in groups.items()
    ]
    return [row for row in rows if any(text != GAP for text in row[2:])]


def _length_or_none(found: EffectiveLength | None) -> str:
    if found is None:
        return GAP
    text = "not sure at any" if found.length is None else length_text(found.length)
    if found.length == found.longest:
        text += ", the longest measured"
    return f"{text} [{length_text(found.low)}–{length_text(found.high)}]"


def _gap_or_none(found: Estimate | None) -> str:
    return GAP if found is None else gap_text(found)


def _seeds_text(records: Sequence[Record]) -> str:
    """The score of each seed, where there are several."""
    seeds: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if record.score is not None and record.axes.get("seed") is not None:
            seeds[int(record.number("seed"))].append(record.score)
    if len(seeds) < 2:
        return GAP
    return ", ".join(f"{axis_text('seed', seed)}: {percent_text(mean(seeds[seed]))}" for seed in sorted(seeds))


def _unbroken(holds: Sequence[bool]) -> int:
    """How many hold from the first on."""
    return next((place for place, one in enumerate(holds) if not one), len(holds))

"""What a picture shows at a glance, as numbers: the effective length, and whether a model is lost in the middle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import mean
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.results.draws import draw_of
from mta_eval.results.effective_length import effective_length, effective_length_text
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule
from mta_eval.results.lift import Lift, lifts
from mta_eval.results.statistics import Estimate, contrast
from mta_eval.results.table import GAP, axis_text, gap_text, model_text, percent_text

MIDDLE = (0.25, 0.75)  # depths, both included; the ends are all others
FINDINGS_HEAD = ("task", "model", "effective length", "ends − middle (points)", "lift (points)", "seeds")
ENDS_NOTE = "Ends − middle: depths under 25 % and over 75 % against those between."
LIFT_NOTE = "Lift: the score minus that of the best baseline on the same samples."


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


class Findings(NamedTuple):
    """A row for each task and model of which there is something to say, under those of FINDINGS_HEAD that any has.

    `note` says how they were found, by which `rule` a length holds.
    """

    head: list[str]
    rows: list[list[str]]
    note: str
    rule: LengthRule = LENGTH_RULE


def findings_of(records: Sequence[Record], rule: LengthRule = LENGTH_RULE) -> Findings:
    """What is to be seen in records; `rule` says when a length holds."""
    rows = _rows(records, rule)
    shown = [column for column in range(len(FINDINGS_HEAD)) if any(row[column] != GAP for row in rows)]
    head = [FINDINGS_HEAD[column] for column in shown]
    return Findings(
        head, [[row[column] for column in shown] for row in rows], _note(rule, FINDINGS_HEAD[4] in head), rule
    )


def _note(rule: LengthRule, with_lift: bool) -> str:
    relative = f" and {rule.share:.4g} times the shortest length's" if rule.share else ""
    return (
        "Effective length: the longest up to which the score at every length, corrected for chance, surely stays above "
        f"{percent_text(rule.floor)}{relative} (lower ends of 95 % intervals, the doubt about the shortest included); "
        f"so far: the same by the means alone. {ENDS_NOTE}" + f" {LIFT_NOTE}" * with_lift
    )


def _rows(records: Sequence[Record], rule: LengthRule) -> list[list[str]]:
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    tasks: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if not record.was_read:
            groups[record.task, record.model].append(record)
            tasks[record.task].append(record)
    lifted = {(task, model): lift for task, group in tasks.items() for model, lift in lifts(group).items()}
    rows = [
        [
            task,
            model_text(model),
            _length_or_gap(group, rule),
            _gap_or_none(lost_in_the_middle(group)),
            _lift_or_gap(lifted.get((task, model))),
            _seeds_text(group),
        ]
        for (task, model), group in groups.items()
    ]
    return [row for row in rows if any(text != GAP for text in row[2:])]


def _length_or_gap(records: Sequence[Record], rule: LengthRule) -> str:
    found = effective_length(records, rule)
    return GAP if found is None else effective_length_text(found)


def _gap_or_none(found: Estimate | None) -> str:
    return GAP if found is None else gap_text(found)


def _lift_or_gap(lift: Lift | None) -> str:
    if lift is None:
        return GAP
    return f"{gap_text(lift.gap)} over {model_text(lift.baseline)} ({percent_text(lift.score)})"


def _seeds_text(records: Sequence[Record]) -> str:
    """The score of each seed, where there are several."""
    seeds: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if record.score is not None and record.axes.get("seed") is not None:
            seeds[int(record.number("seed"))].append(record.score)
    if len(seeds) < 2:
        return GAP
    return ", ".join(f"{axis_text('seed', seed)}: {percent_text(mean(seeds[seed]))}" for seed in sorted(seeds))

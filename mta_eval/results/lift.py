"""What a model does beyond the best baseline: models without weights that were asked the same samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from mta_eval.built_in import BASELINES
from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.comparison import Pair, pair_up
from mta_eval.results.draws import draw_of
from mta_eval.results.labels import stored_model
from mta_eval.results.statistics import Estimate, difference


class Lift(NamedTuple):
    """The best baseline of a model on one task, its score on the samples that both answered, and those pairs.

    In each pair the baseline is first.
    """

    baseline: str
    score: float
    pairs: Sequence[Pair]

    @property
    def gap(self) -> Estimate:
        """The model's score minus the baseline's."""
        theirs, ours = ([pair[side].score or 0.0 for pair in self.pairs] for side in (0, 1))
        return difference(theirs, ours, [draw_of(pair.first) for pair in self.pairs])


def is_baseline(model: str) -> bool:
    """Whether a spec names a baseline, by itself or of the samples of a model: "bag", "bag:of=smollm2"."""
    return model.partition(":")[0] in BASELINES


def lifts(records: Sequence[Record]) -> Mapping[str, Lift]:
    """By model, what it has beyond the best baseline, of the records of one task; those without baselines are left out.

    The best is the one with the highest score on all samples that it shares with the model, prompts and all.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if not record.was_read:
            groups[record.model].append(record)
    baselines = {model: group for model, group in groups.items() if is_baseline(stored_model(group[0]))}
    found: dict[str, Lift] = {}
    for model, group in groups.items():
        if model in baselines:
            continue
        lifted = [lift for name, theirs in baselines.items() if (lift := _lift(name, theirs, group))]
        if lifted:
            found[model] = max(lifted, key=lambda lift: lift.score)
    return found


def _lift(name: str, theirs: Sequence[Record], ours: Sequence[Record]) -> Lift | None:
    """None where they share no sample: the baseline belongs to another model."""
    try:
        pairs = pair_up(theirs, ours).pairs
    except StoreError:
        return None
    return Lift(name, fmean(pair.first.score or 0.0 for pair in pairs), pairs)

"""The verdicts of every pair of models, as `mta-eval compare` states them, where they are few enough to be made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.comparison import compare_tasks, pair_up
from mta_eval.results.verdicts import verdict

MOST_VERDICTS = 40  # pairs of models times tasks: each takes a bootstrap


def verdicts_json(records: Sequence[Record], models: Sequence[str]) -> dict[str, dict[str, str]]:
    """ "a:b" (places of models) -> task -> one sentence; where two share no sample, why under the task "".

    Empty where there are too many pairs.
    """
    tasks = {record.task for record in records}
    pairs = list(combinations(range(len(models)), 2))
    if len(pairs) * len(tasks) > MOST_VERDICTS:
        return {}
    groups = [[one for one in records if one.model == model and not one.was_read] for model in models]
    found: dict[str, dict[str, str]] = {}
    for a, b in pairs:
        try:
            compared = compare_tasks(pair_up(groups[a], groups[b]).pairs)
        except StoreError as error:
            found[f"{a}:{b}"] = {"": str(error)}
        else:
            found[f"{a}:{b}"] = {row.task: verdict(row, models[a], models[b]) for row in compared}
    return found

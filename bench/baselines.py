"""What baselines without weights get of every task's defaults, as one table.

    python bench/baselines.py                 # 40 samples a task at 1,024 tokens of SmolLM2's tokenizer, a minute
    python bench/baselines.py --length 4096

Depths are drawn; each sample is a draw of its own. Intervals are 95 %.
"""

from __future__ import annotations

from typing import Annotated

import typer
from starting import start

from mta_eval.built_in import BASELINES
from mta_eval.core import Sweep
from mta_eval.evaluation import evaluate
from mta_eval.registry import build_task, spec_of
from mta_eval.results.statistics import interval
from mta_eval.results.table import interval_text, markdown_table, percent_text

TASKS = (
    *("niah", "niah:needles=4", "niah:needles=4,prompt=instruction", "passkey", "associative_recall"),
    *("associative_recall:near=8", "conjunction:shared=0", "conjunction", "conjunction:clauses=2"),
    *("conjunction:shared=0,answer=number", "conjunction:answer=number", "conjunction:clauses=2,answer=number"),
    *("conjunction:answer=yes_no", "induction:cue=1", "induction", "copy", "sorted_needles", "sorted_needles:by=value"),
    *("semantic:control=shared_words", "semantic", "semantic:hops=2", "multi_hop:hops=1", "multi_hop"),
    *("babilong:qa=1", "babilong:qa=2", "babilong:qa=3", "babilong:qa=4", "babilong:qa=5", "babilong:qa=6"),
    *("babilong:qa=7", "babilong:qa=8", "babilong:qa=9", "babilong:qa=10", "letter_blocks"),
    *("variable_tracking", "common_words", "frequent_words", "ruler_niah:single_1"),
    *("ruler_niah:variant=multikey_1,haystack=prose", "ruler_niah:multikey_2", "graph", "graph:ask=reachable"),
    "coreference_rounds:same=2,near=2",
)


def main(
    length: Annotated[int, typer.Option(help="Window size in tokens of SmolLM2's tokenizer.")] = 1024,
    repeats: Annotated[int, typer.Option(help="Samples of each task.", min=2)] = 40,
) -> None:
    """Print the table."""
    sweep = Sweep((length,), (None,), repeats)
    answers = {name: evaluate(f"{name}:of=smollm2", TASKS, sweep) for name in BASELINES}
    rows = []
    for task in TASKS:
        texts = []
        for found in answers.values():
            scores = [float(score) for score in found[found["task"] == spec_of(build_task(task))]["score"]]
            texts.append(f"{percent_text(sum(scores) / len(scores))} {interval_text(*interval(scores))}")
        rows.append([task, *texts])
    print(markdown_table(["task", *BASELINES], rows, left=1))


if __name__ == "__main__":
    start(main)

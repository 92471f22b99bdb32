"""Golden samples: what every task makes, in three tokenizers, as digests; and what it scores a few outputs.

`python tests/golden/samples.py` writes samples.json anew. A difference is a change of samples: it has to stand in
CHANGELOG.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from mta_eval import registry
from mta_eval.core import Cell, PromptSettings, Sample, Tokenizer
from mta_eval.errors import MtaEvalError

FILE = Path(__file__).with_name("samples.json")
TOKENIZERS = ("smollm2", "window:300", "letter-blocks-mta")
TASKS = (
    *("letter_blocks", "letter_blocks:block=8,query=3,target=first", "letter_blocks:prompt=characters"),
    *("letter_blocks:prompt=instruction,target=last", "letter_blocks:prompt=chat", "letter_blocks:characters=319"),
    *("niah", "niah:needles=4", "niah:needles=8,asked=2,values=2,prompt=instruction", "niah:kind=word,haystack=noise"),
    *("niah:kind=uuid,prompt=chat", "niah:digits=3,rule=share_contained"),
    *(f"babilong:qa={qa}" for qa in range(1, 11)),
    *("babilong:qa=2,examples=0,prompt=chat", "babilong:qa=3,rule=any_contained", "babilong:qa=1,facts=6"),
    *("babilong:qa=3,worlds=uniform", "babilong:qa=2,protocol=official", "babilong:qa=8,protocol=official,prompt=chat"),
    *("passkey", "passkey:digits=8,prompt=chat,haystack=prose", "passkey:rule=first_word"),
    *("perplexity", "perplexity:stride=64,windows=3"),
    *("variable_tracking", "variable_tracking:chains=2,protocol=ruler", "common_words", "common_words:protocol=ruler"),
    *("frequent_words", "frequent_words:protocol=ruler,prompt=chat", "multi_hop"),
    *("multi_hop:hops=5,distractors=3,order=reversed,prompt=chat", "ruler_niah:single_1", "ruler_niah:multikey_2"),
    *("ruler_niah:multikey_3,prompt=chat", "ruler_niah:variant=multiquery,haystack=prose"),
    *("conjunction", "conjunction:asked=3,shared=2,span=8,answer=note", "conjunction:clauses=2,answer=yes_no"),
    "conjunction:answer=number",
    *("semantic", "semantic:hops=2,prompt=chat", "sorted_needles:by=value,others=1", "induction:cue=3", "copy"),
    *("associative_recall:near=2,queries=2", "graph:ask=reachable", "coreference_rounds:same=2,near=1,prompt=chat"),
    *("niah:language=de", "niah:language=ja,prompt=instruction", "niah:language=hi,needles=2", "niah:haystack=mixed"),
)
CELLS = tuple(Cell(*cell) for cell in ((512, 0.0, 0), (1024, 0.5, 1), (1024, 1.0, 0), (1500, None, 2), (0, None, 0)))
SEEDS = (0, 7)


def tokenizers() -> dict[str, Tokenizer]:
    """Each by its name: real subwords, one token a word, one a letter."""
    return {name: registry.build_model(name).tokenizer for name in TOKENIZERS}


def golden(task_spec: str, tokenizer: Tokenizer) -> dict[str, Any]:
    """cell and seed -> the sample's digest and scores, or the error that says why there is none."""
    task = registry.build_task(task_spec)
    found: dict[str, Any] = {}
    for seed in SEEDS:
        for cell in CELLS:
            try:
                sample = task.sample(cell, seed, tokenizer)
                found[f"{cell} seed {seed}"] = [_digest(sample), *_scores(task, sample)]
            except MtaEvalError as error:
                found[f"{cell} seed {seed}"] = type(error).__name__
    return found


def _digest(sample: Sample) -> str:
    """Of every field in the order in which they stand, whatever their names."""
    needles = [dataclasses.astuple(needle) for needle in sample.needles]
    names = [field.name for field in dataclasses.fields(sample) if field.name not in ("needles", "settings", "draw")]
    fields = [getattr(sample, name) for name in names]
    if sample.settings != PromptSettings():
        fields.append(dataclasses.astuple(sample.settings))
    return hashlib.sha256(json.dumps([fields, needles], sort_keys=True).encode()).hexdigest()[:24]


def _scores(task: Any, sample: Sample) -> list[float]:
    if not sample.targets:
        return []
    targets = sample.targets
    outputs = (
        *(targets[0], f" {targets[0]}.", f"The answer is {', '.join(targets)}", f"{targets[0]}x", "", "no"),
        *(sample.choices[-1:] or ("none",)),
        f"{targets[0]} {' '.join(sample.choices)}",
    )
    return [round(task.score(sample, output), 6) for output in outputs]


def everything() -> dict[str, Any]:
    """task -> tokenizer -> what `golden` says."""
    with_names = tokenizers()
    return {task: {name: golden(task, tokenizer) for name, tokenizer in with_names.items()} for task in TASKS}


if __name__ == "__main__":
    rows = [f"{json.dumps(task)}: {json.dumps(found)}" for task, found in everything().items()]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")

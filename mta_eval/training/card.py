"""The card of a trained checkpoint: what was trained, how, by which command, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mta_eval.training.training_log import LogLine

MAX_LINES = 25  # of the curve
ELSEWHERE = ("task", "attention", "preset", "seed", "mta_eval", "machine", "schedule", "sizes", "stages")
EMPTY: tuple[object, ...] = ("", [], {}, None)

CARD = """\
---
library_name: transformers
license: mit
tags: [multi-token-attention, mta-eval]
---

# {attention} on {task}, seed {seed}

Trained by mta-eval {mta_eval} from its `{preset}` recipe.

    {command}

| | wrong |
|---|--:|
| whole answers | {answers:.1%} |
| tokens of an answer (the earlier ones given) | {tokens:.2%} |

These are errors on {tested:,} rows of a stream that neither the training nor the evaluations on the way have seen.
Open it with `mta-eval run TASK --model {attention}:FOLDER`, or, after `import mta_eval`, with transformers'
`AutoModelForCausalLM`. {about}

## Recipe

| | |
|---|---|
{recipe}

## Curve

Loss is the mean over the steps since the line before; errors are on {held_out:,} rows held out for the way.

| step | loss | wrong answers | wrong tokens | seconds |
|--:|--:|--:|--:|--:|
{curve}
"""


def card(
    recipe: Mapping[str, Any],
    lines: Sequence[LogLine],
    test: Mapping[str, float],
    about: str,
    command: str,
) -> str:
    """Markdown for README.md from recipe.json, log.jsonl and the errors on the test stream; `about` is of its use."""
    schedule = recipe["schedule"]
    plain = {name: value for name, value in recipe.items() if name not in ELSEWHERE and value not in EMPTY}
    facts = {
        **plain,
        **recipe.get("sizes", {}),
        **schedule,
        "steps done": lines[-1]["step"],
        "trained on": recipe["machine"],
    }
    interval = -(-len(lines) // MAX_LINES)
    shown = [line for number, line in enumerate(reversed(lines)) if number % interval == 0][::-1]
    return CARD.format(
        **{key: recipe[key] for key in ("attention", "task", "seed", "preset", "mta_eval")},
        **test,
        tested=schedule["tested"],
        about=about,
        command=command,
        recipe="\n".join(f"| {name} | {json.dumps(value).strip(chr(34))} |" for name, value in facts.items()),
        held_out=schedule["held_out"],
        curve="\n".join(
            f"| {line['step']:,} | {line['loss']:.4f} | {line['held_out']['answers']:.1%} "
            f"| {line['held_out']['tokens']:.2%} | {line['seconds']:.0f} |"
            for line in shown
        ),
    )

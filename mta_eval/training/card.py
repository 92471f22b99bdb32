"""The card of a trained checkpoint: what was trained, how, by which command, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mta_eval.training.training_log import LogLine, perplexity_of

MAX_LINES = 25  # of the curve
ELSEWHERE = ("task", "attention", "preset", "seed", "mta_eval", "machine", "schedule", "sizes", "stages")
EMPTY: tuple[object, ...] = ("", [], {}, None)

CARD = """\
---
library_name: transformers
{license}tags: [multi-token-attention, mta-eval]
---

# {attention} on {task}, seed {seed}

Trained by mta-eval {mta_eval} from its `{preset}` recipe.

    {command}

{results}

These are of {tested:,} rows of a stream that neither the training nor the evaluations on the way have seen.
Open it with `mta-eval run TASK --model {attention}:FOLDER`, or, after `import mta_eval`, with transformers'
`AutoModelForCausalLM`. {about}
{probes}
## Recipe

| | |
|---|---|
{recipe}

## Curve

Loss is the mean over the steps since the line before; the columns after it are of {held_out:,} rows held out for the
way.

| step | loss | {columns} | wrong tokens | seconds |
|--:|--:|--:|--:|--:|
{curve}
"""

ANSWERS = """\
| | wrong |
|---|--:|
| whole answers | {answers:.1%} |
| tokens of an answer (the earlier ones given) | {tokens:.2%} |"""

TEXT = """\
| held-out text | |
|---|--:|
| perplexity | {perplexity:.4g} |
| wrong next tokens | {tokens:.2%} |"""

PROBES = """
## Probes

Asked after step {step:,}: accuracy in per cent, or perplexity where that is said.

| | |
|---|--:|
{found}
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
    steps = lines[-1]["step"]
    facts = {
        **plain,
        **recipe.get("sizes", {}),
        **schedule,
        "steps done": steps,
        **_tokens_seen(recipe, steps),
        "trained on": recipe["machine"],
    }
    interval = -(-len(lines) // MAX_LINES)
    shown = [line for number, line in enumerate(reversed(lines)) if number % interval == 0][::-1]
    text = is_text(recipe)
    return CARD.format(
        **{key: recipe[key] for key in ("attention", "task", "seed", "preset", "mta_eval")},
        results=(TEXT if text else ANSWERS).format(**test, perplexity=perplexity_of(test["loss"])),
        # of a checkpoint that others trained, theirs goes on
        license="" if recipe.get("start") else "license: mit\n",
        tested=schedule["tested"],
        about=about,
        command=command,
        probes=_probes(lines[-1]),
        recipe="\n".join(f"| {name} | {json.dumps(value).strip(chr(34))} |" for name, value in facts.items()),
        held_out=schedule["held_out"],
        columns="perplexity" if text else "wrong answers",
        curve="\n".join(_curve_line(line, text) for line in shown),
    )


def is_text(recipe: Mapping[str, Any]) -> bool:
    """Whether all rows of a training are running text, without answers."""
    return bool(recipe.get("data")) and not recipe.get("tasks")


def _curve_line(line: LogLine, text: bool) -> str:
    held_out = line["held_out"]
    second = f"{perplexity_of(held_out['loss']):.4g}" if text else f"{held_out['answers']:.1%}"
    return f"| {line['step']:,} | {line['loss']:.4f} | {second} | {held_out['tokens']:.2%} | {line['seconds']:.0f} |"


def _tokens_seen(recipe: Mapping[str, Any], steps: int) -> dict[str, int]:
    """Tokens of all rows that were trained on, padding among them; nothing where rows are no text."""
    if not recipe.get("length"):
        return {}
    return {"tokens seen": steps * recipe["schedule"]["batch"] * recipe["length"]}


def _probes(line: LogLine) -> str:
    found = line.get("probes", {})
    if not found:
        return ""
    table = "\n".join(f"| {name} | {value:.4g} |" for name, value in found.items())
    return PROBES.format(step=line["step"], found=table)

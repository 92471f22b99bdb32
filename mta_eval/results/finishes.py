"""How answers ended: by themselves, by their budget of tokens, or by a refusal; and what nobody confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from mta_eval.core import Record
from mta_eval.results.measures import finishes
from mta_eval.results.table import percent_text

LEAST_ADVISED = 64  # tokens of an answer


def finish_lines(records: Sequence[Record]) -> list[str]:
    """A line for each task and model with answers cut by their budget that are not right, or refused; and for each
    model with answers that nobody confirmed the prompt of."""
    groups: dict[tuple[str, str], list[Record]] = {}
    by_model: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault((record.task, record.model), []).append(record)
        by_model.setdefault(record.model, []).append(record)
    lines = [line for (task, model), group in groups.items() for line in _group_lines(task, model, group)]
    for model, group in by_model.items():
        if count := finishes(group).unverified:
            lines.append(
                f"{count} answer{'s' * (count > 1)} of {model} unverified: it did not confirm how many tokens of the "
                "prompt it read"
            )
    return lines


def _group_lines(task: str, model: str, records: Sequence[Record]) -> list[str]:
    counted = finishes(records)
    cut = [record for record in records if record.finish == "length" and (record.score or 0) < 1]
    thoughts = [record for record in cut if record.thought and not record.output]
    answers = [record for record in cut if record.output or not record.thought]
    lines = []
    if answers:
        budget = max(record.max_new_tokens for record in answers)
        share = percent_text(len(answers) / counted.answers)
        lines.append(
            f"{share} of {model}'s answers to {task} are not right and hit their budget of {budget} tokens: "
            f"--answer-tokens {max(LEAST_ADVISED, 4 * budget)}"
        )
    if thoughts:
        share, budget = (
            percent_text(len(thoughts) / counted.answers),
            max(record.output_tokens or 0 for record in thoughts),
        )
        lines.append(
            f"{share} of {model}'s answers to {task} are empty, as the thought before them did not end within its "
            f"{budget} tokens: --thinking-tokens {max(1024, 4 * budget)}, or --thinking off"
        )
    if counted.refused:
        lines.append(f"{percent_text(counted.refused_share)} of {model}'s answers to {task} are refusals")
    return lines

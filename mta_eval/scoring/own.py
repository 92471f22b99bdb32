"""Rules of our own tasks, registered. Each reads answers as people write them, and none forgives a second answer."""

from __future__ import annotations

from difflib import SequenceMatcher

from mta_eval.scoring import matching
from mta_eval.scoring.rules import ScoredOutput, rule


def _needs_choices(scored: ScoredOutput) -> str:
    if len(scored.targets) != 1:
        return "it needs one target"
    return "" if scored.targets[0] in scored.choices else "it needs the choices, the target among them"


@rule("only_choice", source="mta-eval's conjunction and semantic", accepts=_needs_choices)
def _only_choice(scored: ScoredOutput) -> float:
    """The target is the only one of the choices that the output names, each a word or number of its own, any case."""
    named = {choice for choice in scored.choices if matching.all_named(scored.output, [choice])}
    return float(named == set(scored.targets))


@rule("in_order", source="mta-eval's sorted_needles")
def _in_order(scored: ScoredOutput) -> float:
    """The output ends by naming all targets in their order, each as words of its own, in any case.

    What it names before, such as the question repeated, does not count.
    """
    named = matching.mentions(scored.output, scored.targets)
    return float(named[-len(scored.targets) :] == list(scored.targets))


@rule("words_in_order", source="mta-eval's copy")
def _words_in_order(scored: ScoredOutput) -> float:
    """The share of the target's words that the output gives from its beginning, before the first mistake; any case."""
    wanted = matching.plain_words(scored.targets[0])
    said = matching.plain_words(scored.output)
    right = next((n for n, word in enumerate(wanted) if n >= len(said) or said[n] != word), len(wanted))
    return right / len(wanted)


@rule("same_set", source="mta-eval's graph, after GraphWalks' exact match")
def _same_set(scored: ScoredOutput) -> float:
    """The last line of the output lists the targets, all of them, in any order and case, and nothing else.

    What stands before a colon in that line is its beginning: "Final answer: [a, b]".
    """
    listed = matching.last_line(scored.output).rpartition(":")[2]
    items = {" ".join(item.split()) for item in listed.lower().strip(" .[]{}()*`").split(",")}
    return float({item.strip(" .'\"`*") for item in items} == {target.lower() for target in scored.targets})


@rule("mrcr", source="MRCR (OpenAI 2025, openai/mrcr)")
def _mrcr(scored: ScoredOutput) -> float:
    """0 unless the output begins with the target's first word, then how alike the rest is to the target's.

    Alike is twice the matching characters over those of both (difflib's ratio).
    """
    code, _, text = scored.targets[0].partition(" ")
    output = scored.output.strip()
    if not output.startswith(code):
        return 0.0
    return SequenceMatcher(None, output.removeprefix(code).strip(), text).ratio()

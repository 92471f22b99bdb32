"""The published rules by name: what each can mark, where it comes from, and how it marks.

    find_rule("ruler_all").mark(answer) -> 0..1          scores(record) -> every rule that fits one of our records

The marking itself is in `mta_eval.scoring`; our tasks use the same functions.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mta_eval import scoring
from mta_eval.core import Record
from mta_eval.errors import SpecError


class Answer(NamedTuple):
    """What a rule looks at. `qa` is BABILong's task number, None for anything else; `task` the answers' task."""

    output: str
    targets: tuple[str, ...]
    question: str = ""
    qa: int | None = None
    task: str = ""


@dataclass(frozen=True)
class Rule:
    """`mark` gives 0..1. `refuse` says in a few words why an answer is none of the rule's, or "" if it is."""

    name: str
    source: str
    mark: Callable[[Answer], float]
    refuse: Callable[[Answer], str]


def find_rule(name: str) -> Rule:
    """The rule called `name`; `keyword:WORD,WORD` makes one. Raises SpecError, with the nearest name."""
    kind, _, words = name.partition(":")
    if kind == "keyword":
        return _keyword(words)
    if name not in RULES:
        near = difflib.get_close_matches(name, [*RULES, "keyword:WORD"], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise SpecError(f"there is no rule {name!r}{hint} The rules are: {', '.join(RULES)}, keyword:WORD,WORD")
    return RULES[name]


def published_for(answer: Answer) -> tuple[str, ...]:
    """The names of the rules that are published for this kind of answer, its own benchmark's first; maybe none."""
    task = answer.task.partition(":")[0]
    if answer.qa is not None:
        return ("babilong_official", "babilong_lm_eval")
    if task in INFINITEBENCH:
        return (INFINITEBENCH[task],)
    if task == "letter_blocks":
        return ("first_word",)
    if not answer.targets:
        return ()
    # RULER's own metric for its two question-answering tasks, and lm-eval's for the same; all others have one
    return ("ruler_part", "ruler_all") if task.removeprefix("ruler_").startswith("qa_") else ("ruler_all",)


def scores(record: Record) -> dict[str, float]:
    """What every rule that fits `record` makes of its output, by the rule's name; empty where nothing was answered."""
    if record.output is None:
        return {}
    answer = answer_of(record)
    names = OUR_TASKS.get(record.task.partition(":")[0], OTHER_TASKS)
    return {name: RULES[name].mark(answer) for name in names if not RULES[name].refuse(answer)}


def answer_of(record: Record) -> Answer:
    """One of our records as rules see it."""
    is_babilong = record.task.partition(":")[0] == "babilong"
    return Answer(
        output=record.output or "",
        targets=tuple(record.targets),
        question=str(record.axes.get("question", "")),
        qa=int(record.number("qa")) if is_babilong and "qa" in record.axes else None,
        task=record.task,
    )


def _keyword(words: str) -> Rule:
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    if not wanted:
        raise SpecError("the rule keyword needs the words to look for: keyword:sandwich,Dolores Park")
    return Rule(
        f"keyword:{','.join(wanted)}",
        "every given word occurs in the output, in any case",
        lambda answer: scoring.all_contained(answer.output, wanted),
        lambda _: "",
    )


def _official(answer: Answer) -> float:
    labels = scoring.BABILONG_LABELS[answer.qa or 0]
    return scoring.babilong_official(answer.output, answer.targets[0], labels, answer.question)


def _one_label(answer: Answer) -> float:
    labels = scoring.BABILONG_LABELS[answer.qa or 0]
    return scoring.one_label_only(answer.output, answer.targets[0], labels, answer.question)


def _lm_eval_babilong(answer: Answer) -> float:
    return scoring.any_contained(scoring.without_controls(answer.output), [answer.targets[0].strip()])


def _ruler(match: Callable[[str, tuple[str, ...]], float]) -> Callable[[Answer], float]:
    return lambda answer: match(scoring.without_controls(answer.output), answer.targets)


def _refuse_all_but_babilong(answer: Answer) -> str:
    if answer.qa not in scoring.BABILONG_LABELS:
        return "it marks BABILong's qa1 to qa20"
    return "" if len(answer.targets) == 1 else "it needs one target"


def _refuse_without_question(answer: Answer) -> str:
    return _refuse_all_but_babilong(answer) or ("" if answer.question else "it needs the question")


def _refuse_without_target(answer: Answer) -> str:
    return "" if answer.targets else "it needs a target"


def _refuse_all_but_numbers(answer: Answer) -> str:
    numbers = len(answer.targets) == 1 and answer.targets[0].isdecimal()
    return "" if numbers else "it marks answers whose one target is a number"


def _refuse_all_but_words(answer: Answer) -> str:
    words = len(answer.targets) == 1 and len(answer.targets[0].split()) == 1 and answer.qa is None
    return "" if words else "it marks retrieved values of one word"


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "babilong_official",
            "BABILong (Kuratov et al. 2024), booydar/babilong metrics.py: the target is the only label in the first "
            "sentence; labels are plain substrings",
            _official,
            _refuse_without_question,
        ),
        Rule(
            "babilong_lm_eval",
            "lm-evaluation-harness tasks/babilong: the target occurs anywhere in the output",
            _lm_eval_babilong,
            _refuse_all_but_babilong,
        ),
        Rule(
            "babilong_one_label",
            "the rule of mta-eval's own BABILong: babilong_official, but 'none' does not also say 'one'",
            _one_label,
            _refuse_without_question,
        ),
        Rule(
            "ruler_all",
            "RULER string_match_all (Hsieh et al. 2024): the share of the targets that occur in the output; "
            "lm-evaluation-harness marks every RULER task so, question answering included",
            _ruler(scoring.share_contained),
            _refuse_without_target,
        ),
        Rule(
            "ruler_part",
            "RULER string_match_part (Hsieh et al. 2024): one target occurs in the output",
            _ruler(scoring.any_contained),
            _refuse_without_target,
        ),
        Rule(
            "all_contained",
            "every target occurs in the output, in any case (RULER's rule, all or nothing)",
            lambda answer: scoring.all_contained(answer.output, answer.targets),
            _refuse_without_target,
        ),
        Rule(
            "first_word",
            "the exact answer of the MTA paper (Golovneva et al. 2025): the output begins with a target",
            lambda answer: scoring.first_word(answer.output, answer.targets),
            _refuse_without_target,
        ),
        Rule(
            "infinitebench_passkey",
            "InfiniteBench (Zhang et al. 2024) compute_scores.py: the first run of digits is the target",
            lambda answer: scoring.first_integer(answer.output, answer.targets),
            _refuse_all_but_numbers,
        ),
        Rule(
            "infinitebench_number_string",
            "InfiniteBench (Zhang et al. 2024) compute_scores.py: as infinitebench_passkey",
            lambda answer: scoring.first_integer(answer.output, answer.targets),
            _refuse_all_but_numbers,
        ),
        Rule(
            "infinitebench_kv_retrieval",
            "InfiniteBench (Zhang et al. 2024) compute_scores.py: the target is one of the output's words",
            lambda answer: scoring.word_contained(answer.output, answer.targets[0]),
            _refuse_all_but_words,
        ),
    )
}
INFINITEBENCH = {
    "passkey": "infinitebench_passkey",
    "number_string": "infinitebench_number_string",
    **dict.fromkeys(("kv_retrieval", "kv_retrieval_prefix", "kv_retrieval_both"), "infinitebench_kv_retrieval"),
}
OTHER_TASKS = ("ruler_all", "ruler_part", "all_contained", "first_word")
OUR_TASKS = {
    "babilong": ("babilong_official", "babilong_lm_eval", "babilong_one_label", "first_word"),
    "letter_blocks": ("first_word", "ruler_all"),
    "niah": (*OTHER_TASKS, "infinitebench_passkey", "infinitebench_kv_retrieval"),
    "passkey": ("infinitebench_passkey", "first_word", "ruler_all", "infinitebench_kv_retrieval"),
}

"""The rules of published benchmarks and two of our own, registered. Each cleans the output as its own benchmark does.

Of two rules that look alike, those named after a benchmark do what its code does: `ruler_all` turns control characters
into newlines before it looks, `share_contained` takes the output as it is. LongBench's are in `longbench`.
"""

from __future__ import annotations

from mta_eval.scoring import matching
from mta_eval.scoring.rules import ScoredOutput, rule


def _needs_babilong(scored: ScoredOutput) -> str:
    if scored.qa not in matching.BABILONG_LABELS:
        return "it scores BABILong's qa1 to qa20"
    return "" if len(scored.targets) == 1 else "it needs one target"


def _needs_question(scored: ScoredOutput) -> str:
    return _needs_babilong(scored) or ("" if scored.question else "it needs the question")


def _needs_number(scored: ScoredOutput) -> str:
    is_number = len(scored.targets) == 1 and scored.targets[0].isdecimal()
    return "" if is_number else "it scores outputs whose one target is a number"


def _needs_word(scored: ScoredOutput) -> str:
    is_word = len(scored.targets) == 1 and len(scored.targets[0].split()) == 1 and scored.qa is None
    return "" if is_word else "it scores retrieved values of one word"


@rule("babilong_official", source="Kuratov et al. 2024, booydar/babilong metrics.py", accepts=_needs_question)
def _babilong_official(scored: ScoredOutput) -> float:
    """The target is the only label in the first sentence; labels are plain substrings."""
    labels = matching.BABILONG_LABELS[scored.qa or 0]
    return matching.babilong_official(scored.output, scored.targets[0], labels, scored.question)


@rule("babilong_lm_eval", source="lm-evaluation-harness tasks/babilong", accepts=_needs_babilong)
def _babilong_lm_eval(scored: ScoredOutput) -> float:
    """The target occurs anywhere in the output."""
    return matching.any_contained(matching.without_controls(scored.output), [scored.targets[0].strip()])


@rule("babilong_one_label", source="mta-eval's BABILong, after babilong_official", accepts=_needs_question)
def _babilong_one_label(scored: ScoredOutput) -> float:
    """The target is the only label in the first sentence; "none" does not also count as "one"."""
    labels = matching.BABILONG_LABELS[scored.qa or 0]
    return matching.one_label_only(scored.output, scored.targets[0], labels, scored.question)


@rule(
    "ruler_all",
    source="RULER string_match_all (Hsieh et al. 2024); lm-evaluation-harness scores every RULER task so, question "
    "answering included",
)
def _ruler_all(scored: ScoredOutput) -> float:
    """The share of the targets that occur in the output, cleaned of control characters."""
    return matching.share_contained(matching.without_controls(scored.output), scored.targets)


@rule("ruler_part", source="RULER string_match_part (Hsieh et al. 2024)")
def _ruler_part(scored: ScoredOutput) -> float:
    """One target occurs in the output, cleaned of control characters."""
    return matching.any_contained(matching.without_controls(scored.output), scored.targets)


@rule("all_contained", source="RULER's rule, all or nothing")
def _all_contained(scored: ScoredOutput) -> float:
    """Every target occurs in the output, in any case."""
    return matching.all_contained(scored.output, scored.targets)


@rule("any_contained", source="RULER string_match_part (Hsieh et al. 2024), on the output as it is")
def _any_contained(scored: ScoredOutput) -> float:
    """One target occurs in the output, in any case."""
    return matching.any_contained(scored.output, scored.targets)


@rule("share_contained", source="RULER string_match_all (Hsieh et al. 2024), on the output as it is")
def _share_contained(scored: ScoredOutput) -> float:
    """The share of the targets that occur in the output, in any case."""
    return matching.share_contained(scored.output, scored.targets)


@rule("first_word", source="The exact answer of the MTA paper (Golovneva et al. 2025)")
def _first_word(scored: ScoredOutput) -> float:
    """The output begins with a target."""
    return matching.first_word(scored.output, scored.targets)


@rule(
    "infinitebench_passkey",
    source="InfiniteBench (Zhang et al. 2024) compute_scores.py",
    accepts=_needs_number,
)
def _infinitebench_passkey(scored: ScoredOutput) -> float:
    """The first run of digits in the output is the target."""
    return matching.first_integer(scored.output, scored.targets)


@rule(
    "infinitebench_number_string",
    source="InfiniteBench (Zhang et al. 2024) compute_scores.py",
    accepts=_needs_number,
)
def _infinitebench_number_string(scored: ScoredOutput) -> float:
    """The first run of digits in the output is the target, as infinitebench_passkey."""
    return matching.first_integer(scored.output, scored.targets)


@rule(
    "infinitebench_kv_retrieval",
    source="InfiniteBench (Zhang et al. 2024) compute_scores.py",
    accepts=_needs_word,
)
def _infinitebench_kv_retrieval(scored: ScoredOutput) -> float:
    """The target is one of the output's words, in its own case."""
    return matching.word_contained(scored.output, scored.targets[0])


NOLIMA = "NoLiMa (Modarressi et al. 2025, section 4.1), metric"


@rule("nolima_em", source=f"{NOLIMA} EM")
def _nolima_em(scored: ScoredOutput) -> float:
    """The output, its ends bare, is a target, in its own case."""
    return float(scored.output.strip() in scored.targets)


@rule("nolima_contains", source=f"{NOLIMA} contains: its published scores")
def _nolima_contains(scored: ScoredOutput) -> float:
    """One target occurs in the output, in its own case."""
    return float(any(target in scored.output for target in scored.targets))


@rule("nolima_lastline_em", source=f"{NOLIMA} lastline_EM: answers after a chain of thought")
def _nolima_lastline_em(scored: ScoredOutput) -> float:
    """The output's last line is a target, in its own case."""
    return float(matching.last_line(scored.output) in scored.targets)


@rule("nolima_lastline_contains", source=f"{NOLIMA} lastline_contains: answers after a chain of thought")
def _nolima_lastline_contains(scored: ScoredOutput) -> float:
    """One target occurs in the output's last line, in its own case."""
    line = matching.last_line(scored.output)
    return float(any(target in line for target in scored.targets))


@rule("helmet_recall", source="HELMET (Yen et al. 2025, section 2.2) ruler_recall: its RULER tasks but qa_1 and qa_2")
def _helmet_recall(scored: ScoredOutput) -> float:
    """The share of the targets that occur in the output, in any case."""
    return matching.share_contained(scored.output, scored.targets)


@rule("helmet_substring", source="HELMET (Yen et al. 2025) substring_exact_match: JSON KV, RAG, RULER's qa_1 and qa_2")
def _helmet_substring(scored: ScoredOutput) -> float:
    """One target occurs in the output, both without case, punctuation and articles."""
    output = " ".join(matching.squad_words(scored.output))
    return float(any(" ".join(matching.squad_words(target)) in output for target in scored.targets))


@rule("all_named", source="mta-eval's needles in words, after RULER's rule, all or nothing")
def _all_named(scored: ScoredOutput) -> float:
    """Every target is named: a number in any notation ("3,486,456" is 3486456), all else as words of their own."""
    return matching.all_named(scored.output, scored.targets)


@rule("one_number", source="mta-eval's pass keys in words, after infinitebench_passkey", accepts=_needs_number)
def _one_number(scored: ScoredOutput) -> float:
    """The target is said, in any notation of numbers, and no other number with as many digits."""
    return matching.one_number(scored.output, scored.targets[0])

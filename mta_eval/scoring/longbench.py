"""The rules of LongBench (Bai et al. 2024, section 4.1 and metrics.py) and LongBench v2, registered.

Of several targets the one with the highest score counts, as published. The rules for Chinese that take words
(multifieldqa_zh, dureader, vcsum) need its segmenter, see `chinese`; passage_retrieval_zh and lsht take characters.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Sequence

from mta_eval.scoring.chinese import bare_words, cut_words, needs_segmenter
from mta_eval.scoring.matching import squad_words
from mta_eval.scoring.rules import ScoredOutput, needs_targets, rule

SOURCE = "LongBench (Bai et al. 2024) metrics.py"
FIRST_LINE = ("trec", "triviaqa", "samsum", "lsht")  # data sets of which only the answer's first line is scored
SMALL = 1e-8  # in the denominator of ROUGE-L's F, as in the package that LongBench calls
_PARAGRAPH = re.compile(r"(?:Paragraph |段落)(\d+)")
_LETTERS = (re.compile(r"The correct answer is \(([A-D])\)"), re.compile(r"The correct answer is ([A-D])"))


def token_f1(output: Sequence[str], target: Sequence[str]) -> float:
    """F1 of two bags of words: 2PR / (P + R), where P and R are the shared words over those of output and target."""
    shared = (Counter(output) & Counter(target)).total()
    return 2 * shared / (len(output) + len(target)) if shared else 0.0


def rouge_l(output: str, target: str) -> float:
    """ROUGE-L's F (Lin 2004, summary level) as the package `rouge` 1.0 has it, which LongBench calls.

    Sentences end at full stops, words at white space. The union of the longest common subsequences of every pair of
    sentences is a set of words, u of them; with m and n distinct words in target and output, R = u/m, P = u/n,
    F = 2PR / (P + R + 1e-8). 0 where either has no sentence. (Where two sentences have more than about a thousand words
    together, that package runs out of Python's stack, and LongBench counts 0; here they are scored.)
    """
    ours, theirs = _sentences(output), _sentences(target)
    if not ours or not theirs:
        return 0.0
    shared = {word for reference in theirs for sentence in ours for word in _common(reference, sentence)}
    recall = len(shared) / len({word for sentence in theirs for word in sentence})
    precision = len(shared) / len({word for sentence in ours for word in sentence})
    return 2 * precision * recall / (precision + recall + SMALL)


def share_of_numbers(output: str, number: str) -> float:
    """Of all runs of digits in the output, the share that are `number`; 0 without any."""
    numbers = re.findall(r"\d+", output)
    return numbers.count(number) / len(numbers) if numbers else 0.0


def class_named(output: str, target: str, classes: Sequence[str]) -> float:
    """1 / (how many classes the output names) if the target is one of them, else 0.

    A class that is a part of the target's name does not count beside it. As published, of two such classes in a row
    the second stays: the list is cut while it is walked through.
    """
    named = [name for name in classes if name in output]
    place = 0
    while place < len(named):
        if named[place] in target and named[place] != target:
            named.remove(named[place])
        place += 1
    return 1 / len(named) if target in named else 0.0


def code_similarity(output: str, target: str) -> float:
    """Edit similarity of the output's first line of code to the target, in whole hundredths.

    The line is the first that is not blank and holds none of "`", "#", "//". The similarity is 2M/T, with M characters
    in matching blocks of T in both (Python's difflib, which `fuzzywuzzy.fuzz.ratio` calls).
    """
    lines = (line for line in output.split("\n") if line.strip())
    code = next((line for line in lines if not any(mark in line for mark in ("`", "#", "//"))), "")
    return round(100 * difflib.SequenceMatcher(None, code, target).ratio()) / 100


def answer_letter(output: str) -> str:
    """The letter that "The correct answer is (C)" names, or without brackets; asterisks are passed over. "" if none."""
    text = output.replace("*", "")
    found = next((match for match in (pattern.search(text) for pattern in _LETTERS) if match), None)
    return found[1] if found else ""


def dataset_of(task: str) -> str:
    """LongBench's data set in a task's name: "longbench_trec_e" -> "trec"; "" for tasks of others."""
    name = task.partition(":")[0]
    return name.removeprefix("longbench_").removesuffix("_e") if name.startswith("longbench_") else ""


def _best(scored: ScoredOutput, score: Callable[[str, str], float]) -> float:
    output = scored.output
    if dataset_of(scored.task) in FIRST_LINE:
        output = output.lstrip("\n").split("\n")[0]
    return max(score(output, target) for target in scored.targets)


def _needs_chinese(scored: ScoredOutput) -> str:
    return needs_targets(scored) or needs_segmenter()


def _needs_classes(scored: ScoredOutput) -> str:
    return needs_targets(scored) or ("" if scored.choices else "it needs the names of all classes")


def _needs_paragraphs(scored: ScoredOutput) -> str:
    named = all(_PARAGRAPH.search(target) for target in scored.targets)
    return needs_targets(scored) or ("" if named else 'it needs targets such as "Paragraph 3"')


def _needs_letter(scored: ScoredOutput) -> str:
    is_letter = len(scored.targets) == 1 and scored.targets[0] in ("A", "B", "C", "D")
    return "" if is_letter else "it needs one target from A to D"


@rule("longbench_qa_f1", source=f"{SOURCE} qa_f1_score")
def _qa_f1(scored: ScoredOutput) -> float:
    """F1 of the words in output and target, without case, punctuation and articles."""
    return _best(scored, lambda output, target: token_f1(squad_words(output), squad_words(target)))


@rule("longbench_qa_f1_zh", source=f"{SOURCE} qa_f1_zh_score", accepts=_needs_chinese)
def _qa_f1_zh(scored: ScoredOutput) -> float:
    """F1 of the Chinese words in output and target, without marks."""
    return _best(scored, lambda output, target: token_f1(bare_words(output), bare_words(target)))


@rule("longbench_rouge_l", source=f"{SOURCE} rouge_score")
def _rouge_l(scored: ScoredOutput) -> float:
    """ROUGE-L's F of output and target."""
    return _best(scored, rouge_l)


@rule("longbench_rouge_l_zh", source=f"{SOURCE} rouge_zh_score", accepts=_needs_chinese)
def _rouge_l_zh(scored: ScoredOutput) -> float:
    """ROUGE-L's F of the Chinese words in output and target."""
    return _best(scored, lambda output, target: rouge_l(" ".join(cut_words(output)), " ".join(cut_words(target))))


@rule("longbench_classification", source=f"{SOURCE} classification_score", accepts=_needs_classes)
def _classification(scored: ScoredOutput) -> float:
    """The output names the target's class, over how many classes it names."""
    return _best(scored, lambda output, target: class_named(output, target, scored.choices))


@rule("longbench_count", source=f"{SOURCE} count_score")
def _count(scored: ScoredOutput) -> float:
    """The share of the output's numbers that are the target."""
    return _best(scored, share_of_numbers)


@rule("longbench_retrieval", source=f"{SOURCE} retrieval_score", accepts=_needs_paragraphs)
def _retrieval(scored: ScoredOutput) -> float:
    """The share of the output's numbers that are that of the target's paragraph."""
    return _best(scored, lambda output, target: share_of_numbers(output, _PARAGRAPH.findall(target)[0]))


@rule("longbench_code_sim", source=f"{SOURCE} code_sim_score")
def _code_sim(scored: ScoredOutput) -> float:
    """Edit similarity of the output's first line of code to the target, in whole hundredths."""
    return _best(scored, code_similarity)


@rule("longbench_v2", source="LongBench v2 (Bai et al. 2025, section 4.1) pred.py", accepts=_needs_letter)
def _longbench_v2(scored: ScoredOutput) -> float:
    """The output says "The correct answer is (C)" of the right letter; no letter is wrong, not a quarter right."""
    return float(answer_letter(scored.output) == scored.targets[0])


def _sentences(text: str) -> list[list[str]]:
    return [" ".join(sentence.split()).split(" ") for sentence in text.split(".") if sentence]


def _common(reference: Sequence[str], sentence: Sequence[str]) -> set[str]:
    """The words of one longest common subsequence; of several the one found from the ends, reference kept longest."""
    lengths = [[0] * (len(sentence) + 1) for _ in range(len(reference) + 1)]
    for row, word in enumerate(reference, 1):
        for column, other in enumerate(sentence, 1):
            same = lengths[row - 1][column - 1] + 1
            lengths[row][column] = same if word == other else max(lengths[row - 1][column], lengths[row][column - 1])
    row, column, words = len(reference), len(sentence), set()
    while row and column:
        if reference[row - 1] == sentence[column - 1]:
            words.add(reference[row - 1])
            row, column = row - 1, column - 1
        elif lengths[row - 1][column] > lengths[row][column - 1]:
            row -= 1
        else:
            column -= 1
    return words

"""Rows x rules -> tallies of scores and of disagreements. One pass over each file; memory does not grow with rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypedDict

from mta_eval.errors import SpecError, TextError
from mta_eval.rescoring.readers import read_answer_rows
from mta_eval.rescoring.rows import Row, Scores
from mta_eval.rescoring.scorers import STORED, Scorer, find_scorer, find_scorers, is_stored
from mta_eval.rescoring.sources import AnswerFile
from mta_eval.scoring import INFINITEBENCH, published_for

EXAMPLES = 20  # rows kept for each pair of rules, task and direction
LONGEST = 600  # characters kept of an example's output
LARGE, PROCESSES = 100 * 1024**2, 2  # bytes from which a second process is worth its start
DEPTH_DIGITS = 4  # free depths fall together at a hundredth of a per cent, so that cells stay few


class Group(NamedTuple):
    """Answers of one model to one task at one length; `setting` as in `Source`."""

    kind: str
    model: str
    setting: str
    task: str
    length: int | None


class Split(NamedTuple):
    """Two rules side by side in one group. "right" is a full score; what only one gives it, the other does not."""

    first: str
    second: str
    group: Group


class Unscored(NamedTuple):
    """Rows of one group that a rule cannot score, for one reason."""

    group: Group
    rule: str
    reason: str


class Example(TypedDict):
    """A row that two rules score differently, as disagreements.jsonl has it."""

    file: str
    line: int
    kind: str
    model: str
    setting: str
    task: str
    length: int | None
    depth: float | None
    question: str
    targets: list[str]
    output: str
    scores: dict[str, float]


@dataclass
class Rescored:
    """What came out.

    `tallies[group, depth][rule]` counts each score of a draw. `splits` are the counts of (both, only the first, only
    the second, neither) right, `examples` rows where (first rule, second rule, task, whether the first is right)
    differ.
    `unanswered` are rows with neither output nor stored score, scored by no rule; `unscored` rows that one rule cannot
    score. `skipped` are files of a folder that hold no answers; `passed` those that no rule here can score, each with
    the reason. `rules` are the names of those that scored something.
    """

    tallies: dict[tuple[Group, float | None], dict[str, Scores]] = field(default_factory=dict)
    splits: dict[Split, list[int]] = field(default_factory=dict)
    examples: dict[tuple[str, str, str, bool], list[Example]] = field(default_factory=dict)
    unanswered: Counter[Group] = field(default_factory=Counter)
    rules: dict[str, None] = field(default_factory=dict)
    unscored: Counter[Unscored] = field(default_factory=Counter)
    passed: dict[Path, str] = field(default_factory=dict)
    skipped: list[Path] = field(default_factory=list)


def rescore_files(sources: Sequence[AnswerFile], names: Sequence[str], task: str = "") -> Rescored:
    """Score the rows of all `sources` by the rules `names`, or with none by those published for each kind of answer.

    A score that is stored beside an answer counts as the rule "stored", shown unless `names` says what to make of it;
    see `scorers` for thresholds. `task` names the task of files that do not tell it; those of other tasks are left
    out. A file that no rule can score is an error if the user named it, and passed over if it was found in a
    folder. Raises SpecError for a rule that is unknown or scores nothing at all, TextError for a file that is damaged
    or cannot be scored.
    """
    scorers = find_scorers(names)
    rescored = Rescored()
    wanted = [source for source in sources if not (task and source.task and source.task != task)]
    for source, (part, refusal) in zip(wanted, _rescore_each(wanted, list(names), task), strict=True):
        if refusal and source.named:
            raise TextError(refusal)
        if refusal:
            rescored.passed[source.path] = refusal
        else:
            _merge(rescored, part)
    for scorer in scorers:
        if scorer.name not in rescored.rules and (rescored.tallies or not rescored.passed):
            reasons = (reason for _, name, reason in rescored.unscored if name == scorer.name)
            raise SpecError(f"the rule {scorer.name} scores none of these answers: {next(reasons, scorer.description)}")
    if rescored.passed and not rescored.tallies:
        raise TextError(next(iter(rescored.passed.values())))
    if not rescored.tallies and not rescored.unanswered:
        raise TextError(f"no answers{f' to {task}' if task else ''} in {sources[0].path}")
    return rescored


def _rescore_each(sources: Sequence[AnswerFile], names: list[str], task: str) -> Iterator[tuple[Rescored, str]]:
    """`_rescore_source` for every source, in order; several large ones by two processes."""
    rescore = partial(_rescore_source, names=names, task=task)
    if len(sources) == 1 or sum(source.path.stat().st_size for source in sources) < LARGE:
        yield from map(rescore, sources)
        return
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        yield from pool.map(rescore, sources, chunksize=max(1, len(sources) // 64))


def _rescore_source(source: AnswerFile, names: list[str], task: str) -> tuple[Rescored, str]:
    """One file's scores, and why it cannot be scored: "" if it can."""
    named = find_scorers(names)
    beside = None if any(map(is_stored, names)) else find_scorer(STORED)
    part, refusal = Rescored(), ""
    known: dict[tuple[str, int | None], list[Scorer]] = {}
    for row in read_answer_rows(source, task):
        scored = row.scored
        if task and task not in (scored.task, scored.task.partition(":")[0]):
            continue
        group = Group(source.kind, row.model, row.setting, scored.task, row.length)
        if not row.answered and row.stored is None:
            part.unanswered[group] += 1
            continue
        kind = (scored.task, scored.qa)
        if kind not in known:
            known[kind] = named or find_scorers(_published(source, row))
        scores: dict[str, float] = {}
        for scorer in known[kind]:
            if reason := scorer.refuse(row):
                part.unscored[Unscored(group, scorer.name, reason)] += 1
                refusal = refusal or f"the rule {scorer.name} cannot score {str(source.path)!r}: {reason}"
            else:
                scores[scorer.name] = scorer.score(row)
                part.rules[scorer.name] = None
        if beside and STORED not in scores and not beside.refuse(row):
            scores[STORED] = beside.score(row)
        _add(part, group, row, scores, source.path)
    has_scores = bool(part.rules if named else part.tallies)
    if has_scores or not (known or part.tallies):
        return part, ""
    return part, refusal or _no_rule(source, known)


def _published(source: AnswerFile, row: Row) -> tuple[str, ...]:
    if source.kind == "infinitebench" and row.scored.task not in INFINITEBENCH:
        return ()
    return published_for(row.scored)


def _no_rule(source: AnswerFile, tasks: Iterable[tuple[str, int | None]]) -> str:
    task = next((task for task, _ in tasks), "")
    if not task:
        return (
            f"the name of {str(source.path)!r} does not tell its task; give --task, such as {', '.join(INFINITEBENCH)}"
        )
    return f"there is no published rule here for {task} in {str(source.path)!r}, and no stored score; give --rule"


def _add(part: Rescored, group: Group, row: Row, scores: dict[str, float], path: Path) -> None:
    if not scores:
        return
    depth = None if row.depth is None else round(row.depth, DEPTH_DIGITS)
    tally = part.tallies.get((group, depth))
    if tally is None:
        tally = part.tallies[group, depth] = defaultdict(Counter)
    for name, score in scores.items():
        tally[name][score, row.draw] += 1
    for (first, first_score), (second, second_score) in combinations(scores.items(), 2) if len(scores) > 1 else ():
        first_right, second_right = first_score >= 1, second_score >= 1
        split = Split(first, second, group)
        counts = part.splits.get(split)
        if counts is None:
            counts = part.splits[split] = [0, 0, 0, 0]
        counts[2 * (not first_right) + (not second_right)] += 1
        if first_right != second_right:
            examples = part.examples.setdefault((first, second, group.task, first_right), [])
            if len(examples) < EXAMPLES:
                examples.append(_example(group, row, scores, path))


def _example(group: Group, row: Row, scores: dict[str, float], path: Path) -> Example:
    output = row.scored.output
    return {
        "file": str(path),
        "line": row.line,
        "kind": group.kind,
        "model": group.model,
        "setting": group.setting,
        "task": group.task,
        "length": group.length,
        "depth": row.depth,
        "question": row.scored.question,
        "targets": list(row.scored.targets),
        "output": output if len(output) <= LONGEST else output[:LONGEST] + " …",
        "scores": scores,
    }


def _merge(rescored: Rescored, part: Rescored) -> None:
    for key, tally in part.tallies.items():
        total = rescored.tallies.setdefault(key, defaultdict(Counter))
        for name, counts in tally.items():
            total[name].update(counts)
    for split, outcomes in part.splits.items():
        rescored.splits[split] = [a + b for a, b in zip(rescored.splits.get(split, [0] * 4), outcomes, strict=True)]
    for case, examples in part.examples.items():
        merged = rescored.examples.setdefault(case, [])
        merged.extend(examples[: EXAMPLES - len(merged)])
    rescored.unanswered.update(part.unanswered)
    rescored.unscored.update(part.unscored)
    rescored.rules |= part.rules

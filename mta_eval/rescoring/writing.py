"""Rescored answers -> the folder that `mta-eval rescore` leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mta_eval.errors import StoreError
from mta_eval.rescoring import pictures, tables, tallies
from mta_eval.rescoring.leaderboard import NOTE as LEADERBOARD_NOTE
from mta_eval.rescoring.leaderboard import Leaderboard, leaderboard_markdown, leaderboards, of_models
from mta_eval.rescoring.scorers import STORED, find_scorer
from mta_eval.rescoring.scoring import Rescored
from mta_eval.results.csv_text import csv_text
from mta_eval.results.table import markdown_table, markdown_text
from mta_eval.whole_files import write_text

FEW = 3  # models whose own tables stand on the page itself
MOST_IMAGES, MOST_EXAMPLES = 12, 8  # heatmaps, and tables of examples, on the page
SHOWN = 3  # examples of each pair of rules and direction in rescore.md; all kept ones are in disagreements.jsonl
NOTES = """\
Every stored row counts, doubled ones too; an empty output is an answer, a missing one is not and is scored by no rule.
Intervals are of 95 %: Wilson's where all scores are 0 or 1, else the t interval of the mean.
In the tables of disagreements "right" is a full score.
"""


def write_rescored(rescored: Rescored, out: Path, top: int | None = None) -> list[Path]:
    """Writes rescore.md, rescore.csv, disagreements.jsonl and the heatmaps into `out`; returns what was written.

    Of more than FEW models the page has the comparison, and models.md each model by itself. With `top` they show the
    first so many of each leaderboard; CSV and JSON lines hold all. Raises StoreError if that cannot be done.
    """
    boards = leaderboards(rescored)
    shown = rescored
    if top is not None:
        shown = of_models(rescored, {one.model for board in boards for one in board.standings[:top]})
    try:
        out.mkdir(parents=True, exist_ok=True)
        drawn, left_out = pictures.draw_all(shown, out)
        page, frame, rows = out / "rescore.md", out / "rescore.csv", out / "disagreements.jsonl"
        details = "\n".join(tables.sections(shown))
        apart = [out / "models.md"] if has_many_models(shown) else []
        for path in apart:
            write_text(path, f"# Scored again: each model by itself\n\n{details}")
        comparison = _comparison(shown, boards, top) + ("" if apart else f"\n{details}")
        write_text(page, _page(shown, comparison, drawn, left_out))
        write_text(frame, csv_text(tallies.rescored_frame(rescored)))
        write_text(rows, "".join(_lines(rescored)))
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror}") from error
    return [page, *apart, frame, rows, *drawn]


def has_many_models(rescored: Rescored) -> bool:
    """Whether each model's own tables would hide the comparison."""
    return len({tables.title_of(group) for group, _ in rescored.tallies}) > FEW


def _comparison(rescored: Rescored, boards: Sequence[Leaderboard], top: int | None) -> str:
    """The leaderboards, then models x tasks where each model has a file of its own."""
    parts = [f"## Leaderboard\n\n{LEADERBOARD_NOTE}"]
    parts += [f"### {markdown_text(board.title)}\n\n{leaderboard_markdown(board, top)}" for board in boards]
    if has_many_models(rescored):
        parts.append(f"## Tasks\n\nMeans over lengths; models.md has each length.\n\n{tables.by_task(rescored)}")
        if missing := tables.unscored_text(rescored, {one.group for one in rescored.unscored}):
            parts.append(missing)
    return "\n".join(parts)


def _page(rescored: Rescored, comparison: str, drawn: Sequence[Path], left_out: int) -> str:
    parts = ["# Scored again\n", _rules_text(rescored), comparison]
    if not has_many_models(rescored) and (best := tables.best_settings(rescored)):
        parts.append(f"## BABILong: the best prompt\n\n{best}")
    if differ := tables.disagreements(rescored):
        parts.append(f"## Where the rules disagree\n\n{differ}{_examples(rescored)}")
    if drawn:
        images = [path for path in drawn if path.suffix == ".png"]
        shown = "\n".join(f"![{path.stem}]({path.name})" for path in images[:MOST_IMAGES])
        more = f"\n\n{len(images) - MOST_IMAGES} more are in this folder." if len(images) > MOST_IMAGES else ""
        more += f"\n\n{left_out} more are not drawn; --models or --top draws those of fewer." if left_out else ""
        parts.append(f"## Heatmaps\n\n{shown}{more}\n")
    return "\n".join(parts)


def _rules_text(rescored: Rescored) -> str:
    names = dict.fromkeys((*rescored.rules, *(name for tally in rescored.tallies.values() for name in tally)))
    shown = [*(name for name in names if name != STORED), *([STORED] if STORED in names else [])]
    text = "".join(f"- `{name}`: {find_scorer(name).description}\n" for name in shown) + "\n" + NOTES
    if missing := sum(rescored.unanswered.values()):
        text += f"\n{missing} rows hold no output and are left out.\n"
    if rescored.skipped:
        text += f"\nFiles skipped, as they hold no answers: {', '.join(map(str, rescored.skipped))}\n"
    if rescored.passed:
        reasons = "".join(f"- {reason}\n" for reason in rescored.passed.values())
        text += f"\nFiles that no rule here scores:\n\n{reasons}"
    return text


def _examples(rescored: Rescored) -> str:
    text = ""
    for (first, second, task, first_right), examples in [*rescored.examples.items()][:MOST_EXAMPLES]:
        right, wrong = (first, second) if first_right else (second, first)
        rows = [
            [f"{row['file']}:{row['line']}", row["question"], ", ".join(row["targets"]), row["output"][:200]]
            for row in examples[:SHOWN]
        ]
        table = markdown_table(["row", "question", "target", "output"], rows, left=4)
        text += f"#### {markdown_text(task)}: right by {right}, not by {wrong}\n\n{table}\n"
    if len(rescored.examples) > MOST_EXAMPLES:
        text += "Examples of the other tasks and rules are in disagreements.jsonl.\n"
    return text


def _lines(rescored: Rescored) -> list[str]:
    return [
        json.dumps({"right": first if right else second, "wrong": second if right else first, **example}) + "\n"
        for (first, second, _, right), examples in rescored.examples.items()
        for example in examples
    ]

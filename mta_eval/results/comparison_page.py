"""A comparison -> a folder to read: compare.html, compare.md, compare.csv, disagreements.csv, pictures of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mta_eval.core import Run
from mta_eval.errors import StoreError
from mta_eval.results.comparison import (
    HEAD,
    LEVEL,
    Compared,
    Pairs,
    comparison_frame,
    comparison_rows,
)
from mta_eval.results.csv_text import csv_text
from mta_eval.results.finishes import finish_lines
from mta_eval.results.page.build import PageOptions
from mta_eval.results.page.make import make_page
from mta_eval.results.pictures.difference import draw_pairs
from mta_eval.results.table import markdown_table, markdown_text, model_text, slug_of
from mta_eval.results.verdicts import (
    DISAGREEMENT_HEAD,
    disagreeing_pairs,
    disagreement_frame,
    disagreement_rows,
    verdict,
)
from mta_eval.whole_files import write_parts, write_text

Asked = Sequence[tuple[str, Run]]
Folders = Mapping[str, str]
LISTED = 30  # samples on the page

METHOD = (
    "Pairs of answers to the same samples. Difference: second minus first, in points of per cent, with the 95 % "
    "interval of the paired bootstrap over draws (the depths of one draw share needles and text). p: McNemar's exact "
    "test on the pairs that one of them alone has right; where pairs share a draw, or scores lie between 0 and 1, the "
    "signs of whole draws flipped (exact up to 13 draws that differ). Holm: p corrected for the number of tasks, or of "
    f"a task's cells; * is under {LEVEL}. The difference that would have been seen: from the width of the interval."
)


def conclusions(compared: Sequence[Compared], pairs: Pairs, first: str, second: str) -> list[str]:
    """A verdict for each task, the cells that surely differ, and what was left out, a line for each."""
    lines = [verdict(row, first, second) for row in compared if row.whole]
    cells = [row for row in compared if not row.whole]
    better, worse = (sum(row.differs and sign * row.gap.mean > 0 for row in cells) for sign in (1, -1))
    if better or worse:
        lines.append(f"of {len(cells)} cells {model_text(second)} is surely better in {better}, worse in {worse}")
    left_out = [
        (pairs.only_first, f"samples that only {model_text(first)} was asked"),
        (pairs.only_second, f"samples that only {model_text(second)} was asked"),
        (pairs.unscored, "samples that one of them could not answer"),
    ]
    lines += [f"left out: {count} {what}" for count, what in left_out if count]
    return lines + finish_lines([record for pair in pairs.pairs for record in pair])


def write_comparison(
    pairs: Pairs,
    compared: Sequence[Compared],
    names: tuple[str, str],
    x: str,
    y: str,
    out: Path,
    runs: Sequence[tuple[str, Run]] = (),
    folders: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes the comparison of two models into the folder `out`, made if need be; returns the paths.

    `runs` (name, question) and `folders` (name -> path) are told on compare.html, which opens with the comparison.
    Raises StoreError if `out` cannot be written.
    """
    page, table, listed = out / "compare.md", out / "compare.csv", out / "disagreements.csv"
    whole, lines = out / "compare.html", conclusions(compared, pairs, *names)
    pictures: dict[str, Path] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for task in dict.fromkeys(row.task for row in compared):
            taken = {path.stem.removeprefix("difference_") for path in pictures.values()}
            path = out / f"difference_{slug_of(task, taken)}"
            pictures[task], _ = _draw(task, pairs, compared, x, y, path)
        write_text(table, csv_text(comparison_frame(compared, x, y)))
        write_text(listed, csv_text(disagreement_frame(disagreeing_pairs(pairs.pairs))))
        write_parts(whole, _whole_page(pairs, lines, names, (x, y), runs, folders or {}))
        write_text(page, _page(pairs, compared, names, x, y, pictures))
    except OSError as error:
        raise StoreError(f"cannot write to {error.filename or out}: {error.strerror or error}") from error
    return [whole, page, table, listed, *pictures.values()]


def _whole_page(
    pairs: Pairs, lines: Sequence[str], names: tuple[str, str], axes: tuple[str, str], runs: Asked, folders: Folders
) -> Iterator[str]:
    """compare.html: the page of a report, of both models, that opens with their comparison."""
    records = [pair[side] for side in (0, 1) for pair in pairs.pairs]
    start = f"view=compare&a={quote(names[0], safe='')}&b={quote(names[1], safe='')}"
    title = f"{model_text(names[0])} and {model_text(names[1])}"
    options = PageOptions(title, folders=folders, start=start, lines=lines)
    return make_page(records, *axes, runs, options)


def _draw(task: str, pairs: Pairs, compared: Sequence[Compared], x: str, y: str, path: Path) -> tuple[Path, Path]:
    sure = {(row.x, row.y) for row in compared if row.task == task and not row.whole and row.differs}
    return draw_pairs([pair for pair in pairs.pairs if pair.first.task == task], x, y, sure, path)


def _page(
    pairs: Pairs, compared: Sequence[Compared], names: tuple[str, str], x: str, y: str, pictures: dict[str, Path]
) -> str:
    first, second = (markdown_text(model_text(name)) for name in names)
    parts = [f"# {first} and {second}\n", f"First: {first}. Second: {second}.\n", METHOD + "\n"]
    parts += [f"- {markdown_text(line)}" for line in conclusions(compared, pairs, *names)]
    wholes, cells = ([row for row in compared if row.whole is whole] for whole in (True, False))
    parts += ["", markdown_table(HEAD, comparison_rows(wholes, x, y), left=2)]
    parts += [f"## {markdown_text(task)}\n\n![second minus first]({path.name})\n" for task, path in pictures.items()]
    differing = disagreeing_pairs(pairs.pairs)
    shown = f"{min(len(differing), LISTED)} of {len(differing)}; all are in disagreements.csv"
    parts += [f"## Samples on which they disagree\n\n{shown}.\n"]
    parts += [markdown_table(DISAGREEMENT_HEAD, disagreement_rows(differing[:LISTED]), left=6)]
    parts += ["## Cells\n", markdown_table(HEAD, comparison_rows(cells, x, y), left=2)]
    return "\n".join(parts)

"""Records -> a folder to read: pictures, report.md, grid.csv and report.html, one page that needs no network.

Where texts were read, perplexity.csv too.

Knows no run folder: whoever calls has read the records, and has made the names of the models unique.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mta_eval.core import Record, Run
from mta_eval.errors import StoreError
from mta_eval.results.csv_text import csv_text
from mta_eval.results.exports import score_frame
from mta_eval.results.findings import Findings, findings_of
from mta_eval.results.finishes import finish_lines
from mta_eval.results.grid import check_axes
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule
from mta_eval.results.mistake_table import mistakes_markdown
from mta_eval.results.page.build import (
    Inlined,
    Look,
    PageOptions,
    build_page,
    inline_look,
    inline_picture,
)
from mta_eval.results.page.identity import COST_HEAD, Facts, answer_costs, cost_rows, facts_of
from mta_eval.results.page.sections import Section, make_sections
from mta_eval.results.perplexity_table import perplexity_frame, perplexity_markdown
from mta_eval.results.pictures.built_in import PICTURES
from mta_eval.results.pictures.gallery import Picture, draw_gallery
from mta_eval.results.summary import Summary, summaries, summary_markdown
from mta_eval.results.table import markdown_table, markdown_text, to_markdown
from mta_eval.results.true_depths import depth_lines
from mta_eval.whole_files import write_parts, write_text


def write_report(
    records: Sequence[Record],
    out: Path,
    x: str = "length",
    y: str = "depth",
    runs: Sequence[tuple[str, Run]] = (),
    look: Callable[[str, Path], list[str]] | None = None,
    reload: int = 0,
    length_rule: LengthRule = LENGTH_RULE,
    title: str = "",
    folders: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes the report of `records` into the folder `out`, made if need be; returns the paths, report.html first.

    `x` and `y` are the axes of the heatmaps and tables, all others are averaged away; a task without one of them gets
    a single row or column "any". `runs` (name, run) tell what was run. `look(task, path)` draws where the models look
    in a sample of a task, and says what it found (nothing, if no model can be looked into). With `reload` the page
    loads itself again after so many seconds. `title` "" is made of tasks and models; `folders` has the path of each of
    `runs`, for the commands that the page offers. Where every sample failed the report says so and lists the errors.
    Raises StoreError if there are no records or `out` cannot be written, SpecError if no record has `x` or `y`, or if
    `length_rule`, which says when a length holds, has no shares.
    """
    length_rule.check()
    if not records:
        raise StoreError("nothing to report: the run has no records yet; repeat its command to go on with it")
    check_axes(records, x, y)
    sections = make_sections(records, x, y)
    facts = facts_of(records, runs)
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = draw_gallery(records, out, x, y)
        html, markdown, table = out / "report.html", out / "report.md", out / "grid.csv"
        looks = _looks(sections, out, look)
        summary, findings = summaries(records), findings_of(records, length_rule)
        options = PageOptions(title, reload, folders or {})
        inlined = _inlined(sections, pictures, looks)
        page = build_page(records, sections, summary, findings, facts, runs, inlined, options)
        write_parts(html, page)
        text = _markdown(records, sections, pictures, looks, summary, findings, facts)
        write_text(markdown, text)
        scores = score_frame({section.name: section.grids for section in sections})
        write_text(table, csv_text(scores))
        tables = [table]
        if not (read := perplexity_frame(records)).empty:
            tables.append(out / "perplexity.csv")
            write_text(tables[-1], csv_text(read))
    except OSError as error:
        raise StoreError(f"cannot write the report to {error.filename or out}: {error.strerror or error}") from error
    return [html, markdown, *tables, *_files(pictures), *(one.path for one in looks if one)]


def _files(pictures: Sequence[Picture]) -> list[Path]:
    paths = (picture.svg.with_suffix(suffix) for picture in pictures for suffix in (".png", ".svg", ".pdf"))
    return [path for path in paths if path.exists()]


def _inlined(sections: Sequence[Section], pictures: Sequence[Picture], looks: Sequence[Look | None]) -> list[Inlined]:
    """What the page does not draw itself: pictures of other packages, and attention."""
    slugs, drawn = {section.name: section.slug for section in sections}, {kind.name for kind in PICTURES}
    others = [inline_picture(one, slugs.get(one.task, "")) for one in pictures if one.kind not in drawn]
    return others + [
        inline_look(look, section.slug) for look, section in zip(looks, sections, strict=True) if look is not None
    ]


def _looks(sections: Sequence[Section], out: Path, look: Callable[[str, Path], list[str]] | None) -> list[Look | None]:
    paths = [out / f"attention_{section.slug}.svg" for section in sections]
    found = [look(section.name, path) if look else [] for section, path in zip(sections, paths, strict=True)]
    return [Look(path, lines) if lines else None for path, lines in zip(paths, found, strict=True)]


def _markdown(
    records: Sequence[Record],
    sections: Sequence[Section],
    pictures: Sequence[Picture],
    looks: Sequence[Look | None],
    summary: Sequence[Summary],
    findings: Findings,
    facts: Facts,
) -> str:
    parts = ["# Report of mta-eval\n", "## What was run\n"]
    for heading, rows in facts:
        parts += [f"### {markdown_text(heading)}\n", markdown_table(("what", "value"), rows, left=2)]
    parts += ["### Cost\n", markdown_table(COST_HEAD, cost_rows(answer_costs(records)), left=1)]
    parts += [
        "## Summary\n",
        summary_markdown(summary),
        *(f"- {markdown_text(line)}\n" for line in (*finish_lines(records), *depth_lines(records))),
    ]
    if read := perplexity_markdown(records):
        parts += ["### Perplexity\n", read]
    if findings.rows:
        parts += [markdown_table(findings.head, findings.rows, left=2), f"{findings.note}\n"]
    names = {section.name for section in sections}
    parts += [_shown(picture) for picture in pictures if picture.task not in names]
    for section, look in zip(sections, looks, strict=True):
        parts.append(f"## {markdown_text(section.name)}\n")
        if section.failed_count == len(section.records):
            parts.append(f"Nothing was scored: all {section.failed_count} samples failed.\n")
        if errors := section.errors():
            rows = [(str(count), error) for error, count in errors]
            parts += ["### Errors\n", markdown_table(("samples", "error"), rows, left=0)]
        parts += [_shown(picture) for picture in pictures if picture.task == section.name]
        for grid in section.grids:
            parts += [f"### {markdown_text(grid.title)}\n", to_markdown(grid, intervals=True)]
        if look:
            parts += ["### Attention on one sample\n", f"![attention]({look.path.name})\n"]
            parts += [*(f"- {line}" for line in look.lines), ""]
    parts += ["## Wrong answers\n", mistakes_markdown(records)]
    return "\n".join(parts)


def _shown(picture: Picture) -> str:
    return f"![{markdown_text(picture.title)}]({picture.slug}.png)\n\n{picture.note}\n"

"""Sections, figures and facts -> the text of report.html. Knows no folder but its own, and no run."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from mta_eval import scoring
from mta_eval.core import Record, Run
from mta_eval.results.findings import Findings
from mta_eval.results.finishes import finish_lines
from mta_eval.results.grid import PSEUDO_AXES
from mta_eval.results.labels import stored_model
from mta_eval.results.mistakes import KINDS
from mta_eval.results.page.data import BLOCK, LISTED, Places, make_blocks, make_columns, pack, places_of
from mta_eval.results.page.figures import family_figures, heat_json, task_figures
from mta_eval.results.page.identity import COST_HEAD, Facts, answer_costs, cost_rows, days_of, page_title
from mta_eval.results.page.matrix import matrix_of
from mta_eval.results.page.names import shown
from mta_eval.results.page.sections import Section
from mta_eval.results.page.standing import RANK_NOTE
from mta_eval.results.page.template import HERE, template
from mta_eval.results.page.verdicts import verdicts_json
from mta_eval.results.perplexity_table import NOTE as PERPLEXITY_NOTE
from mta_eval.results.perplexity_table import perplexity_rows
from mta_eval.results.pictures.gallery import Picture
from mta_eval.results.summary import SUMMARY_HEAD, Summary, summary_columns, summary_texts
from mta_eval.results.table import CUT_NOTE, axis_text, grid_texts
from mta_eval.results.true_depths import depth_lines

# in this order: they share one scope
SCRIPTS = (
    *("base.js", "state.js", "store.js", "colours.js", "marks.js", "heat.js", "lines.js", "tests.js"),
    *("overview.js", "task.js", "compare.js", "samples.js", "list.js", "sample.js", "download.js", "main.js"),
)
STYLES = ("page.css", "views.css", "pane.css", "print.css")
BROAD = 500  # points: a picture that is wider is not made smaller for a phone, its card scrolls


@dataclass(frozen=True)
class Look:
    """The models' attention on a sample of one task: a picture, and what it shows in words."""

    path: Path
    lines: list[str]


@dataclass(frozen=True)
class Inlined:
    """A picture that stands in the page as it was drawn; `section` is the slug of its task, "" for several."""

    section: str
    title: str
    note: str
    svg: Markup
    broad: bool
    lines: Sequence[str] = ()
    plain: bool = False


@dataclass(frozen=True)
class PageOptions:
    """How a page is shown: its `title` ("": made of tasks and models), seconds after which it loads itself again (0:
    never), the path of each run by its name, the view it opens with (a hash without #), lines to stand first, and the
    address of the page of all runs ("": there is none)."""

    title: str = ""
    reload: int = 0
    folders: Mapping[str, str] = field(default_factory=dict)
    start: str = ""
    lines: Sequence[str] = ()
    home: str = ""


def build_page(
    records: Sequence[Record],
    sections: Sequence[Section],
    summary: Sequence[Summary],
    findings: Findings,
    facts: Facts,
    runs: Sequence[tuple[str, Run]] = (),
    inlined: Sequence[Inlined] = (),
    options: PageOptions = PageOptions(),
) -> Iterator[str]:
    """The text of report.html in parts as they are made.

    `summary` is that of summary.py, `findings` those of findings.py, `facts` those of identity.py.
    """
    places = places_of(records)
    style = "".join((HERE / name).read_text("utf-8") for name in STYLES)
    script = script_text()
    return template("page.html.j2").generate(
        options=options,
        title=options.title or page_title(records),
        days=days_of(runs),
        style=Markup(style),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        counts=_counts(records),
        matrix=matrix_of(records, sections, findings.rule),
        rank_note=RANK_NOTE,
        summary_head=[SUMMARY_HEAD[column] for column in summary_columns(summary)],
        finish_lines=[*finish_lines(records), *depth_lines(records)],
        summary=list(_summary(summary)),
        findings_head=findings.head,
        findings_note=findings.note,
        findings=findings.rows,
        perplexity=perplexity_rows(records),
        perplexity_note=PERPLEXITY_NOTE,
        sections=sections,
        tables=[[(shown(grid.title), *grid_texts(grid, intervals=True)) for grid in one.grids] for one in sections],
        inlined=inlined,
        facts=facts,
        cost_head=COST_HEAD,
        costs=cost_rows(answer_costs(records)),
        cut_note=CUT_NOTE,
        models=len(places.values["model"]),
        data=pack(_data(records, sections, places, options)),
        blocks=make_blocks(sections, runs, options.folders),
    )


def script_text() -> str:
    """What the page runs: its parts in one scope that nothing outside can reach."""
    parts = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def inline_picture(picture: Picture, section: str) -> Inlined:
    """A picture drawn here, ready to stand in a page. Raises OSError if the file cannot be read."""
    return Inlined(section, picture.title, picture.note, *_inline(picture.svg, picture.title))


def inline_look(look: Look, section: str) -> Inlined:
    """The models' attention, ready to stand in a page. Raises OSError if the file cannot be read."""
    title = "Attention on one sample"
    about = "Where the question's last tokens look, model by model"
    return Inlined(section, title, about, *_inline(look.path, about), lines=look.lines, plain=True)


def _inline(svg: Path, title: str) -> tuple[Markup, bool]:
    """The SVG, whose texts were escaped by matplotlib; two pictures of one page must not share ids."""
    text = svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    wide = re.search(r'width="([\d.]+)pt"', text)
    text = re.sub(r"<style.*?</style>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<g id="(?:[a-z]+\.)?([A-Za-z]\w*?)_\d+"', r'<g class="\1"', text)
    text = re.sub(r' id="cell:[^"]*"', "", text)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return Markup(text), wide is not None and float(wide[1]) > BROAD


def _data(
    records: Sequence[Record], sections: Sequence[Section], places: Places, options: PageOptions
) -> dict[str, Any]:
    """What the script draws from; lists of texts beside the columns whose numbers are places in them."""
    models = [str(model) for model in places.values["model"]]
    texts = {name: [axis_text(name, value) for value in places.values[name]] for name in LISTED[2:]}
    return {
        "start": options.start,
        "block": BLOCK,
        "tasks": places.values["task"],
        "models": models,
        "names": [shown(model) for model in models],
        "specs": _specs(records),
        **texts,
        "kinds": KINDS,
        "rules": {name: scoring.find(name).description for name in scoring.names()},
        "sections": [_section(section, places) for section in sections],
        "families": list(family_figures(records, places)),
        "verdicts": verdicts_json(records, models),
        "columns": make_columns(sections, places),
    }


def _specs(records: Sequence[Record]) -> dict[str, str]:
    """The specs of models that are shown under another name."""
    specs = {record.model: stored_model(record) for record in records}
    return {name: spec for name, spec in specs.items() if spec != name}


def _section(section: Section, places: Places) -> dict[str, Any]:
    by_task = "task" not in (section.grids[0].x, section.grids[0].y)
    pseudo = {section.grids[0].x, section.grids[0].y} & set(PSEUDO_AXES)
    return {
        "slug": section.slug,
        "name": section.name,
        "text": shown(section.name),
        "task": places.at["task"].get(section.name, -1),
        "read": all(record.was_read for record in section.records if record.score is not None),
        "mini": not pseudo,
        "heat": heat_json(section.grids, places),
        "figures": task_figures(section, places) if by_task else [],
        "mistakes": [[kind, [[places.at["model"][m], n] for m, n in row]] for kind, row in section.mistakes()],
        "errors": section.errors(),
        "failed": section.failed_count,
        "count": len(section.records),
    }


def _counts(records: Sequence[Record]) -> list[str]:
    tasks, models = ({getattr(record, name) for record in records} for name in ("task", "model"))
    failed = sum(record.score is None for record in records)
    counts = [(len(tasks), "task"), (len(models), "model"), (len(records), "sample")]
    texts = [f"{count:,} {what}{'s' * (count != 1)}" for count, what in counts]
    return [*texts, f"{failed:,} without a score"] if failed else texts


def _summary(summary: Sequence[Summary]) -> Iterator[list[tuple[str, float | None]]]:
    """For each row of the summary its (text, number to sort by)."""
    columns = summary_columns(summary)
    for row in summary:
        numbers = [row.accuracy, row.accuracy, row.samples, row.failed, row.truncated]
        numbers += [row.unfinished, row.refused, row.unverified, row.seconds, row.memory]
        measured = [None, None, *(None if math.isnan(number) else float(number) for number in numbers)]
        cells = list(zip(summary_texts(row), measured, strict=True))
        yield [cells[column] for column in columns]

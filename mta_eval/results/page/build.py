"""Sections, pictures and facts -> the text of report.html. Knows no folder but its own, and no run."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from mta_eval.core import Record, Run
from mta_eval.results.findings import Findings
from mta_eval.results.finishes import finish_lines
from mta_eval.results.mistakes import KINDS
from mta_eval.results.page.data import make_blocks, make_index, script_json
from mta_eval.results.page.sections import Place, Section, cell_label
from mta_eval.results.perplexity_table import NOTE as PERPLEXITY_NOTE
from mta_eval.results.perplexity_table import perplexity_rows
from mta_eval.results.pictures.gallery import Picture
from mta_eval.results.summary import SUMMARY_HEAD, Summary, summary_columns, summary_texts
from mta_eval.results.table import CUT_NOTE, GAP, axis_text, cell_texts, model_text
from mta_eval.results.true_depths import depth_lines

HERE = Path(__file__).parent
SCRIPTS = ("page.js", "list.js", "sample.js")  # in this order
LONGEST_OUTPUT = 400  # characters of an answer in an example
BROAD = 500  # points: a picture that is wider is not made smaller for a phone, its card scrolls
Facts = Sequence[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class Look:
    """The models' attention on a sample of one task: a picture, and what it shows in words."""

    path: Path
    lines: list[str]


@dataclass(frozen=True)
class PageCell:
    """One cell of a table: its text, and its label and address where it has samples to open."""

    text: str
    label: str
    address: str | None


@dataclass(frozen=True)
class Shown:
    """One picture in the page."""

    title: str
    note: str
    svg: Markup
    broad: bool


def build_page(
    records: Sequence[Record],
    sections: Sequence[Section],
    pictures: Sequence[Picture],
    looks: Sequence[Look | None],
    summary: Sequence[Summary],
    findings: Findings,
    facts: Facts,
    runs: Sequence[tuple[str, Run]],
    reload: int = 0,
) -> Iterator[str]:
    """The text of report.html in parts as they are made; it loads itself again after `reload` seconds, if any.

    `looks` go with `sections`, `summary` is that of table.py, `findings` those of findings.py; a picture of no section
    stands before them all.
    Raises OSError if the SVG of a picture cannot be read.
    """
    style, script = (HERE / "page.css").read_text("utf-8"), _script()
    slugs = {section.name: section.slug for section in sections}
    shown: dict[str, list[Shown]] = {name: [] for name in ("", *slugs)}
    for picture in pictures:
        task = picture.task if picture.task in slugs else ""
        shown[task].append(inline_picture(picture.svg, picture.title, picture.note, slugs.get(task, "")))
    attention = "Where the question's last tokens look, model by model"
    return _template().generate(
        reload=reload,
        style=Markup(style),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        counts=_counts(records),
        summary_head=[SUMMARY_HEAD[column] for column in summary_columns(summary)],
        finish_lines=[*finish_lines(records), *depth_lines(records)],
        summary=list(_summary(summary)),
        findings_head=findings.head,
        findings_note=findings.note,
        findings=findings.rows,
        perplexity=perplexity_rows(records),
        perplexity_note=PERPLEXITY_NOTE,
        sections=[
            (section, shown[section.name], list(_tables(section)), look and inline_picture(look.path, attention), look)
            for section, look in zip(sections, looks, strict=True)
        ],
        overall=shown[""],
        facts=facts,
        kinds=KINDS,
        cut_note=CUT_NOTE,
        index=script_json({**make_index(sections), "pictures": _addresses(pictures, slugs)}),
        blocks=make_blocks(sections, runs),
    )


def inline_picture(svg: Path, title: str, note: str = "", slug: str = "") -> Shown:
    """A picture drawn here, ready to stand in a page; its texts were escaped by matplotlib.

    Two pictures of one page must not share ids: matplotlib's counted ones become classes, and a heatmap's cells carry
    `data-cell="<slug>:<grid>:<row>:<column>"`. Raises OSError if the file cannot be read.
    """
    text = svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    wide = re.search(r'width="([\d.]+)pt"', text)
    text = re.sub(r"<style.*?</style>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'id="cell:[^"]*?:(\d+:\d+:\d+)"', rf'data-cell="{slug}:\1"', text)
    text = re.sub(r'<g id="(?:[a-z]+\.)?([A-Za-z]\w*?)_\d+"', r'<g class="\1"', text)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return Shown(title, note, Markup(text), wide is not None and float(wide[1]) > BROAD)


def _addresses(pictures: Sequence[Picture], slugs: dict[str, str]) -> dict[str, str]:
    """The section of each picture, by slug: a link may name a cell as its picture does."""
    return {picture.slug: slugs[picture.task] for picture in pictures if picture.task in slugs}


def _counts(records: Sequence[Record]) -> list[str]:
    tasks, models = ({getattr(record, name) for record in records} for name in ("task", "model"))
    failed = sum(record.score is None for record in records)
    counts = [(len(tasks), "task"), (len(models), "model"), (len(records), "sample")]
    texts = [f"{count:,} {what}{'s' * (count != 1)}" for count, what in counts]
    return [*texts, f"{failed:,} without a score"] if failed else texts


def _summary(summary: Sequence[Summary]) -> Iterator[tuple[list[tuple[str, float | None]], list[float] | None]]:
    """For each row of the summary its (text, number to sort by) and its (mean, low, high) in per cent."""
    shown = summary_columns(summary)
    for row in summary:
        numbers = [row.accuracy, row.accuracy, row.samples, row.failed, row.truncated]
        numbers += [row.unfinished, row.refused, row.unverified, row.seconds, row.memory]
        measured = [None, None, *(None if math.isnan(number) else float(number) for number in numbers)]
        bar = None if math.isnan(row.accuracy) else [100 * share for share in (row.accuracy, row.low, row.high)]
        cells = list(zip(summary_texts(row), measured, strict=True))
        yield [cells[column] for column in shown], bar


def _tables(section: Section) -> Iterator[tuple[str, str, list[str], list[tuple[str, list[PageCell]]], bool]]:
    """For each grid: title, corner, heads of the columns, rows (head, cells), and whether prompts were cut."""
    filled = set(section.places)
    for number, grid in enumerate(section.grids):
        rows = [
            (
                axis_text(grid.y, grid.ys[row]),
                [_cell(section, Place(number, row, column), text, filled) for column, text in enumerate(texts)],
            )
            for row, texts in enumerate(cell_texts(grid, intervals=True))
        ]
        heads = [axis_text(grid.x, value) for value in grid.xs]
        yield model_text(grid.title), f"{grid.y} \\ {grid.x}", heads, rows, any(map(any, grid.truncated))


def _cell(section: Section, place: Place, text: str, filled: set[Place]) -> PageCell:
    address = ":".join(map(str, (section.slug, *place))) if place in filled else None
    text = "failed" if text == GAP and address else text
    return PageCell(text, cell_label(section, place), address)


def _script() -> str:
    """What the page runs: its parts in one scope that nothing outside can reach."""
    parts = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _template() -> jinja2.Template:
    # Autoescape always: model answers are shown, and nobody knows what a model says.
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "shorten": _shorten,
        "breakable": _breakable,
        "quoted": lambda text: quote(text, safe=""),
        "model_text": model_text,
    }
    return pages.get_template("page.html.j2")


def _shorten(text: str) -> str:
    rest = len(text) - LONGEST_OUTPUT
    return text if rest <= 0 else f"{text[:LONGEST_OUTPUT]}… ({rest} more characters)"


def _breakable(text: str) -> Markup:
    """`text`, escaped, that a narrow page may break where a spec has its joints."""
    return Markup(re.sub(r"([,:=/](?!/))", r"\1<wbr>", str(escape(text))))

"""Records -> a folder to read: pictures, report.md, grid.csv and report.html, one page that needs no network.

Knows no run folder: whoever calls has read the records, and has made the names of the models unique.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from mta_eval.core import Grid, Record, Run
from mta_eval.errors import StoreError
from mta_eval.results.grid import axis_values, check_axes, grids_by_model, group_by_task
from mta_eval.results.heatmap import draw
from mta_eval.results.table import (
    CUT_NOTE,
    SUMMARY_HEAD,
    axis_text,
    cell_texts,
    length_text,
    markdown_table,
    summary_markdown,
    summary_rows,
    to_frame,
    to_markdown,
)

MOST_SHOWN = 10  # wrong answers, and failed samples, for each task
LONGEST_OUTPUT = 400  # characters of an answer


@dataclass(frozen=True)
class Section:
    """What the report says about one task. `wrong` and `failed` are what is shown of `wrong_count`, `failed_count`."""

    name: str
    slug: str
    grids: list[Grid]
    wrong: list[Record]
    wrong_count: int
    failed: list[Record]
    failed_count: int


@dataclass(frozen=True)
class Look:
    """The models' attention on a sample of one task: a picture, and what it shows in words."""

    path: Path
    svg: Markup
    lines: list[str]


def write_report(
    records: Sequence[Record],
    out: Path,
    x: str = "length",
    y: str = "depth",
    runs: Sequence[tuple[str, Run]] = (),
    look: Callable[[str, Path], list[str]] | None = None,
) -> list[Path]:
    """Writes the report of `records` into the folder `out`, made if need be; returns the paths, report.html first.

    `x` and `y` are the axes of every picture and table, all others are averaged away; a task without one of them gets
    a single row or column "any". `runs` (name, run) tell what was run. `look(task, path)` draws where the models look
    in a sample of a task, and says what it found (nothing, if no model can be looked into). Raises StoreError if no
    record has a score or `out` cannot be written, SpecError if no record has `x` or `y`.
    """
    if all(record.score is None for record in records):
        raise StoreError("nothing to report: no sample has a score yet; look at the errors of the run, or run it again")
    check_axes(records, x, y)
    template = _template()
    sections = _sections(records, x, y)
    facts = _facts(records, runs)
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = [draw(section.grids, section.name, out / f"heatmap_{section.slug}") for section in sections]
        html, markdown, table = out / "report.html", out / "report.md", out / "grid.csv"
        looks = _looks(sections, out, look)
        shown = [(_inline(svg), seen) for (_, svg), seen in zip(pictures, looks, strict=True)]
        html.write_text(_page(template, records, sections, shown, facts), encoding="utf-8", errors="replace")
        markdown.write_text(_markdown(records, sections, looks, facts), encoding="utf-8", errors="replace")
        table.write_text(_tidy(sections).to_csv(index=False), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the report to {error.filename or out}: {error.strerror or error}") from error
    return [html, markdown, table, *(path for pair in pictures for path in pair), *(one.path for one in looks if one)]


def _looks(sections: Sequence[Section], out: Path, look: Callable[[str, Path], list[str]] | None) -> list[Look | None]:
    paths = [out / f"attention_{section.slug}.svg" for section in sections]
    found = [look(section.name, path) if look else [] for section, path in zip(sections, paths, strict=True)]
    return [Look(path, _inline(path), lines) if lines else None for path, lines in zip(paths, found, strict=True)]


def _sections(records: Sequence[Record], x: str, y: str) -> list[Section]:
    sections: list[Section] = []
    for name, group in group_by_task(records, x, y).items():
        wrong = [record for record in group if record.score is not None and record.score < 1]
        failed = [record for record in group if record.error is not None]
        slug = _slug(name, {section.slug for section in sections})
        shown = _spread(wrong), _spread(failed)
        grids = grids_by_model(group, x, y)
        sections.append(Section(name, slug, grids, shown[0], len(wrong), shown[1], len(failed)))
    return sections


def _slug(name: str, taken: set[str]) -> str:
    """`name` as part of a file name: letters, digits and underscores, unlike any that is `taken`."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:80] or "task"
    slug, number = plain, 2
    while slug in taken:
        slug, number = f"{plain}_{number}", number + 1
    return slug


def _spread(records: Sequence[Record]) -> list[Record]:
    """At most MOST_SHOWN of `records`, evenly over all: the first ones would be one model at one length."""
    count = min(len(records), MOST_SHOWN)
    return [records[index * len(records) // count] for index in range(count)]


def _facts(records: Sequence[Record], runs: Sequence[tuple[str, Run]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """What was run: (heading, [(what, value), …]) for each run, or one made from the records alone."""
    if runs:
        return [(name, _run_facts(run)) for name, run in runs]
    axes = [name for name in ("length", "depth") if any(name in record.axes for record in records)]
    swept = [(f"{name}s", _list(axis_text(name, value) for value in axis_values(records, name))) for name in axes]
    return [
        (
            "Records",
            [
                ("tasks", _list(str(task) for task in axis_values(records, "task"))),
                ("models", _list(str(model) for model in axis_values(records, "model"))),
                *swept,
            ],
        )
    ]


def _run_facts(run: Run) -> list[tuple[str, str]]:
    facts = [
        ("tasks", _list(run.tasks)),
        ("models", _list(run.models)),
        ("lengths", _list(length_text(length) for length in run.sweep.lengths)),
        ("depths", _list(axis_text("depth", depth) for depth in run.sweep.depths)),
        ("repeats", str(run.sweep.repeats)),
        ("seed", str(run.sweep.seed)),
        ("answer mode", run.answer),
        ("prompts over the window", run.over_length),
        ("mta-eval", run.version),
        *((f"tokenizer of {model}", fingerprint) for model, fingerprint in run.tokenizers.items()),
        *((name, _value_text(value)) for name, value in run.environment.items()),
    ]
    return [(name, value) for name, value in facts if value]


def _value_text(value: Any) -> str:
    if isinstance(value, dict):
        return _list(f"{name} {_value_text(part)}" for name, part in value.items())
    return _list(map(_value_text, value)) if isinstance(value, list | tuple) else str(value)


def _list(texts: Iterable[str]) -> str:
    # A spec holds commas itself ("niah:needles=4,text=essays"), so a dot stands between.
    return " · ".join(texts)


def _tidy(sections: Sequence[Section]) -> pd.DataFrame:
    """Every cell of every grid under one head: task, model, the two axes, mean, low, high, count, truncated."""
    frames = []
    for section in sections:
        frame = to_frame(section.grids)
        if "model" not in frame:
            frame = frame.rename(columns={"title": "model"})
        if "task" not in frame:
            frame.insert(0, "task", section.name)
        frames.append(frame.astype(object))
    return pd.concat(frames, ignore_index=True)


def _markdown(
    records: Sequence[Record],
    sections: Sequence[Section],
    looks: Sequence[Look | None],
    facts: Sequence[tuple[str, list[tuple[str, str]]]],
) -> str:
    parts = ["# Report of mta-eval\n", "## What was run\n"]
    for heading, rows in facts:
        parts += [f"### {heading}\n", markdown_table(("what", "value"), rows, left=2)]
    parts += ["## Summary\n", summary_markdown(records)]
    for section, look in zip(sections, looks, strict=True):
        parts += [f"## {section.name}\n", f"![scores of {section.slug}](heatmap_{section.slug}.png)\n"]
        for grid in section.grids:
            parts += [f"### {grid.title}\n", to_markdown(grid, intervals=True)]
        if look:
            parts += ["### Attention on one sample\n", f"![attention]({look.path.name})\n"]
            parts += [*(f"- {line}" for line in look.lines), ""]
    return "\n".join(parts)


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    # Autoescape always: model answers are shown, and nobody knows what a model says.
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    pages.filters |= {"shorten": _shorten, "breakable": _breakable}
    return pages.get_template("report.html.j2")


def _shorten(text: str) -> str:
    rest = len(text) - LONGEST_OUTPUT
    return text if rest <= 0 else f"{text[:LONGEST_OUTPUT]}… ({rest} more characters)"


def _breakable(text: str) -> Markup:
    """`text`, escaped, that a narrow page may break where a spec has its joints."""
    return Markup(re.sub(r"([,:=/](?!/))", r"\1<wbr>", str(escape(text))))


def _page(
    template: jinja2.Template,
    records: Sequence[Record],
    sections: Sequence[Section],
    shown: Sequence[tuple[Markup, Look | None]],
    facts: Sequence[tuple[str, list[tuple[str, str]]]],
) -> str:
    return template.render(
        facts=facts,
        summary_head=SUMMARY_HEAD,
        summary=summary_rows(records),
        sections=[(section, *pictures) for section, pictures in zip(sections, shown, strict=True)],
        axis_text=axis_text,
        cell_texts=cell_texts,
        cut_note=CUT_NOTE,
    )


def _inline(svg: Path) -> Markup:
    """The <svg> element of a picture drawn here, ready to stand in a page; its texts were escaped by matplotlib."""
    text = svg.read_text(encoding="utf-8")
    return Markup(text[text.index("<svg") :])

"""Records -> every picture that they can fill, each with a sentence that says what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.comparison import differing, pair_up
from mta_eval.results.grid import check_axes, grids_by_model, group_by_task
from mta_eval.results.pictures.answers import by_sign, hits_by_needle
from mta_eval.results.pictures.charts import BANDS, Plan, by_depth, by_length, by_needles, by_qa, models_of
from mta_eval.results.pictures.difference import draw_pairs
from mta_eval.results.pictures.heatmap import draw
from mta_eval.results.pictures.lines import draw_charts
from mta_eval.results.pictures.positions import draw_positions, lines_by_position
from mta_eval.results.table import model_text, slug_of

READ_SCORE = "1 / perplexity"  # what the score of a window that was read is


class Picture(NamedTuple):
    """One picture of a gallery: `svg` with a PNG and a PDF of the same name beside it.

    `task` is "" for a picture over several tasks; `slug` is the name of its files without suffix, unlike any other in
    the gallery; `note` says in one sentence what is shown, what the bands are and how many samples stand behind it.
    """

    task: str
    title: str
    slug: str
    svg: Path
    note: str


def draw_gallery(records: Sequence[Record], out: Path, x: str = "length", y: str = "depth") -> list[Picture]:
    """Draws into the folder `out`, made if need be, every picture that `records` can fill; none is empty.

    First those over several tasks, then those of each task, its heatmap first. Heatmaps and differences span `x`
    (columns) and `y` (rows). Files are `<kind>_<task>.png`, `.svg` and `.pdf`, and `Picture.slug` is `<kind>_<task>`.

    The cells of a heatmap are elements of its SVG with the id `cell:<slug>:<model index>:<row>:<column>`, all counted
    from 0 as in `grids_by_model(group_by_task(records, x, y)[task], x, y)` (`grids[model].ys[row]`, `.xs[column]`); an
    unmeasured cell has one too. Those of a matrix of hits begin with `hits:`, of a difference with `difference:`.

    Raises SpecError if no record has `x` or `y`, StoreError if `out` cannot be written.
    """
    check_axes(records, x, y)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror or error}") from error
    pictures: list[Picture] = []
    for plan in (*by_needles(records), *by_qa(records)):
        pictures.append(_draw_plan(plan, out, pictures))
    tasks: list[Picture] = []
    for task, group in group_by_task(records, x, y).items():
        if any(record.score is not None for record in group):
            tasks += _of_task(task, group, out, (x, y), [*pictures, *tasks])
    return pictures + tasks


def _of_task(
    task: str, records: Sequence[Record], out: Path, axes: tuple[str, str], taken: Sequence[Picture]
) -> list[Picture]:
    over_tasks = "task" in axes
    found: list[Picture] = [_heatmap(task, records, out, axes, taken)]
    found += _difference(task, records, out, axes, [*taken, *found])
    if over_tasks:
        return [picture._replace(task="") for picture in found]
    for plan in (by_depth(task, records), by_length(task, records), by_sign(task, records)):
        if plan is not None and not _all_read(records):  # on axes to 100 % perplexities would look alike
            found.append(_draw_plan(plan, out, [*taken, *found]))
    found += _hits(task, records, out, [*taken, *found])
    found += _positions(task, records, out, [*taken, *found])
    return found


def _heatmap(
    task: str, records: Sequence[Record], out: Path, axes: tuple[str, str], taken: Sequence[Picture]
) -> Picture:
    slug = _slug("heatmap", task, taken)
    read = _all_read(records)
    measure = READ_SCORE if read else "mean score"
    heading = f"{task}: {READ_SCORE}" if read else task
    _, svg = draw(grids_by_model(records, *axes), heading, out / slug, measure)
    mean = f"Mean of {READ_SCORE}" if read else "Mean score"
    note = f"{mean} by {axes[0]} and {axes[1]}, a panel for each model; hatched cells were not measured"
    title = f"{READ_SCORE if read else 'Score'} by {' and '.join(axes)}"
    return Picture(task, title, slug, svg, _sentence(note, _scored(records)))


def _difference(
    task: str, records: Sequence[Record], out: Path, axes: tuple[str, str], taken: Sequence[Picture]
) -> Iterator[Picture]:
    """The difference of the two models, if there are just two and they answered the same samples."""
    models = models_of(records)
    if len(models) != 2 or "model" in axes:
        return
    first, second = ([record for record in records if record.model == model] for model in models)
    try:
        pairs = pair_up(first, second).pairs
    except StoreError:  # nothing in common
        return
    slug = _slug("difference", task, taken)
    _, svg = draw_pairs(pairs, *axes, differing(pairs, *axes), out / slug)
    title = f"{model_text(models[1])} minus {model_text(models[0])}"
    read = _all_read(records)
    means = f"means of {READ_SCORE}, in points of per cent," if read else "mean scores in points"
    note = f"Difference of their {means} on the same samples; framed cells differ after Holm's correction"
    yield Picture(
        task, title, slug, svg, _sentence(note, len(pairs), "pairs of windows" if read else "pairs of answers")
    )


def _hits(task: str, records: Sequence[Record], out: Path, taken: Sequence[Picture]) -> Iterator[Picture]:
    hits = hits_by_needle(records)
    if hits is not None:
        slug = _slug("hits", task, taken)
        _, svg = draw(hits.grids, f"{task}: hits by needle", out / slug, "share found", "hits")
        yield Picture(task, "Hits by needle", slug, svg, _sentence(hits.what, hits.samples))


def _positions(task: str, records: Sequence[Record], out: Path, taken: Sequence[Picture]) -> Iterator[Picture]:
    lines = lines_by_position(records)
    if lines:
        slug = _slug("positions", task, taken)
        _, svg, _ = draw_positions(lines, f"{task}: perplexity by position in the window", out / slug)
        note = "Perplexity by how many tokens of the window come before, all domains together, a line for each model"
        windows = sum(bool(record.positions) for record in records)
        yield Picture(task, "Perplexity by position", slug, svg, _sentence(note, windows, "windows"))


def _draw_plan(plan: Plan, out: Path, taken: Sequence[Picture]) -> Picture:
    slug = _slug(plan.kind, plan.name, taken)
    _, svg, _ = draw_charts(plan.charts, plan.heading, plan.axis, plan.y_name, plan.note, out / slug)
    title = plan.heading.removeprefix(f"{plan.name}: ")
    note = f"{plan.what}, a line for each model" + (f"; {BANDS}" if plan.note == BANDS else "")
    return Picture(plan.task, title[:1].upper() + title[1:], slug, svg, _sentence(note, plan.samples))


def _slug(kind: str, name: str, taken: Sequence[Picture]) -> str:
    return slug_of(f"{kind} {name}", {picture.slug for picture in taken})


def _all_read(records: Sequence[Record]) -> bool:
    """Whether texts were read here and nothing was answered, so that a score is no accuracy."""
    return all(record.was_read for record in records if record.score is not None)


def _scored(records: Sequence[Record]) -> int:
    return sum(record.score is not None for record in records)


def _sentence(what: str, count: int, counted: str = "samples") -> str:
    first, space, rest = counted.partition(" ")
    return f"{what}; {count:,} {first.removesuffix('s') if count == 1 else first}{space}{rest}."

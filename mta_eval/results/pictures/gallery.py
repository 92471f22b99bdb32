"""Records -> every picture that they can fill, each with a sentence that says what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.results.grid import check_axes, group_by_task
from mta_eval.results.pictures.registry import PictureKind, Subject, find, names
from mta_eval.results.table import slug_of


class Picture(NamedTuple):
    """One picture of a gallery: `svg` with a PNG and a PDF of the same name beside it.

    `task` is "" for a picture over several tasks; `slug` is the name of its files without suffix, unlike any other in
    the gallery; `note` says in one sentence what is shown, what the bands are and how many samples stand behind it.
    `kind` is the name under which it is registered.
    """

    task: str
    title: str
    slug: str
    svg: Path
    note: str
    kind: str = ""


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
    kinds = [find(name) for name in names()]
    pictures: list[Picture] = []
    for kind in kinds:
        if kind.scope == "run":
            pictures += _draw(kind, Subject("", records, x, y), out, pictures)
    for task, group in group_by_task(records, x, y).items():
        if any(record.score is not None for record in group):
            for kind in kinds:
                if kind.scope == "grid" or (kind.scope == "task" and "task" not in (x, y)):
                    pictures += _draw(kind, Subject(task, group, x, y), out, pictures)
    return [picture._replace(task="") for picture in pictures] if "task" in (x, y) else pictures


def _draw(kind: PictureKind, subject: Subject, out: Path, drawn: Sequence[Picture]) -> list[Picture]:
    pictures: list[Picture] = []
    for drawing in kind.drawings(subject):
        name = f"{kind.name.removeprefix('by_')} {drawing.name or subject.task}"
        slug = slug_of(name, {picture.slug for picture in (*drawn, *pictures)})
        drawing.draw(out / slug)
        pictures.append(Picture(subject.task, drawing.title, slug, out / f"{slug}.svg", drawing.note, kind.name))
    return pictures

"""The pictures that mta-eval draws itself, in the order of a report."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mta_eval.errors import StoreError
from mta_eval.results.comparison import differing, pair_up
from mta_eval.results.grid import grids_by_model
from mta_eval.results.lift import lifts
from mta_eval.results.pictures import answers, charts
from mta_eval.results.pictures.difference import draw_pairs
from mta_eval.results.pictures.heatmap import draw_heatmap
from mta_eval.results.pictures.lines import draw_charts
from mta_eval.results.pictures.positions import draw_positions, lines_by_position
from mta_eval.results.pictures.registry import Drawing, Subject, picture
from mta_eval.results.table import model_text

READ_SCORE = "1 / perplexity"  # what the score of a window that was read is


@picture("heatmap", needs=("score",), scope="grid")
def heatmap(subject: Subject) -> Drawing:
    """The score by two axes, a subplot for each model."""
    task, axes, read = subject.task, (subject.x, subject.y), subject.only_read
    measure = READ_SCORE if read else "accuracy"
    heading = f"{task}: {READ_SCORE if read else 'accuracy'}"
    mean = f"Mean of {READ_SCORE}" if read else "Accuracy"
    note = f"{mean} by {axes[0]} and {axes[1]}, a subplot for each model; hatched cells were not measured"
    title = f"{READ_SCORE if read else 'Accuracy'} by {' and '.join(axes)}"
    scored = sum(record.score is not None for record in subject.records)

    def draw_into(path: Path) -> object:
        return draw_heatmap(grids_by_model(subject.records, *axes), heading, path, measure)

    return Drawing(title, _sentence(note, scored), draw_into)


@picture("difference", needs=("score",), scope="grid")
def difference_picture(subject: Subject) -> Drawing | None:
    """The difference of two models by two axes, if there are just two and they answered the same samples."""
    models, axes = charts.models_of(subject.records), (subject.x, subject.y)
    if len(models) != 2 or "model" in axes:
        return None
    first, second = ([record for record in subject.records if record.model == model] for model in models)
    try:
        pairs = pair_up(first, second).pairs
    except StoreError:  # nothing in common
        return None
    title, read = f"{model_text(models[1])} minus {model_text(models[0])}", subject.only_read
    means = f"means of {READ_SCORE}, in points of per cent," if read else "accuracy in points"
    note = f"Difference of their {means} on the same samples; framed cells differ after Holm's correction"
    note = _sentence(note, len(pairs), "pairs of windows" if read else "pairs of answers")
    return Drawing(title, note, lambda path: draw_pairs(pairs, *axes, differing(pairs, *axes), path))


@picture("lift", needs=("answers",))
def lift_picture(subject: Subject) -> Iterator[Drawing]:
    """What each model has beyond the best baseline that was asked the same samples, by two axes."""
    if "model" in (subject.x, subject.y):
        return
    for model, lift in lifts(subject.records).items():
        title = f"{model_text(model)}: lift over {model_text(lift.baseline)}"
        note = f"Its accuracy minus that of {lift.baseline}, the best baseline, in points, on the same samples"
        framed = differing(lift.pairs, subject.x, subject.y)
        draw = partial(draw_pairs, lift.pairs, subject.x, subject.y, framed)
        yield Drawing(title, _sentence(note, len(lift.pairs), "pairs of answers"), draw, f"{subject.task}_{model}")


@picture("by_depth", needs=("answers", "depth"))
def by_depth_picture(subject: Subject) -> Drawing | None:
    """Accuracy by depth, a line for each model and a chart for each length."""
    return _charts(charts.by_depth(subject.task, subject.records))


@picture("by_length", needs=("answers", "length"))
def by_length_picture(subject: Subject) -> Drawing | None:
    """Accuracy by length, all depths together, a line for each model."""
    return _charts(charts.by_length(subject.task, subject.records))


@picture("by_needles", scope="run")
def by_needles_picture(subject: Subject) -> Iterator[Drawing]:
    """Accuracy by number of needles, over tasks that differ in nothing else (Figure 3 of the MTA paper)."""
    yield from filter(None, map(_charts, charts.by_needles(subject.records)))


@picture("by_qa", scope="run")
def by_qa_picture(subject: Subject) -> Iterator[Drawing]:
    """Accuracy by length for each question of BABILong (Figures 5 and 7 of the MTA paper)."""
    yield from filter(None, map(_charts, charts.by_qa(subject.records)))


@picture("by_sign", needs=("answers",))
def by_sign_picture(subject: Subject) -> Drawing | None:
    """How often each letter or digit of the answer is right, by its place."""
    return _charts(answers.by_sign(subject.task, subject.records))


@picture("hits", needs=("needles",))
def hits(subject: Subject) -> Drawing | None:
    """How often each needle's value is in the answer, by the needle's place in the context."""
    matrix = answers.hits_by_needle(subject.records)
    if matrix is None:
        return None
    heading = f"{subject.task}: hits by needle"
    note = _sentence(matrix.what, matrix.samples)
    return Drawing(
        "Hits by needle", note, lambda path: draw_heatmap(matrix.grids, heading, path, "share found", "hits")
    )


@picture("positions", needs=("positions",))
def positions_picture(subject: Subject) -> Drawing | None:
    """Perplexity by position in the window, a line for each model."""
    lines = lines_by_position(subject.records)
    if not lines:
        return None
    heading = f"{subject.task}: perplexity by position in the window"
    note = "Perplexity by how many tokens of the window come before, all domains together, a line for each model"
    windows = sum(bool(record.positions) for record in subject.records)
    note = _sentence(note, windows, "windows")
    return Drawing("Perplexity by position", note, lambda path: draw_positions(lines, heading, path))


PICTURES = (
    heatmap,
    difference_picture,
    lift_picture,
    by_depth_picture,
    by_length_picture,
    by_needles_picture,
    by_qa_picture,
    by_sign_picture,
    hits,
    positions_picture,
)


def _charts(plan: charts.ChartPlan | None) -> Drawing | None:
    if plan is None:
        return None
    title = plan.heading.removeprefix(f"{plan.name}: ")
    note = f"{plan.what}, a line for each model" + (f"; {charts.BANDS}" if plan.note == charts.BANDS else "")
    note = _sentence(note, plan.samples)

    def draw_into(path: Path) -> object:
        return draw_charts(plan.charts, plan.heading, plan.axis, plan.y_name, plan.note, path)

    return Drawing(title[:1].upper() + title[1:], note, draw_into, plan.name)


def _sentence(what: str, count: int, counted: str = "samples") -> str:
    first, space, rest = counted.partition(" ")
    return f"{what}; {count:,} {first.removesuffix('s') if count == 1 else first}{space}{rest}."

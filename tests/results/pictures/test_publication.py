import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from mta_eval.core import QuotedNeedle, Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.labels import Labels
from mta_eval.results.pictures import figure_heatmap, figure_lines
from mta_eval.results.pictures.charts import by_distance, by_needles
from mta_eval.results.pictures.figure_style import LEAST, STYLES
from mta_eval.results.pictures.publication import draw_figures, read_pictures


def record(task: str, model: str, length: int, depth: float, score: float | None = 1.0, facts: int = 0) -> Record:
    axes = {"length": length, "depth": depth, "repeat": 0}
    places = (10, 10 + facts)
    needles = [QuotedNeedle("k", "7", "7", place, place + 1, 0.5, True) for place in places] if facts else []
    error = None if score is not None else "out of memory"
    return Record("id", task, model, axes, ["7"], "7", score, 100, 8, 0.5, error=error, needles=needles)


def records(models: int = 2) -> list[Record]:
    return [
        record(task, f"m{model}", length, depth, None if (length, depth) == (1024, 1.0) else float(model > 0))
        for model in range(models)
        for task in ("niah", "niah:needles=4")
        for length in (512, 1024)
        for depth in (0.0, 1.0)
    ]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures that are drawn, by the name of their files; nothing is written."""
    drawn: dict[str, Figure] = {}

    def keep(figure: Figure, path: Path) -> list[Path]:
        drawn[path.name] = figure
        return [path]

    for module in (figure_heatmap, figure_lines):
        monkeypatch.setattr(module, "save", keep)
    return drawn


def sizes(figure: Figure) -> list[float]:
    texts = [*figure.texts, *(text for axes in figure.axes for text in (*axes.texts, axes.title))]
    ticks = [text for axes in figure.axes for text in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return [text.get_fontsize() for text in (*texts, *ticks) if text.get_text()]


@pytest.mark.parametrize("style", list(STYLES.values()), ids=list(STYLES))
def test_figures_have_the_size_of_their_place_and_no_text_is_too_small(
    style: object, figures: dict[str, Figure], tmp_path: Path
) -> None:
    style = STYLES[getattr(style, "name", "")]
    draw_figures(records(), tmp_path, ("heatmap", "needles"), style)
    assert set(figures) == {"heatmap_niah", "heatmap_niah_needles_4", "needles_niah"}
    for figure in figures.values():
        assert figure.get_size_inches()[0] == style.width
        assert figure.get_size_inches()[1] <= style.height
        assert min(sizes(figure)) >= LEAST
        assert figure.texts[0].get_text().startswith("niah")


def test_only_what_was_asked_is_written(tmp_path: Path) -> None:
    written = draw_figures(records(), tmp_path, ("needles",), STYLES["column"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "needles_niah.pdf",
        "needles_niah.png",
        "needles_niah.svg",
    ]
    assert sorted(written) == sorted(tmp_path.iterdir())
    width = re.search(r'width="([\d.]+)pt"', (tmp_path / "needles_niah.svg").read_text())
    assert width
    assert float(width[1]) == pytest.approx(72 * 3.3)


def test_a_bar_is_as_tall_as_the_panels_and_gaps_are_hatched(figures: dict[str, Figure], tmp_path: Path) -> None:
    draw_figures(records(), tmp_path, ("heatmap",), STYLES["column"])
    figure = figures["heatmap_niah"]
    *panels, bar = figure.axes
    assert [panel.get_title() for panel in panels] == ["m0", "m1"]
    ends = max(panel.get_position().y1 for panel in panels), min(panel.get_position().y0 for panel in panels)
    assert (bar.get_position().y1, bar.get_position().y0) == pytest.approx(ends)
    assert [sum(bool(patch.get_hatch()) for patch in panel.patches or panel.artists) for panel in panels] == [1, 1]
    named = [[text.get_text() for text in panel.get_xticklabels() if text.get_text()] for panel in panels]
    assert named == [[], ["512", "1K"]]


def test_many_models_are_a_grid_that_fits_a_page(figures: dict[str, Figure], tmp_path: Path) -> None:
    many = [
        record("niah", f"m{n}", length, depth / 10) for n in range(12) for length in (512, 1024) for depth in range(11)
    ]
    draw_figures(many, tmp_path, ("heatmap",), STYLES["column"])
    assert list(figures) == ["heatmap_niah"]
    assert len(figures["heatmap_niah"].axes) == 13
    figures.clear()
    draw_figures([record("niah", f"m{n}", 512, d / 10) for n in range(30) for d in range(9)], tmp_path, ("heatmap",))
    assert all(figure.get_size_inches()[1] <= STYLES["page"].height for figure in figures.values())


def test_bands_have_edges_and_many_lines_have_bars(figures: dict[str, Figure], tmp_path: Path) -> None:
    draw_figures(records(2), tmp_path, ("needles",))
    banded = figures["needles_niah"].axes[0]
    assert len(banded.collections) == 2
    draw_figures(records(4), tmp_path, ("needles",))
    barred = figures["needles_niah"].axes[0]
    assert not barred.collections
    starts = [line.get_xdata()[0] for line in barred.lines if line.get_marker() not in ("", "None", None)]
    assert len(set(starts)) == 4


def test_labels_of_tasks_do_not_hide_their_needles() -> None:
    shown = Labels({}, {"niah": "One", "niah:needles=4": "Four"}).shown(records())
    (plan,) = by_needles(shown)
    assert (plan.name, list(plan.axis.texts)) == ("niah", ["1", "4"])


def test_distance_is_from_the_first_fact_to_the_last() -> None:
    made = [record("babilong:qa=2", "m", 512, 0.0, float(n < 5), facts=n + 1) for n in range(10)]
    plan = by_distance("babilong:qa=2", made)
    assert plan is not None
    assert list(plan.axis.texts) == ["2", "4", "6", "8", "10"]
    assert [point.mean for point in plan.charts[0].lines["m"].values()] == [1, 1, 0.5, 0, 0]
    assert by_distance("niah", records()) is None


def test_what_cannot_be_drawn_is_one_line(tmp_path: Path) -> None:
    assert read_pictures("heatmap, by_depth,heatmap") == ("heatmap", "depth")
    assert "needles" in read_pictures("")
    with pytest.raises(SpecError, match="did you mean 'heatmap'"):
        read_pictures("heatmaps")
    with pytest.raises(SpecError, match="no font is called 'No Such Font'"):
        draw_figures(records(), tmp_path, ("heatmap",), font="No Such Font")
    with pytest.raises(SpecError, match="nothing to show as 'qa'"):
        draw_figures(records(), tmp_path, ("qa",))
    with pytest.raises(StoreError, match="no records yet"):
        draw_figures([], tmp_path, ("qa",))

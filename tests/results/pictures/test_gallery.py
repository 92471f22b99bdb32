from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from quoted_needles import quoted

from mta_eval.core import Record
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.grid import grids_by_model
from mta_eval.results.pictures.gallery import Picture, draw_gallery

pytestmark = pytest.mark.usefixtures("quick_pdfs")


def record(task: str, model: str, score: float | None, needles: int = 1, **axes: Any) -> Record:
    places = " ".join(f"{name}={value}" for name, value in axes.items())
    known = [quoted(f"{n}234", 10 * n, n == 1, f"k{n} is {n}234") for n in range(1, needles + 1)]
    output = None if score is None else "1234" if score else "9994"
    error = "out of memory" if score is None else None
    return Record(f"{task}/{places}", task, model, axes, ["1234"], output, score, 9, 9, 0.1, error=error, needles=known)


def sweep(
    task: str,
    models: Sequence[str],
    lengths: Sequence[int] = (1024, 2048),
    depths: Sequence[float | None] = (0.0, 1.0),
    repeats: int = 2,
    **more: Any,
) -> list[Record]:
    drawn = random.Random(task)
    return [
        record(task, model, float(drawn.random() < 0.6), length=length, depth=depth, repeat=repeat, **more)
        for model, length, depth, repeat in itertools.product(models, lengths, depths, range(repeats))
    ]


def slugs(pictures: Sequence[Picture]) -> list[str]:
    return [picture.slug for picture in pictures]


def test_every_picture_that_two_models_can_fill_is_drawn(tmp_path: Path) -> None:
    pictures = draw_gallery(sweep("niah", ["mta", "diff"]), tmp_path)
    assert slugs(pictures) == ["heatmap_niah", "difference_niah", "depth_niah", "length_niah", "sign_niah"]
    assert {picture.task for picture in pictures} == {"niah"}
    for picture in pictures:
        assert picture.svg == tmp_path / f"{picture.slug}.svg"
        assert all(picture.svg.with_suffix(kind).stat().st_size for kind in (".png", ".svg", ".pdf"))
    assert len(list(tmp_path.iterdir())) == 3 * len(pictures)


def test_pictures_over_several_tasks_come_first_and_belong_to_none(tmp_path: Path) -> None:
    records = sweep("babilong:qa=1", ["mta"], qa=1) + sweep("babilong:qa=2", ["mta"], qa=2)
    pictures = draw_gallery(records, tmp_path)
    assert (pictures[0].task, pictures[0].slug) == ("", "qa_babilong")
    assert {picture.task for picture in pictures[1:]} == {"babilong:qa=1", "babilong:qa=2"}


def test_a_note_is_one_sentence_with_the_bands_and_the_number_of_samples(tmp_path: Path) -> None:
    records = [*sweep("niah", ["mta"]), record("niah", "mta", None, length=1024, depth=0.0, repeat=9)]
    notes = {picture.slug: picture.note for picture in draw_gallery(records, tmp_path)}
    assert notes["length_niah"] == (
        "Accuracy by length, all depths together, a line for each model; bands: 95 % intervals; 8 samples."
    )
    assert all(note.endswith("; 8 samples.") for note in notes.values())


def test_the_cells_of_a_heatmap_are_those_of_the_grids_by_model(tmp_path: Path, figures: list[Figure]) -> None:
    records = [one for one in sweep("niah", ["mta", "diff"], depths=(0.0, 0.5, 1.0)) if one.axes["depth"] != 0.5]
    records += [record("niah", "diff", 1.0, length=2048, depth=0.5, repeat=0)]
    (heatmap,) = [one for one in draw_gallery(records, tmp_path) if one.slug == "heatmap_niah"]
    grids = grids_by_model(records, "length", "depth")
    cells = {
        one.get_gid(): one for axes in figures[0].axes for one in axes.get_children() if isinstance(one, Rectangle)
    }
    for model, grid in enumerate(grids):
        for row, column in itertools.product(range(3), range(2)):
            cell = cells[f"cell:{heatmap.slug}:{model}:{row}:{column}"]
            assert bool(cell.get_hatch()) == (grid.mean[row][column] is None)
    shown = re.findall(r'id="cell:heatmap_niah:(\d):(\d):(\d)"', heatmap.svg.read_text())
    assert sorted(shown) == sorted(itertools.product("01", "012", "01"))


def test_no_id_stands_in_two_svgs_of_a_gallery(tmp_path: Path) -> None:
    records = sweep("niah", ["mta", "diff"], needles=2) + sweep("niah:needles=3", ["mta"], depths=(0.0, 0.5))
    records = [one for one in records if one.axes["depth"] != 0.5 or one.axes["length"] == 1024]
    texts = [picture.svg.read_text() for picture in draw_gallery(records, tmp_path)]
    ids = [found for text in texts for found in re.findall(r'\bid="([^"]*)"', text)]
    assert len(texts) > 6
    assert len(ids) == len(set(ids))
    for text in texts:
        ElementTree.fromstring(text)


def test_one_sample_fills_what_needs_no_second(tmp_path: Path) -> None:
    pictures = draw_gallery([record("niah", "mta", 1.0, length=1024, depth=0.5)], tmp_path)
    assert slugs(pictures) == ["heatmap_niah", "sign_niah"]
    assert pictures[0].note.endswith("; 1 sample.")


def test_a_task_where_all_failed_has_no_picture(tmp_path: Path) -> None:
    records = [record("passkey", "mta", None, length=1024, depth=0.5), *sweep("niah", ["mta"])]
    assert {picture.task for picture in draw_gallery(records, tmp_path)} == {"niah"}


def test_samples_without_a_depth_have_no_curve_over_depths(tmp_path: Path) -> None:
    pictures = draw_gallery(sweep("niah", ["mta"], depths=(None,)), tmp_path)
    assert slugs(pictures) == ["heatmap_niah", "length_niah", "sign_niah"]


def test_a_task_without_the_axis_has_its_difference_in_one_row(tmp_path: Path) -> None:
    records = sweep("niah", ["mta", "diff"], needles=4) + sweep("passkey", ["mta", "diff"])
    records = [one if one.task == "passkey" else replace(one, axes=one.axes | {"count": 4}) for one in records]
    found = slugs(draw_gallery(records, tmp_path, x="count"))
    assert {"difference_niah", "difference_passkey"} <= set(found)


def test_models_that_answered_different_samples_have_no_difference(tmp_path: Path) -> None:
    records = sweep("niah", ["mta"], lengths=(1024,)) + sweep("niah", ["diff"], lengths=(2048,))
    assert "difference_niah" not in slugs(draw_gallery(records, tmp_path))


def test_tasks_whose_names_make_the_same_slug_keep_files_apart(tmp_path: Path) -> None:
    records = sweep("a:b", ["mta"], lengths=(1024,), depths=(None,)) + sweep(
        "a,b", ["mta"], lengths=(1024,), depths=(None,)
    )
    assert slugs(draw_gallery(records, tmp_path)) == ["heatmap_a_b", "sign_a_b", "heatmap_a_b_2", "sign_a_b_2"]


def test_a_task_axis_makes_one_heatmap_over_all_tasks(tmp_path: Path) -> None:
    records = sweep("niah", ["mta"], depths=(None,)) + sweep("passkey", ["mta"], depths=(None,))
    pictures = draw_gallery(records, tmp_path, "length", "task")
    assert [(picture.task, picture.slug) for picture in pictures] == [("", "heatmap_all_tasks")]


@pytest.mark.slow
def test_the_same_records_give_the_same_svgs(tmp_path: Path) -> None:
    records = sweep("niah", ["mta", "diff"], needles=2)
    one, two = (draw_gallery(records, tmp_path / name) for name in "ab")
    assert [picture.svg.read_bytes() for picture in one] == [picture.svg.read_bytes() for picture in two]


def test_an_axis_that_no_record_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match='no record has the axis "dept"'):
        draw_gallery(sweep("niah", ["mta"]), tmp_path, "length", "dept")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        draw_gallery(sweep("niah", ["mta"]), tmp_path / "file" / "out")

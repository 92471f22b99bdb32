from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mta_eval.errors import StoreError
from mta_eval.results.pictures.style import drawable, ink_on, save, shorten, styled, text_width, wrap, wrap_apart

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=80)


def figure(gid: str = "cell:a:0:0:0") -> Figure:
    with styled():
        made = Figure((3, 2))
        axes = made.add_subplot()
        (line,) = axes.plot([0, 1], [1, 0], marker="o")
        line.set_gid(gid)
        axes.axvspan(0, 0.5, hatch="////")
        axes.set_title("a $b$ & c")
    return made


def test_a_picture_is_three_files_beside_each_other(tmp_path: Path) -> None:
    paths = save(figure(), tmp_path / "a.b")
    assert [path.name for path in paths] == ["a.b.png", "a.b.svg", "a.b.pdf"]
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG", b"<?xm", b"%PDF"]


def test_the_same_figure_gives_the_same_bytes_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, two = save(figure(), tmp_path / "a"), save(figure(), tmp_path / "other" / "a")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_no_file_says_when_it_was_made(tmp_path: Path) -> None:
    for path in save(figure(), tmp_path / "a"):
        assert not re.search(rb"CreationDate|dc:date|\b20\d\d-\d\d-\d\d", path.read_bytes()), path


def test_a_png_has_200_dots_in_an_inch(tmp_path: Path) -> None:
    header = save(figure(), tmp_path / "a")[0].read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (600, 400)


def test_an_svg_keeps_the_ids_that_were_given_and_shares_no_other_with_another_svg(tmp_path: Path) -> None:
    svgs = [save(figure(f"cell:{name}:0:0:0"), tmp_path / name)[1].read_text() for name in ("a", "b")]
    ids = [re.findall(r'\bid="([^"]*)"', svg) for svg in svgs]
    assert "cell:a:0:0:0" in ids[0]
    assert len(ids[0]) > 2  # the hatch, the mark and the clip are there, and are referred to
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', svgs[0])) <= set(ids[0])
    assert not set(ids[0]) & set(ids[1])
    assert all(len(set(found)) == len(found) for found in ids)


def test_an_svg_brings_no_rule_for_the_page_around_it(tmp_path: Path) -> None:
    svg = save(figure(), tmp_path / "a")[1].read_text()
    assert "<style" not in svg
    assert "stroke-linejoin: round" in svg[: svg.index(">", svg.index("<svg"))]


def test_text_stays_text_and_is_no_formula(tmp_path: Path) -> None:
    assert ">a $b$ &amp; c</text>" in save(figure(), tmp_path / "a")[1].read_text()


def test_drawing_in_the_style_leaves_no_setting_behind(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    save(figure(), tmp_path / "a")
    assert dict(mpl.rcParams) == before


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^cannot write '.*missing/a\.png': No such file"):
        save(figure(), tmp_path / "missing" / "a")


def test_a_character_without_a_glyph_is_a_box() -> None:
    assert drawable("模型\n7B") == "□□□7B"


def test_a_long_name_loses_its_middle() -> None:
    assert shorten("babilong:question=three_facts,noise=long", 20) == "babilong:q…oise=long"


@given(NAMES, st.integers(4, 60))
def test_a_shortened_name_is_never_longer_than_allowed(name: str, most: int) -> None:
    assert len(shorten(name, most)) <= most
    assert shorten(shorten(name, most), most) == shorten(name, most)


@given(NAMES, st.floats(1, 7), st.integers(1, 4))
def test_wrapped_lines_are_as_few_as_asked(name: str, inches: float, lines: int) -> None:
    assert len(wrap(name, inches, 8, lines=lines)) <= lines


def test_wrapped_names_fit_their_room() -> None:
    lines = wrap("hf:…/org/Model-7B-Instruct,dtype=bfloat16", 1.5, 8, bold=True)
    assert len(lines) == 3
    assert max(text_width(line, 8, bold=True) for line in lines) < 1.6


def test_names_are_broken_at_their_joints_alone() -> None:
    assert wrap("meta-llama/Llama-3.1-8B,dtype=bfloat16", 0.8, 8) == ["meta-llama/", "Llama-3.1-", "8B,…bfloat16"]
    assert wrap("niah:needles=4,text=essays", 1.0, 8) == ["niah:needles=", "4,text=essays"]
    assert wrap("accuracy by depth", 0.8, 8) == ["accuracy by", "depth"]
    assert wrap("Supercalifragilistic", 0.8, 8)[0].count("…") == 1


def test_ink_is_white_on_dark_and_black_on_bright_colours() -> None:
    assert [ink_on(colour) for colour in ((0, 0, 0.3), (1, 0.9, 0.2), (0, 0.2, 0.4, 1))] == ["white", "black", "white"]


def test_names_too_long_for_their_room_lose_what_they_share_and_stay_apart() -> None:
    names = [f"hf:…/organisation/Model-{number}B-Instruct,dtype=bfloat16" for number in range(12)]
    assert wrap_apart(names, 6, 8, lines=1) == [[name] for name in names]
    assert wrap_apart(names, 1.6, 8, lines=1) == [[f"…Model-{number}B-Instruct,…"] for number in range(12)]


@given(st.lists(NAMES, min_size=1, max_size=14), st.floats(0.6, 3))
def test_no_two_names_ever_look_the_same(names: list[str], inches: float) -> None:
    wrapped = wrap_apart(names, inches, 8)
    assert len({tuple(lines) for lines in wrapped}) == len(names)

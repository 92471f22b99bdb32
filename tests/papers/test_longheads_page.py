import math
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from paper_records import answer, loss, source

from mta_eval.errors import StoreError
from mta_eval.papers import write_papers
from mta_eval.papers.axis_places import AxesStyle
from mta_eval.papers.longheads import longheads_artifacts
from mta_eval.papers.reported_longheads import PASSKEY, THIRD_PARTY
from mta_eval.papers.source import PageSource

pytestmark = pytest.mark.usefixtures("quick_pdfs")

RECORDS = [
    *(answer("passkey", score, "smollm2", i, length=4096) for i, score in enumerate((1.0, 1.0, 0.0, 1.0))),
    *(answer("passkey", 0.0, "smollm2", i, length=16384, peak_memory=2_000_000_000 + i) for i in range(4)),
    *(answer("passkey", 1.0, "longheads:smollm2", i, length=16384) for i in range(2)),
    answer("passkey:digits=7", 1.0, "longheads:smollm2", length=8192),
    answer("passkey", None, "longheads:smollm2", length=8192),
    answer("niah", 1.0, "longheads:smollm2", length=2048),
]


def rows_of(text: str) -> dict[tuple[str, str], list[str]]:
    lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("|")]
    return {(line[0], line[1]): line[2:] for line in lines}


def test_reported_and_measured_stand_in_rows_of_their_own(tmp_path: Path) -> None:
    paths = write_papers(source(RECORDS), tmp_path, ["longheads"])
    assert paths[0] == tmp_path / "paper.md"
    assert all(path.exists() for path in paths)
    rows = rows_of((tmp_path / "passkey.md").read_text())
    assert rows["", "model"] == ["2K", "4K", "8K", "16K", "32K", "64K", "128K"]
    assert rows["reported", "LongHeads on LLaMA-2-7B"] == ["–", "100.0", "–", "94.0", "98.0", "96.0", "100.0"]
    assert rows["reported", THIRD_PARTY] == ["100.0", *["–"] * 6]
    assert rows["**measured**", "smollm2"][1] == "75.0 [30.1–95.4], n=4"
    assert rows["**measured**", "longheads:smollm2"][2:4] == ["100.0 [20.7–100.0], n=1", "100.0 [34.2–100.0], n=2"]


def test_the_csv_keeps_them_in_columns_of_their_own(tmp_path: Path) -> None:
    write_papers(source(RECORDS), tmp_path, ["longheads"])
    frame = pd.read_csv(tmp_path / "passkey.csv")
    reported = frame[frame["reported"].notna()]
    assert len(reported) == sum(map(len, PASSKEY.values())) + 1
    assert reported["measured"].isna().all()
    measured = frame[frame["measured"].notna()].set_index(["model", "value_of_axis"])
    assert measured["reported"].isna().all()
    assert measured.loc[("smollm2", 4096), ["measured", "samples"]].tolist() == [75, 4]
    memory = pd.read_csv(tmp_path / "memory.csv")
    assert memory[memory["model"] == "smollm2"]["measured"].tolist() == [pytest.approx(2.000000003)]


def test_lengths_that_are_lacking_are_asked_by_a_command() -> None:
    (passkey, *_) = longheads_artifacts(source(RECORDS))
    assert any("2K, 32K, 64K, 128K, by any model" in text for text in passkey.missing)
    assert any("8K, by `smollm2`" in text for text in passkey.missing)
    assert "--lengths 2k,4k,8k,32k,64k,128k " in passkey.instructions[0]


def test_the_page_says_that_the_ladder_was_read_off_a_picture(tmp_path: Path) -> None:
    write_papers(source(RECORDS), tmp_path, ["longheads"])
    page = (tmp_path / "paper.md").read_text()
    assert "the accuracies of the passkey figure were read off its picture" in page
    assert "no value was read off" not in page


def test_lengths_stand_on_a_scale_and_no_marker_hides_another(tmp_path: Path, figures: list[Figure]) -> None:
    write_papers(source(RECORDS), tmp_path, ["longheads"])
    (axes,) = next(figure for figure in figures if "passkey" in figure.texts[0].get_text()).axes
    assert [*axes.get_xticks()] == [0, 1, 2, 3, 4, 5, 6]  # 2K to 128K, each twice the one before
    points = [(x, y) for line in axes.lines for x, y in zip(*line.get_data(), strict=True) if y == y]
    pixels = axes.transData.transform(points)
    size = 5.5 / 72 * axes.figure.dpi  # of a marker
    apart = [math.dist(a, b) for number, a in enumerate(pixels) for b in pixels[:number]]
    assert min(apart) >= 0.9 * size


def test_a_column_that_is_missing_leaves_its_room_on_a_scale() -> None:
    style = AxesStyle("", "", doubling=True)
    assert style.places((2048, 4096, 16384)) == [0, 1, 3]
    assert style.places((0, 512, 768)) == [-1, 0, pytest.approx(math.log2(1.5))]
    assert AxesStyle("", "").places((2, 4, 16)) == [0, 1, 2]


def test_perplexity_is_by_length(tmp_path: Path) -> None:
    records = [loss(200, 100, "m", length=length, repeat=i, domain="pg19") for length in (512, 1024) for i in range(2)]
    write_papers(source(records), tmp_path, ["longheads"])
    rows = rows_of((tmp_path / "perplexity.md").read_text())
    assert rows["reported", THIRD_PARTY] == ["8.85", "7.97", "7.42", "7.08", "7.75"]
    assert rows["**measured**", "m"] == ["7.39 [7.39–7.39], n=2", "7.39 [7.39–7.39], n=2", "–", "–", "–"]


def test_without_runs_the_page_says_that_nothing_was_measured(tmp_path: Path) -> None:
    write_papers(PageSource(), tmp_path, ["longheads"])
    page = (tmp_path / "paper.md").read_text()
    assert "**Nothing was measured here.**" in page
    assert "mta-eval run passkey --model smollm2 --model longheads:smollm2 --lengths 2k,4k,16k,32k,64k,128k" in page
    assert pd.read_csv(tmp_path / "passkey.csv")["measured"].isna().all()


def test_runs_without_passkey_or_perplexity_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no answers in these runs fill a cell of the paper; its tasks are longheads"):
        write_papers(source([answer("niah", 1.0)]), tmp_path, ["longheads"])
    assert not list(tmp_path.iterdir())

"""Both pages over runs of every shape."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from paper_records import answer, everything, loss, source

from mta_eval import registry
from mta_eval.arguments import parse_depths, parse_lengths
from mta_eval.core import Record
from mta_eval.errors import StoreError
from mta_eval.papers import write_papers
from mta_eval.papers.artifact import PaperArtifact, write_artifacts
from mta_eval.papers.mta import mta_artifacts
from mta_eval.papers.source import Attention, PageSource
from mta_eval.papers.subplots import RANGE

pytestmark = pytest.mark.usefixtures("quick_pdfs")

TABLES = [f"Table {number}" for number in (1, 2, 3, 4, 5, 8, 9, 10)]
FACTS = {"attention": "mta", "preset": "cpu"}


def artifact(name: str, given: PageSource) -> PaperArtifact:
    return next(one for one in mta_artifacts(given) if one.name == name)


def row(one: PaperArtifact, model: str, block: int = 0, source_of: str = "**measured**") -> list[str]:
    return next(list(texts[2:]) for texts in one.blocks[block].rows if texts[:2] == [source_of, model])


def test_the_page_has_every_table_and_figure_and_its_files(tmp_path: Path) -> None:
    paths = write_papers(PageSource(), tmp_path / "out", ["mta"])
    assert paths[0].name == "paper.md"
    assert all(path.exists() for path in paths)
    page = paths[0].read_text()
    assert re.findall(r"^## (\w+ \d+):", page, flags=re.M) == [*TABLES, "Figure 6"]
    left_out = page.partition("## Left out")[2]
    assert re.findall(r"^- (\w+ \d+) \(", left_out, flags=re.M) == [f"Figure {number}" for number in (3, 4, 5, 7, 8)]
    assert "mta-eval run niah:needles=2 " in left_out
    assert "Measured: nothing" not in page
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(("figure_3", "figure_5"))]
    assert "**These runs measured nothing of this paper.**" in page
    assert {path.name for path in paths if path.suffix == ".png"} == set(re.findall(r"\]\((\w+\.png)\)", page))
    frames = [pd.read_csv(path) for path in paths if path.suffix == ".csv"]
    assert len(frames) == len(TABLES) + 1
    assert all(frame["measured"].isna().all() for frame in frames)


def test_two_papers_have_a_folder_each(tmp_path: Path) -> None:
    pages = [path for path in write_papers(PageSource(), tmp_path) if path.name == "paper.md"]
    assert pages == [tmp_path / "mta/paper.md", tmp_path / "longheads/paper.md"]


def test_plotted_curves_are_not_in_the_text_and_never_a_figure() -> None:
    for name in ("Figure 3", "Figure 5", "Figure 7", "Figure 8"):
        frame = artifact(name, PageSource()).frame
        assert set(frame["reported_note"]) == {"not in text"}
        assert frame["reported"].isna().all()
    assert row(artifact("Figure 6", PageSource()), "MTA", source_of="derived") == [
        "not in text", "not in text", "3.0 (derived)", "not in text",
    ]  # fmt: skip


def test_needles_are_averaged_over_depths_and_stand_under_their_window() -> None:
    scores = {(2, 0.0): 1.0, (2, 1.0): 0.0, (8, 0.0): 1.0}
    records = [
        answer(f"niah:needles={needles}", score, "m", needles=needles, depth=depth, length=4096)
        for (needles, depth), score in scores.items()
    ]
    made = artifact("Figure 3", source(records))
    assert row(made, "–", block=0) == ["–"] * 5
    assert row(made, "m", block=1)[1:3] == ["–", "–"]
    assert row(made, "m", block=1)[0].startswith("50.0 [")
    assert row(made, "m", block=1)[3] == "100.0 [20.7–100.0], n=1"


def test_several_asked_needles_and_other_kinds_do_not_mix_with_the_papers() -> None:
    tasks = {"niah:needles=4": 1.0, "niah:needles=4,asked=2": 0.0, "niah:needles=4,kind=uuid": 0.0}
    made = artifact("Figure 3", source([answer(task, score, "m", needles=4) for task, score in tasks.items()]))
    assert row(made, "m")[1] == "100.0 [20.7–100.0], n=1"
    assert row(made, "m, kind=uuid")[1] == "0.0 [0.0–79.3], n=1"


def test_depths_are_those_of_two_thousand_tokens() -> None:
    records = [answer("niah:needles=6", 1.0, "m", needles=6, depth=0.25, length=length) for length in (2048, 4096)]
    made = artifact("Figure 8", source(records))
    assert row(made, "m", block=2) == ["–", "100.0 [20.7–100.0], n=1", "–", "–", "–"]


def test_babilongs_average_needs_all_five_questions() -> None:
    records = [answer(f"babilong:qa={qa}", float(qa > 2), "m", length=0) for qa in range(1, 6)]
    assert row(artifact("Figure 5", source(records)), "m")[0].startswith("60.0 [")
    made = artifact("Figure 5", source(records[:4]))
    assert row(made, "–") == ["–"] * 4
    assert "babilong:qa=5" in made.instructions[0]
    assert row(artifact("Figure 7", source(records[:4])), "m", block=2)[0] == "100.0 [20.7–100.0], n=1"


def test_domains_fill_tables_2_5_and_10_at_their_window() -> None:
    domains = ("ArXiv", "book", "c4", "CommonCrawl", "github", "StackExchange", "wikipedia")
    records = [loss(100 * (2 + n / 10), 100, "m", length=2048, domain=name) for n, name in enumerate(domains)]
    given = source(records)
    texts = row(artifact("Table 2", given), "m")
    assert texts[0] == "7.39, n=1"
    assert texts[-1] == "10.17, n=7"
    assert row(artifact("Table 2", given), "–", block=1) == ["–"] * 8
    assert row(artifact("Table 10", given), "m") == texts
    assert row(artifact("Table 5", given), "m")[-1] == texts[-1]
    missing = artifact("Table 2", source(records[1:]))
    assert row(missing, "m")[0] == row(missing, "m")[-1] == "–"


def test_benchmarks_and_lambada_fill_by_the_harness_s_names() -> None:
    records = [answer("boolq", 1.0, "m"), answer("boolq", 0.0, "m", 1), answer("mmlu_anatomy", 1.0, "m")]
    texts = row(artifact("Table 3", source(records)), "m")
    assert texts[0].startswith("50.0 [")
    assert texts[8] == "100.0 [20.7–100.0], n=1"
    assert texts[-1] == "–"
    made = artifact(
        "Table 4", source([loss(3.0, 1, "m", "lambada_openai"), loss(3.0, 1, "m", "lambada_openai", repeat=1)])
    )
    assert row(made, "m") == ["–", "20.1 [20.1–20.1], n=2"]


def test_parameters_that_were_counted_stand_beside_the_reported_ones() -> None:
    made = artifact("Table 8", PageSource(counts={"mta": 876_583_320}))
    assert row(made, "MTA, counted here") == ["876,583,320"]
    assert row(made, "MTA", source_of="reported")[0].startswith("876,583,320 (plain + ")


def test_attention_that_was_drawn_is_figure_4(tmp_path: Path) -> None:
    picture = tmp_path / "seen.png"
    picture.write_bytes(b"a picture")
    seen = Attention("niah", [picture], ["m: layer 0 looks"])
    write_papers(PageSource(attention=seen), tmp_path / "out", ["mta"])
    assert (tmp_path / "out/figure_4.png").read_bytes() == b"a picture"
    assert "m: layer 0 looks." in (tmp_path / "out/figure_4.md").read_text()


@pytest.mark.slow
def test_twelve_models_are_told_apart_in_tables_and_pictures(tmp_path: Path, figures: list[Figure]) -> None:
    models = [f"hf:/models/family/some-long-model-name-{number}b,dtype=float32" for number in range(12)]
    write_papers(source(everything(models, repeats=1)), tmp_path)
    page = (tmp_path / "mta/figure_3.md").read_text()
    assert page.count("| **measured** | hf:…/family/some-long-model-name-") == 24
    (legend,) = next(figure for figure in figures if "Figure 3" in figure.texts[0].get_text()).legends
    lines = [line for line in legend.get_lines() if str(line.get_label()).startswith("measured")]
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(lines) == len(looks) == 12


def test_gaps_are_dashes_and_hatched_never_zero(tmp_path: Path, figures: list[Figure]) -> None:
    gone = {"niah:needles=4", "babilong:qa=3"}
    records = [one for one in everything(["a:1", "a:2", "plain"], repeats=2) if one.task not in gone]
    records = [one for one in records if not (one.model == "plain" and one.task == "niah:needles=6")]
    given = source(records, **{"a:1": FACTS | {"seed": "1"}, "a:2": FACTS | {"seed": "2"}})
    made = artifact("Figure 3", given)
    assert row(made, "plain")[1:3] == ["–", "–"]
    assert "± " in row(made, "MTA, preset cpu, 2 seeds")[2]
    assert "windows of 2K: needles 6, by `plain`" in made.missing
    assert "niah:needles=4 niah:needles=6 --model MODEL --lengths 2k,4k" in made.instructions[0]
    write_papers(given, tmp_path, ["mta"])
    subplots = {
        axes.get_title(): axes for figure in figures if "Figure 7" in figure.texts[0].get_text() for axes in figure.axes
    }
    assert [bool(subplots[f"QA{qa}"].patches) for qa in range(1, 6)] == [False, False, True, False, False]
    assert not subplots["QA3"].lines
    heights = [y for line in subplots["QA1"].lines for y in line.get_ydata()]
    assert heights


def test_what_is_derived_is_not_called_reported(tmp_path: Path, figures: list[Figure]) -> None:
    write_papers(PageSource(), tmp_path, ["mta"])
    (legend,) = next(figure for figure in figures if "Figure 6" in figure.texts[0].get_text()).legends
    labels = [str(text.get_text()) for text in legend.get_texts()]
    assert labels == ["derived: DIFF", "derived: Talking heads", "derived: MTA", "not measured"]


def test_table_1_says_that_the_baseline_was_evaluated_with_dropout() -> None:
    assert "leaves dropout (0.1) on in the Transformer's attention" in artifact("Table 1", PageSource()).reported


def test_one_sample_makes_a_page(tmp_path: Path) -> None:
    paths = write_papers(source([answer("niah:needles=4", 1.0, needles=4)]), tmp_path)
    assert all(path.stat().st_size for path in paths)
    assert "| – | 100.0 [20.7–100.0], n=1 | – |" in (tmp_path / "mta/figure_3.md").read_text()
    assert "**Nothing was measured here.**" in (tmp_path / "longheads/paper.md").read_text()


@pytest.mark.parametrize("records", [[], [answer("other", 1.0)], [answer("niah:needles=4", None, needles=4)]])
def test_runs_that_fill_no_cell_are_one_line(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no answers in these runs fill a cell"):
        write_papers(source(records), tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_command_of_the_pages_can_be_given(tmp_path: Path) -> None:
    """The tasks, lengths and depths of each `mta-eval run` are read by what reads them on the command line."""
    write_papers(PageSource(), tmp_path)
    pages = "".join((tmp_path / name / "paper.md").read_text() for name in ("mta", "longheads"))
    commands = [shlex.split(line) for line in pages.splitlines() if line.startswith("mta-eval run ")]
    assert len(commands) == 6 + 2 + 1 + 3 + 3  # letter blocks, needles, BabiLong, perplexity, LongHeads
    for command in commands:
        tasks = command[2 : command.index("--model")]
        assert [registry.build_task(task).name for task in tasks]
        if "--depths" in command:
            assert parse_depths(command[command.index("--depths") + 1])
        if "--lengths" in command:
            assert parse_lengths(command[command.index("--lengths") + 1])


@pytest.mark.slow
def test_pages_tables_and_pictures_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_papers(source(everything(["m"], repeats=1)), tmp_path / name)
    written = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert written
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in written)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to"):
        write_papers(PageSource(), tmp_path / "file", ["longheads"])


def test_latex_has_booktabs_rules_and_no_bare_sign(tmp_path: Path) -> None:
    write_artifacts([artifact("Table 8", PageSource())], "", tmp_path)
    text = (tmp_path / "table_8.tex").read_text()
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert r"c\_q c\_k" in text
    assert "measured & -- & -- " in text


def test_windows_that_the_paper_has_not_stand_beside_its_own_where_needles_were_counted() -> None:
    asked = [(512, 2), (512, 4), (1024, 4), (2048, 4), (2048, 2)]  # at 1K there is one number of needles alone
    records = [answer(f"niah:needles={count}", 1.0, "m", needles=count, length=length) for length, count in asked]
    made = artifact("Figure 3", source(records))
    titles = [block.title for block in made.blocks]
    assert titles == ["windows of 2K", "windows of 4K", "windows of 512 (not in the paper)"]
    assert row(made, "m", block=2)[:2] == ["100.0 [20.7–100.0], n=1"] * 2
    assert [texts[0] for texts in made.blocks[2].rows] == ["**measured**"]


def test_what_the_press_said_is_a_band_at_four_thousand_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr("mta_eval.papers.subplots.save", lambda figure, _: figures.append(figure) or [])
    made = artifact("Figure 3", source([answer("niah:needles=2", 1.0, "m", needles=2, length=4096)]))
    assert made.draw is not None
    made.draw(tmp_path / "figure_3")
    bands = [[patch for patch in axes.patches if patch.get_alpha() == RANGE] for axes in figures[0].axes]
    assert bands[0] == []
    (band,) = bands[1]
    assert isinstance(band, Rectangle)
    assert (band.get_y(), band.get_y() + band.get_height()) == (67, pytest.approx(97.6))
    texts = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert "press, of MTA in the first version: 67 to 97.6 %" in texts

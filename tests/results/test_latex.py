import dataclasses

import pytest
from test_grid import record

from mta_eval.core import Grid
from mta_eval.results.cell_style import PLAIN, CellStyle, best_cells, markdown_scores
from mta_eval.results.exports import pivots, score_text, styled_frame
from mta_eval.results.grid import grids_by_model
from mta_eval.results.latex import latex_table

RECORDS = [
    *(record(score, model="a", length=512, depth=0.0) for score in (1.0, 1.0, 0.0)),
    *(record(score, model="b", length=512, depth=0.0) for score in (1.0, 0.0, 0.0)),
    *(record(1.0, model=model, length=2048, depth=0.0) for model in "ab"),
]


def by_model(style: CellStyle) -> str:
    return score_text(pivots(RECORDS, "length", "model"), "latex", style)


def table_of(count: int) -> Grid:
    (grid,) = grids_by_model([record(1.0, length=512, depth=n / count) for n in range(count)], "depth", "length")
    return grid


def nothing_best(grid: Grid) -> list[list[bool]]:
    return [[False] * len(grid.xs) for _ in grid.ys]


def test_a_table_has_what_a_paper_wants_around_it() -> None:
    text = by_model(PLAIN)
    order = [r"\begin{table}[htbp]", r"\centering", r"\caption{", r"\label{tab:niah_all_models_length_model}"]
    order += [r"\begin{tabular}{lrr}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.count("{") == text.count("}")


def test_numbers_have_one_decimal_and_what_stands_behind_them_one_width() -> None:
    text = by_model(CellStyle("mean", counts=False))
    assert r"a & 66.7 & 100.0 \\" in text
    intervals = by_model(CellStyle("interval", counts=False))
    assert r"66.7\,[9.4,\,97.5]\phantom{000}" in intervals
    assert r"100.0\,[20.7,\,100.0]\phantom{0}" in intervals
    assert r"66.7\,$\pm$\,44.0 " in by_model(CellStyle("mean±", counts=False))


def test_samples_stand_in_the_caption_where_all_cells_have_as_many() -> None:
    assert "samples in parentheses" in by_model(PLAIN)
    assert r"\,(3)" in by_model(PLAIN)
    assert "(3)" not in by_model(CellStyle(counts=False))
    same = score_text(pivots(RECORDS[:3], "length", "depth"), "latex", CellStyle("mean"))
    assert "$n = 3$ in each cell" in same
    assert "(3)" not in same


def test_the_best_model_is_bold_where_models_are_rows_columns_or_tables() -> None:
    style = CellStyle("mean", counts=False, best=True)
    text = by_model(style)
    assert r"a & \textbf{66.7} & \textbf{100.0} \\" in text
    assert r"b & 33.3 & \textbf{100.0} \\" in text
    tables = pivots(RECORDS, "model", "length")
    assert best_cells(tables["niah"]) == [[[True, False], [True, True]]]
    assert best_cells(grids_by_model(RECORDS, "length", "depth")) == [[[True, True]], [[False, True]]]
    assert best_cells(grids_by_model(RECORDS[:3], "length", "depth")) == [[[False]]]
    assert "**67 %** | **100 %**" in score_text(pivots(RECORDS, "length", "model"), "markdown", style)


def test_what_was_not_measured_is_two_dashes_and_never_bold() -> None:
    records = [record(0.0, model="a", length=512, depth=0.0), record(None, model="b", length=512, depth=0.0)]
    text = score_text(pivots(records, "length", "model"), "latex", CellStyle("mean", best=True))
    assert r"b & -- \\" in text
    assert "textbf" not in text


def test_a_wide_table_takes_smaller_letters_and_at_last_the_page() -> None:
    texts = [latex_table("niah", grid, CellStyle("mean"), nothing_best(grid))[0] for grid in map(table_of, (2, 8, 12))]
    heads = [text.splitlines()[:3] for text in texts]
    sizes = ["small", "scriptsize", "footnotesize"]
    assert heads == [
        [rf"\begin{{table{'*' * (place == 2)}}}[htbp]", r"\centering", rf"\{size}"] for place, size in enumerate(sizes)
    ]


def test_cut_prompts_are_marked_in_cells_and_said_in_the_caption() -> None:
    (grid,) = grids_by_model(RECORDS[:4], "length", "model")
    cut = dataclasses.replace(grid, truncated=[[1], [0]])
    text, _ = latex_table("niah", cut, CellStyle("mean", counts=False), nothing_best(cut))
    assert r"66.7$^\dagger$" in text
    assert r"100.0\phantom{$^\dagger$}" in text
    assert "prompts were cut" in text


def test_no_two_tables_have_one_label() -> None:
    records = [record(1.0, "a b", length=512), record(1.0, "a_b", length=512)]
    text = score_text(pivots(records, "length", "model"), "latex")
    labels = [line for line in text.splitlines() if line.startswith(r"\label")]
    assert len(set(labels)) == 2


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (CellStyle("mean", counts=False), "67 % |"),
        (CellStyle("mean±"), "66.7 ± 44.0 %, n=3 |"),
        (CellStyle(), "67 % [9–97], n=3 |"),
    ],
)
def test_markdown_matches(style: CellStyle, text: str) -> None:
    (grid,) = grids_by_model(RECORDS[:3], "length", "model")
    assert text in markdown_scores(grid, style, nothing_best(grid))


def test_csv_matches() -> None:
    tables = pivots(RECORDS, "length", "model")
    assert {"low", "high", "count"} <= set(styled_frame(tables, PLAIN))
    frame = styled_frame(tables, CellStyle("mean±", counts=False, best=True))
    assert not {"low", "high", "count"} & set(frame)
    assert frame.half_width[0] == pytest.approx(0.440, abs=0.001)
    assert frame.best.tolist() == [True, True, False, True]

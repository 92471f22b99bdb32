from __future__ import annotations

from typing import Any

from mta_eval.core import Record
from mta_eval.results.length_rule import LENGTH_RULE
from mta_eval.results.page.matrix import matrix_of
from mta_eval.results.page.sections import make_sections
from mta_eval.results.page.standing import headline, overall, standings


def answers(model: str, right: float, task: str = "niah", count: int = 40, **more: Any) -> list[Record]:
    """Independent answers, so many of which are right, a half at each of two lengths."""
    known: dict[str, Any] = {"output": "7"} | more
    return [
        Record(
            f"{task}/{512 << number % 2}/0.50/{number}",
            task,
            model,
            {"length": 512 << number % 2, "depth": 0.5, "repeat": number},
            [str(number)],
            score=float(number < right * count),
            prompt_tokens=9,
            max_new_tokens=9,
            seconds=1.0,
            **known,
        )
        for number in range(count)
    ]


def test_models_whose_intervals_overlap_share_a_rank() -> None:
    found = standings([*answers("a", 0.95), *answers("b", 0.9), *answers("c", 0.2)])
    assert [(one.model, one.rank, one.level) for one in found] == [("a", 1, True), ("b", 1, True), ("c", 3, False)]
    assert (found[0].scored, found[0].samples, found[0].effective) == (40, 40, "512")


def test_a_baseline_has_no_rank_and_takes_none() -> None:
    records = [*answers("chance", 1.0), *answers("b", 0.5)]
    assert [(one.model, one.rank, one.baseline) for one in standings(records)] == [
        ("chance", None, True),
        ("b", 1, False),
    ]
    assert headline(overall(standings(records)), standings(records))[0].startswith("b (50 %")


def test_the_best_stands_first_and_who_lacks_a_task_last_without_a_rank() -> None:
    records = [*answers("half", 0.4), *answers("best", 0.9), *answers("part", 1.0)]
    records += [*answers("half", 0.4, "passkey"), *answers("best", 0.9, "passkey")]
    rows = overall(standings(records))
    assert [(row.model, row.rank, row.tasks) for row in rows] == [("best", 1, 2), ("half", 2, 2), ("part", None, 1)]
    assert rows[0].accuracy
    assert abs(rows[0].accuracy.mean - 0.9) < 1e-9


def test_the_headline_says_who_wins_and_where_it_is_weakest() -> None:
    records = [*answers("a", 1.0), *answers("b", 0.1), *answers("a", 0.9, "passkey"), *answers("b", 0.2, "passkey")]
    found = standings(records)
    best, weakest = headline(overall(found), found)
    assert best.startswith("a (95 % [")
    assert best.endswith("is the best of 2 models over 2 tasks; first or level on 2 of 2.")
    assert weakest.startswith("a is weakest on passkey: 90 % [")


def test_who_cannot_be_told_apart_is_not_called_the_best() -> None:
    found = standings([*answers("a", 0.6), *answers("b", 0.55)])
    assert "cannot be told apart on niah, of 2 models" in headline(overall(found), found)[0]


def test_what_was_read_has_a_perplexity_and_no_rank() -> None:
    read = answers("a", 1.0, "perplexity", output=None)
    for one in read:
        one.axes.update({"nats": 10.0, "predicted": 10})  # type: ignore[attr-defined]
    (one,) = standings(read)
    assert (one.accuracy, one.rank) == (None, None)
    assert one.perplexity
    assert headline(overall([one]), [one]) == []
    matrix = matrix_of(read, make_sections(read, "length", "depth"), LENGTH_RULE)
    cell = matrix.rows[0].cells[0]
    assert cell
    assert (cell.mean, cell.rank) == ("2.72", "perplexity")


def test_the_matrix_names_the_heatmap_of_each_cell_and_what_was_not_asked() -> None:
    records = [*answers("b", 0.5), *answers("a", 0.9), *answers("a", 0.9, "passkey")]
    matrix = matrix_of(records, make_sections(records, "length", "depth"), LENGTH_RULE)
    assert matrix.heads == [("niah", "niah"), ("passkey", "passkey")]
    assert [(row.name, [cell and cell.at for cell in row.cells]) for row in matrix.rows] == [
        ("a", ["0:1", "1:0"]),
        ("b", ["0:0", None]),
    ]
    assert matrix.rows[1].overall.samples == "1 of 2 tasks"
    cell = matrix.rows[0].cells[0]
    assert cell
    assert cell[1:] == ("90 %", "[77–96]", "rank 1", "to 512", "n=40")

"""Rows of the diagnostic tasks: solved by readers of their tokens, apart in their streams, honest about chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import mean

import pytest
from row_solvers import (
    Row,
    hidden,
    needle_solver,
    selective_copy_solver,
    solve_chains,
    solve_copy,
    solve_induction,
    solve_letter_blocks,
    solve_order,
    solve_recall,
    two_condition_solver,
)

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.tunnel.rows.drawing import longer, numbered, row_generator, scattered, tail_answers

SOLVERS: dict[str, Callable[[Row], list[int]]] = {
    "letter_blocks": solve_letter_blocks,
    "letter_blocks:block=8,blocks=3": solve_letter_blocks,
    "letter_blocks:target=first": solve_letter_blocks,
    "associative_recall": solve_recall,
    "associative_recall:pairs=1,questions=1": solve_recall,
    "two_condition_recall": two_condition_solver(1),
    "two_condition_recall:distance=8": two_condition_solver(8),
    "two_condition_recall:facts=20,questions=20,distance=2": two_condition_solver(2),
    "induction": solve_induction,
    "induction:length=8,kinds=6": solve_induction,
    "copy": solve_copy,
    "copy:length=1": solve_copy,
    "selective_copy": selective_copy_solver(16),
    "selective_copy:items=4,length=4,kinds=3": selective_copy_solver(3),
    "variable_chains": solve_chains,
    "variable_chains:hops=0": solve_chains,
    "variable_chains:hops=5,chains=8,questions=8": solve_chains,
    "order": solve_order,
    "order:items=2,questions=1": solve_order,
    "needles": needle_solver(2),
    "needles:names=1": needle_solver(1),
    "needles:needles=1,length=5": needle_solver(2),
    "needles:needles=8,length=40": needle_solver(2),
}
NAMES = tuple(registry.names("diagnostics"))
every_task = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("spec", SOLVERS)
def test_a_reader_of_the_tokens_solves_every_row(spec: str) -> None:
    task = registry.build_diagnostic(spec)
    for stream in ("training", "validation", "test"):
        for index in range(100):
            row = task.row(stream, 3, index)
            assert SOLVERS[spec](hidden(row, task.answers)) == row, index


@every_task
def test_a_reader_solves_rows_that_are_longer(name: str) -> None:
    task = registry.build_diagnostic(name)
    grown = longer(task, 4)
    assert getattr(grown, task.grows) == 4 * getattr(task, task.grows)
    assert grown.vocabulary == task.vocabulary
    assert len(grown.row("test", 0, 0)) > 2 * len(task.row("test", 0, 0))
    for index in range(50):
        row = grown.row("test", 0, index)
        assert SOLVERS[name](hidden(row, grown.answers)) == row


@pytest.mark.parametrize("spec", SOLVERS)
def test_rows_are_of_one_length_and_of_the_tasks_tokens(spec: str) -> None:
    task = registry.build_diagnostic(spec)
    rows = [task.row("training", 0, index) for index in range(200)]
    assert len({len(row) for row in rows}) == 1
    assert {token for row in rows for token in row} <= set(range(task.vocabulary))
    assert len({len(answer) for answer in task.answers}) == 1
    assert all(-len(rows[0]) < place < 0 for answer in task.answers for place in answer)


@every_task
def test_streams_and_seeds_are_apart_and_repeat(name: str) -> None:
    task = registry.build_diagnostic(name)

    def rows(stream: str, seed: int) -> set[tuple[int, ...]]:
        return {tuple(task.row(stream, seed, index)) for index in range(300)}

    streams = [rows("training", 0), rows("training", 1), rows("validation", 0), rows("test", 0)]
    assert len(set.union(*streams)) == sum(map(len, streams)) == 1200
    assert rows("training", 0) == streams[0]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "letter_blocks"])
def test_options_make_other_rows(name: str) -> None:
    task = registry.build_diagnostic(name)
    grown = longer(task, 2)
    assert task.row("training", 0, 0)[:8] != grown.row("training", 0, 0)[:8]


@pytest.mark.parametrize("name", ["associative_recall", "two_condition_recall", "variable_chains", "needles", "order"])
def test_chance_is_what_guessing_a_candidate_gets(name: str) -> None:
    """The share of right answers among those that a guess chooses from, counted."""
    task = registry.build_diagnostic(name)
    shares = []
    for index in range(400):
        row = task.row("test", 0, index)
        for answer in task.answers:
            value = tuple(row[place] for place in answer)
            shares.append(_share(name, row, value, len(row) + answer[0]))
    assert task.chance == pytest.approx(mean(shares), abs=0.03)


def _share(name: str, row: list[int], value: tuple[int, ...], place: int) -> float:
    if name == "order":
        return 0.5
    if name == "needles":
        numbers = [tuple(row[at + 3 : at + 5]) for at, token in enumerate(row) if token == 0]
        return numbers.count(value) / len(numbers)
    end = row.index(0)
    if name == "two_condition_recall":
        values = [row[at + 2] for at in range(0, end, 3) if row[at] == row[place - 2]]
        return 1 / len(values)
    values = [token for token in row[1:end:2] if name == "associative_recall" or token > 64]
    return 1 / len(values)


def test_both_halves_of_a_key_are_needed() -> None:
    task = registry.build_diagnostic("two_condition_recall:facts=9")
    for index in range(50):
        row = task.row("training", 0, index)
        for column in (0, 1):
            counts = Counter(row[column : row.index(0) : 3])
            assert set(counts.values()) == {3}


def test_needles_are_of_every_count_from_two_on() -> None:
    task = registry.build_diagnostic("needles:needles=5")
    counts = Counter(task.row("training", 0, index)[:128].count(0) for index in range(400))
    assert set(counts) == {2, 3, 4, 5}
    assert min(counts.values()) > 50


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("copy:length=0", "copy: length is 1 to 100000, not 0"),
        ("copy:length=100001", "not 100001"),
        ("associative_recall:pairs=65", "pairs=65"),
        ("associative_recall:questions=9", "questions=9"),
        ("two_condition_recall:facts=145", "facts=145"),
        ("two_condition_recall:distance=0", "distance is 1"),
        ("induction:questions=40", "questions=40"),
        ("selective_copy:items=65", "items=65"),
        ("variable_chains:chains=22", "chains=22"),
        ("order:items=129", "items=129"),
        ("needles:names=3", "names is 1 or 2"),
        ("needles:length=39", "do not fit 39"),
        ("needles:names=1,needles=25,length=200", "needles=25"),
        ("letter_blocks:block=26", "block must be 1 to 25"),
        ("copi", "no diagnostic task is called 'copi'; did you mean 'copy'"),
        ("copy:size=3", "'copy' has no option 'size'"),
    ],
)
def test_what_no_row_can_have_is_one_line(spec: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        registry.build_diagnostic(spec)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_answers_at_the_ends_of_parts() -> None:
    assert tail_answers(2, 5, 2) == [[-7, -6], [-2, -1]]
    assert tail_answers(1, 3, 3) == [[-3, -2, -1]]


def test_numbers_follow_one_another() -> None:
    assert [list(numbers) for numbers in numbered(1, 3, 2)] == [[0], [1, 2, 3], [4, 5]]


def test_parts_are_scattered_whole_and_in_order() -> None:
    task = registry.build_diagnostic("copy")
    places = Counter()
    for index in range(600):
        row = scattered(row_generator(task, "s", 0, index), [(1, 2), (3, 4)], [9, 8, 7])
        assert [token for token in row if token > 4] == [9, 8, 7]
        assert [token for token in row if token <= 4] == [1, 2, 3, 4]
        assert row[row.index(1) + 1] == 2
        assert row[row.index(3) + 1] == 4
        places[row.index(1)] += 1
    assert set(places) == {0, 1, 2, 3}
    assert scattered(row_generator(task, "s", 0, 0), [], [5]) == [5]

from __future__ import annotations

import pytest

from mta_eval import errors
from mta_eval.core import Cell, Sweep, depth_text, generator


def test_a_sweep_has_every_cell_once() -> None:
    sweep = Sweep((512, 1024), (0.0, None, 1.0), 3)
    cells = list(sweep.cells())
    assert len(cells) == len(set(cells)) == len(sweep) == 18
    assert {(cell.length, cell.depth, cell.repeat) for cell in cells} == {
        (length, depth, repeat) for length in (512, 1024) for depth in (0.0, None, 1.0) for repeat in range(3)
    }


def test_neighbours_share_haystack_and_the_deepest_needle_comes_first() -> None:
    cells = list(Sweep((512, 1024), (0.0, 0.5, None, 1.0), 2).cells())
    assert [(cell.length, cell.repeat) for cell in cells[::4]] == [(512, 0), (512, 1), (1024, 0), (1024, 1)]
    for first in range(0, 16, 4):
        assert [cell.depth for cell in cells[first : first + 4]] == [1.0, 0.5, 0.0, None]


@pytest.mark.parametrize(
    ("depth", "text"),
    [(None, "any"), (0, "0.00"), (0.5, "0.50"), (0.25, "0.25"), (0.125, "0.125"), (1, "1.00"), (1 / 3, "0.333333")],
)
def test_a_depth_is_written_with_two_digits_or_as_many_as_it_needs(depth: float | None, text: str) -> None:
    assert depth_text(depth) == text


def test_a_cell_is_written_as_its_coordinates() -> None:
    assert str(Cell(4096, 0.5, 3)) == "4096/0.50/3"
    assert str(Cell(0, None, 0)) == "0/any/0"


def test_chance_hangs_on_seed_and_key_alone_on_every_machine() -> None:
    assert generator(0, "niah", 512, 1).random() == generator(0, "niah", 512, 1).random()
    draws = [generator(*key).random() for key in [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, 1, "a"), (0, "a1")]]
    assert len(set(draws)) == 6
    assert generator(0, "niah", 512).getrandbits(32) == 2860080150


def test_every_error_has_one_root() -> None:
    names = ["SpecError", "LengthError", "TextError", "ModelError", "StoreError"]
    for name in names:
        error = getattr(errors, name)
        assert issubclass(error, errors.MtaEvalError)
        assert name in str(errors.__doc__)

"""What `runner.check` finds before any weights are loaded, and what it lets pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mta_eval import runner
from mta_eval.core import Cell, Plan, Sample, Sweep
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.window import Window


@dataclass
class Asked:
    """A task that remembers the cells it was asked for; its samples offer `choices`."""

    choices: tuple[str, ...] = ()
    cells: list[Cell] = field(default_factory=list)

    def sample(self, cell: Cell, seed: int, tokenizer: Any) -> Sample:
        self.cells.append(cell)
        return Sample(f"asked/{cell}", "asked", "Well?", ("a",), {}, cell.length, 2, 4, choices=self.choices)


def model(max_length: int = 10_000) -> Any:
    return SimpleNamespace(name="narrow", max_length=max_length, tokenizer=Window(9).tokenizer)


def plan(task: Asked, *lengths: int, max_length: int = 10_000, repeats: int = 1, **options: str) -> Plan:
    sweep = Sweep(lengths, (0.5,), repeats)
    return Plan({"asked": task}, {"m": model(max_length)}, sweep, **options)  # type: ignore[arg-type, dict-item]


def test_many_samples_of_short_lengths_are_made_and_one_of_long_ones() -> None:
    task = Asked()
    runner.check(plan(task, runner.SHORT, runner.SHORT + 1, repeats=runner.CHECKED + 5))
    made = [cell.length for cell in task.cells]
    assert made == [runner.SHORT] * runner.CHECKED + [runner.SHORT + 1]


def test_a_length_beyond_the_window_passes_where_prompts_may_be_cut() -> None:
    task = Asked()
    runner.check(plan(task, 512, max_length=300, over_length="mark"))
    assert task.cells == [Cell(512, 0.5, 0)]
    with pytest.raises(LengthError, match=r"300 tokens; drop it, or let --over-length mark cut such prompts and mark"):
        runner.check(plan(task, 512, max_length=300))


def test_a_model_whose_window_can_be_named_is_told_so() -> None:
    asked = plan(Asked(), 512, max_length=300)
    asked.models["m"].max_length_override = 0  # type: ignore[attr-defined]
    with pytest.raises(LengthError, match=r"records, or give the model max_length_override=TOKENS if it can read"):
        runner.check(asked)
    with pytest.raises(LengthError, match=r"mark their records$"):
        runner.check(plan(Asked(), 512, max_length=300))


def test_a_length_as_long_as_the_window_passes() -> None:
    runner.check(plan(Asked(), 300, max_length=300))


def test_choices_are_wanted_only_where_they_are_chosen_from() -> None:
    runner.check(plan(Asked(), 300))
    runner.check(plan(Asked(choices=("a", "b")), 300, answer="choose"))
    with pytest.raises(SpecError, match="asked offers no choices; use --answer generate"):
        runner.check(plan(Asked(), 300, answer="choose"))

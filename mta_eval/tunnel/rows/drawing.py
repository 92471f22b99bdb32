"""What the diagnostic tasks share: their streams of rows, token numbers, and lists shuffled into one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from mta_eval import registry
from mta_eval.core import DiagnosticTask, generator
from mta_eval.errors import SpecError

MOST = 100_000  # of anything that an option counts


def row_generator(task: DiagnosticTask, stream: str, seed: int, index: int) -> Random:
    """The chance of one row: streams of other names, seeds and options are apart from one another."""
    return generator(seed, registry.spec_of(task), stream, index)


def check_options(task: DiagnosticTask, **least: int) -> None:
    """Raises SpecError for an option below its least value or beyond MOST."""
    for name, value in least.items():
        if not value <= getattr(task, name) <= MOST:
            raise SpecError(f"{task.name}: {name} is {value} to {MOST}, not {getattr(task, name)}")


def longer(task: DiagnosticTask, factor: int) -> DiagnosticTask:
    """The task with `factor` times as much to look through. Raises SpecError where it has no such form."""
    changes: dict[str, Any] = {task.grows: factor * getattr(task, task.grows)}
    grown: DiagnosticTask = replace(task, **changes)  # type: ignore[type-var]  # a frozen dataclass, as each of them is
    return grown


def numbered(*sizes: int) -> list[range]:
    """Token numbers for kinds of tokens, one range after another: sizes 1, 3 -> {0} and {1, 2, 3}."""
    ranges, first = [], 0
    for size in sizes:
        ranges.append(range(first, first + size))
        first += size
    return ranges


def tail_answers(count: int, period: int, size: int) -> list[list[int]]:
    """Places of `count` answers of `size` tokens, each at the end of one of the row's last parts of `period` tokens."""
    return [list(range(-size - period * later, -period * later)) for later in range(count - 1, -1, -1)]


def scattered(random: Random, parts: Sequence[Sequence[int]], filler: Sequence[int]) -> list[int]:
    """`filler` with `parts` put in at random places, in their order, none within another."""
    places = sorted(random.choices(range(len(filler) + 1), k=len(parts)))
    row: list[int] = []
    for part, before, place in zip(parts, [0, *places], places, strict=False):
        row += [*filler[before:place], *part]
    return row + list(filler[places[-1] if places else 0 :])

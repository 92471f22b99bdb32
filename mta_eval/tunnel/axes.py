"""Difficulty axes: tasks of one name that differ in one number, as copy:length=8 and copy:length=16 do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from mta_eval import registry

WORDS = {"two_condition_recall": "two-condition recall"}  # where a name with spaces reads badly


@dataclass(frozen=True)
class DifficultyAxis:
    """One number of a task, and the spec of the task for each of its values, from the least to the largest."""

    name: str
    option: str
    fixed: str  # the other options, "a=1,b=2"
    tasks: dict[int, str]

    @property
    def title(self) -> str:
        """In words: two-condition recall, by distance."""
        return f"{task_text(f'{self.name}:{self.fixed}' if self.fixed else self.name)}, by {self.option}"


def axes_of(tasks: Sequence[str]) -> list[DifficultyAxis]:
    """The axes among the specs of diagnostic tasks, in their order. A task may be of several, or of none."""
    groups: dict[tuple[str, str, str], dict[int, str]] = {}
    for spec in tasks:
        task = registry.build_diagnostic(spec)
        assert dataclasses.is_dataclass(task)
        options = {field.name: (getattr(task, field.name), field.default) for field in dataclasses.fields(task)}
        for option, (value, _) in options.items():
            if isinstance(value, int) and not isinstance(value, bool):
                others = {name: both for name, both in options.items() if name != option}
                fixed = ",".join(f"{name}={is_now}" for name, (is_now, default) in others.items() if is_now != default)
                groups.setdefault((task.name, option, fixed), {})[value] = spec
    return [DifficultyAxis(*key, dict(sorted(found.items()))) for key, found in groups.items() if len(found) > 1]


def task_text(spec: str) -> str:
    """A task in words: two_condition_recall:distance=8 is "two-condition recall at distance 8"."""
    name, _, options = spec.partition(":")
    words = WORDS.get(name, name.replace("_", " "))
    return f"{words} at {options.replace('=', ' ').replace(',', ', ')}" if options else words

"""Every kind of picture, registered once: the built-in ones, then those of other packages.

A picture is a function from records to drawings, decorated with `@picture`. Another package names its own by an entry
point of the group `mta_eval.pictures`: `score_histogram = "package.module:score_histogram"`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from mta_eval.core import Record
from mta_eval.errors import SpecError
from mta_eval.registry import did_you_mean

GROUP = "mta_eval.pictures"
BUILT_IN = "mta_eval.results.pictures.built_in"
Scope = Literal["run", "grid", "task"]


@dataclass(frozen=True)
class Subject:
    """What is to be drawn: `records` of the whole run (`task` "") or of one task, and the axes of its grids.

    Where "task" is an axis, the records of a grid are those of all tasks.
    """

    task: str
    records: Sequence[Record]
    x: str
    y: str

    @property
    def only_read(self) -> bool:
        """Whether texts were read and nothing was answered, so that a score is no accuracy."""
        return all(record.was_read for record in self.records if record.score is not None)


@dataclass(frozen=True)
class Drawing:
    """A picture that can be drawn: `draw(path)` writes `path`.png, `path`.svg and `path`.pdf.

    `note` is one sentence: what is shown, what the bands are, how many samples were used. `name` becomes a part of the
    name of the file; "" is the task's.
    """

    title: str
    note: str
    draw: Callable[[Path], object]
    name: str = ""


Result = Drawing | Iterable[Drawing] | None


class PictureKind:
    """A registered picture. `drawings(subject)` are those that the records can fill."""

    def __init__(self, name: str, needs: Collection[str], scope: Scope, make: Callable[[Subject], Result]) -> None:
        self.name, self.needs, self.scope, self._make = name, frozenset(needs), scope, make
        self.__doc__ = make.__doc__

    def drawings(self, subject: Subject) -> Iterator[Drawing]:
        """None if the records lack something that the picture needs."""
        if all(_has(subject, need) for need in self.needs):
            result = self._make(subject)
            yield from () if result is None else (result,) if isinstance(result, Drawing) else result


def picture(
    name: str, *, needs: Collection[str] = (), scope: Scope = "task"
) -> Callable[[Callable[[Subject], Result]], PictureKind]:
    """Register a function as a picture; the first line of its docstring is its card.

    The function returns a Drawing, several, or None. It is called once for the `run`, or for each `task`, or for each
    `grid` (a task's, or that of all tasks where "task" is an axis), if the records have all it `needs`: "score" (a
    scored sample), "answers" (a scored answer, not only texts that were read), "needles", "positions", or an axis.
    """
    return lambda make: PictureKind(name, needs, scope, make)


def names() -> list[str]:
    """The names of all pictures, built-ins first."""
    return list(dict.fromkeys([*_built_in(), *(entry.name for entry in _entry_points())]))


def find(name: str) -> PictureKind:
    """The picture of a name. Raises SpecError, with the nearest names, if there is none or it cannot be loaded."""
    if name in (known := _built_in()):
        return known[name]
    entry = next((entry for entry in _entry_points() if entry.name == name), None)
    if entry is None:
        raise SpecError(f"no picture is called {name!r}{did_you_mean(name, names())}")
    try:
        kind = entry.load()
    except (ImportError, AttributeError) as error:
        raise SpecError(f"picture {name!r} cannot be loaded from {entry.value}: {error}") from error
    if not isinstance(kind, PictureKind):
        raise SpecError(f"picture {name!r}: {entry.value} is not decorated with @picture")
    return kind


def _built_in() -> dict[str, PictureKind]:
    return {kind.name: kind for kind in import_module(BUILT_IN).PICTURES}


def _entry_points() -> Iterable[importlib.metadata.EntryPoint]:
    return importlib.metadata.entry_points(group=GROUP)


def _has(subject: Subject, need: str) -> bool:
    if need == "score":
        return any(record.score is not None for record in subject.records)
    if need == "answers":
        return not subject.only_read
    if need in ("needles", "positions"):
        return any(getattr(record, need) for record in subject.records)
    return any(record.axes.get(need) is not None for record in subject.records)

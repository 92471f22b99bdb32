"""Run folders below a folder -> pages, made anew where a run has grown."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from mta_eval.core import Record, Run
from mta_eval.errors import MtaEvalError, StoreError
from mta_eval.results import several, store
from mta_eval.results.grid import axis_values
from mta_eval.results.labels import make_labels
from mta_eval.results.length_rule import LENGTH_RULE
from mta_eval.results.page.build import STYLES, PageOptions
from mta_eval.results.page.identity import few_of
from mta_eval.results.page.make import make_page
from mta_eval.results.page.matrix import matrix_of
from mta_eval.results.page.standing import RANK_NOTE
from mta_eval.results.page.template import HERE, template
from mta_eval.results.table import slug_of

INDEX, RUNS = "index.html", "run"
NAMED = 4  # tasks or models of a run in the index
Stamp = tuple[tuple[int, int], ...]


class Shelved(NamedTuple):
    """A run in the index, as texts; `address` is "" where it has no page (yet)."""

    name: str
    address: str
    tasks: str
    models: str
    answers: str
    state: str
    written: str
    folder: Path
    is_written: bool


class Shelf:
    """The runs below `folder`. With `every`, pages load themselves again after so many seconds while runs go on.

    Raises StoreError if there is no such folder.
    """

    def __init__(self, folder: Path, every: int = 0) -> None:
        if not folder.is_dir():
            raise StoreError(f"there is no folder {str(folder)!r}; name one that holds runs")
        self.folder, self.every = folder, every
        self._pages: dict[str, tuple[object, str]] = {}

    def addresses(self) -> dict[str, Path]:
        """The address of every run's page, and its folder."""
        taken: set[str] = set()
        found: dict[str, Path] = {}
        for folder in self._folders():
            slug = slug_of(self._name(folder), taken)
            taken.add(slug)
            found[f"{RUNS}/{slug}.html"] = folder
        return found

    def index(self) -> str:
        """The page of all runs."""
        runs = sorted(self._shelved(), key=lambda run: (run.written, run.name), reverse=True)
        going = any(run.is_written for run in runs)
        key = (tuple((run.name, _stamp(run.folder), run.state) for run in runs), going)
        return self._cached(INDEX, key, lambda: self._make_index(runs, going))

    def page(self, address: str) -> str | None:
        """The page at an address of `addresses`; None if there is none, or no answer yet. Raises StoreError."""
        folder = self.addresses().get(address)
        if folder is None:
            return None
        going = store.in_use(folder)
        return self._cached(address, (_stamp(folder), going), lambda: self._make_page(folder, going)) or None

    def _cached(self, address: str, key: object, make: Callable[[], str]) -> str:
        known = self._pages.get(address)
        if known is None or known[0] != key:
            known = self._pages[address] = key, make()
        return known[1]

    def _folders(self) -> Iterator[Path]:
        """Folders with a question, in order; what is in a run is not looked into, and links are not followed."""
        for place, folders, files in os.walk(self.folder):
            if store.QUESTION in files:
                folders.clear()
                yield Path(place)
            folders[:] = sorted(name for name in folders if not name.startswith("."))

    def _name(self, folder: Path) -> str:
        return folder.name if folder == self.folder else str(folder.relative_to(self.folder))

    def _shelved(self) -> Iterator[Shelved]:
        for address, folder in self.addresses().items():
            name, written = self._name(folder), _day_of(folder)
            try:
                run, going = store.read_run(folder), store.in_use(folder)
                answered = _lines(folder / store.RECORDS)
            except MtaEvalError as error:
                yield Shelved(name, "", "", "", "", str(error), written, folder, False)
                continue
            counts = f"{answered:,} of {run.samples:,}" if run.samples else f"{answered:,}"
            state = "going on" if going else "unfinished" if answered < run.samples else "finished"
            shown = address if answered else ""
            texts = few_of(run.tasks, NAMED), few_of(run.models, NAMED)
            yield Shelved(name, shown, *texts, counts, state, written, folder, going)

    def _make_page(self, folder: Path, going: bool) -> str:
        questions, records, _ = several.read_several([folder])
        if not records:
            return ""
        name, run = questions[0]
        reload = self.every if going else 0
        options = PageOptions(self._name(folder), reload, {name: str(folder)}, home=f"../{INDEX}")
        x, y = run.report_axis("x") or "length", run.report_axis("y") or "depth"
        shown = make_labels(records, questions).shown(records)
        return "".join(make_page(shown, x, y, questions, options))

    def _make_index(self, runs: Sequence[Shelved], going: bool) -> str:
        records = self._all_records([run.folder for run in runs if run.address])
        return template("index.html.j2").render(
            title=f"Runs of {self.folder.absolute().name}",
            reload=self.every if going else 0,
            style=Markup("".join((HERE / name).read_text("utf-8") for name in STYLES)),
            runs=runs,
            matrix=matrix_of(records, (), LENGTH_RULE) if axis_values(records, "task") else None,
            rank_note=RANK_NOTE,
        )

    def _all_records(self, folders: Sequence[Path]) -> list[Record]:
        """The records of all runs that can be read, as one."""
        readable = [folder for folder in folders if _can_be_read(folder)]
        if not readable:
            return []
        questions: list[tuple[str, Run]]
        questions, records, _ = several.read_several(readable)
        return make_labels(records, questions).shown(records)


def _can_be_read(folder: Path) -> bool:
    """A damaged run is told of in the index, where its page is asked for."""
    try:
        store.read(folder)
    except StoreError:
        return False
    return True


def _stamp(folder: Path) -> Stamp:
    """Size and time of the files of a run: another stamp, another page."""
    paths = [folder / store.QUESTION, folder / store.RECORDS]
    return tuple((there.st_size, there.st_mtime_ns) for path in paths if path.exists() for there in [path.stat()])


def _day_of(folder: Path) -> str:
    latest = max((time for _, time in _stamp(folder)), default=0)
    return datetime.datetime.fromtimestamp(latest / 1e9).isoformat(" ", "minutes")


def _lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error

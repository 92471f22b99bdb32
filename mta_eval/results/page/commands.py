"""The command that shows a sample in a terminal, such that it works as it is pasted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from mta_eval.core import Record, Run
from mta_eval.results.labels import stored


class ShowCommands:
    """`mta-eval show` for records of `runs` (name, question); `folders` has the path of each run, as a user gave it.

    A run without a path, such as a file of lm-eval's samples, has no command; where no run is known to hold a record,
    the path reads RUN.
    """

    def __init__(self, runs: Sequence[tuple[str, Run]], folders: Mapping[str, str]) -> None:
        self._runs, self._folders = runs, folders
        self._known: dict[tuple[str, str], tuple[str, str] | None] = {}

    def of(self, record: Record) -> str:
        """The command; "" if there is none."""
        record = stored(record)
        pair = record.task, record.model
        if pair not in self._known:
            self._known[pair] = self._ends(record)
        if (ends := self._known[pair]) is None:
            return ""
        seed = f" --seed {record.axes['seed']}" if "seed" in record.axes else ""
        return f"{ends[0]} {shlex.quote(record.sample_id)} {ends[1]}{seed}"

    def _ends(self, record: Record) -> tuple[str, str] | None:
        """What stands before and after the id."""
        # where two runs hold one model, the record's has its run's name behind it
        names = [
            (name, record.model.removesuffix(f" ({name})"), run) for name, run in self._runs if record.task in run.tasks
        ]
        held = [(name, model) for name, model, run in names if model in run.models]
        name, model = held[0] if held else ("", record.model)
        folder = self._folders.get(name, "" if name and self._folders else name or "RUN")
        if not folder:
            return None
        return shlex.join(["mta-eval", "show", folder]), shlex.join(["--model", model])

"""The samples of a run, one a line: ids to choose from, for `mta-eval show RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mta_eval import printable
from mta_eval.arguments import parse_depth, parse_length
from mta_eval.commands import terminal
from mta_eval.core import Record, Run, Scalar
from mta_eval.errors import SpecError
from mta_eval.registry import did_you_mean

HEAD = ("id", "task", "model", "score", "length", "depth", "mistake")
NUMBERS_FROM = 3  # the columns before hold texts


@dataclass(frozen=True)
class Chosen:
    """Which samples are listed: of a task, a model (spec or label), a length, a depth; "" for all. `wrong`: no others
    than those whose answer is not right or failed."""

    task: str = ""
    model: str = ""
    length: str = ""
    depth: str = ""
    wrong: bool = False

    def of(self, records: Sequence[Record], run: Run) -> list[Record]:
        """The records that are listed. Raises SpecError for a task or model that the run does not have."""
        from mta_eval.results.mistakes import kind_of

        for kind, name, known in (("task", self.task, run.tasks), ("model", self._spec(run), run.models)):
            if name and name not in known:
                raise SpecError(f"the run has no {kind} {name!r}{did_you_mean(name, known)}")
        length = parse_length(self.length) if self.length else None
        depth = parse_depth(self.depth, "show") if self.depth else None
        return [
            record
            for record in records
            if self.task in ("", record.task)
            and self._spec(run) in ("", record.model)
            and (length is None or record.axes.get("length") == length)
            and (not self.depth or record.axes.get("depth") == depth)
            and (not self.wrong or kind_of(record) is not None)
        ]

    def _spec(self, run: Run) -> str:
        return next((spec for spec, label in run.labels.items() if label == self.model), self.model)


def list_samples(folder: Path, chosen: Chosen, as_json: bool) -> None:
    """Print the samples of a run: a table on a terminal, values with tabs between them in a pipe, or JSON objects.

    Raises SpecError, StoreError.
    """
    from mta_eval.results import store

    run, records = store.read(folder)
    head = HEAD if len(run.seeds) == 1 else (*HEAD, "seed")
    rows = [sample_row(record, run)[: len(head)] for record in chosen.of(records, run)]
    if as_json:
        for row in rows:
            printable.write_json(dict(zip(head, row, strict=True)))
        return
    texts = [[_text(value) for value in row] for row in rows]
    if terminal.width_of_stdout() is None:
        terminal.print_lines("\t".join(map(printable.one_line, row)) for row in texts)
        return
    terminal.print_table(head, texts, left=NUMBERS_FROM)
    terminal.note(f"{len(rows)} of {len(records)} samples; one of them: mta-eval show {folder} ID")


def sample_row(record: Record, run: Run) -> tuple[Scalar, ...]:
    """The values of a sample under HEAD, and its seed."""
    from mta_eval.results.mistakes import kind_of

    model = run.labels.get(record.model, record.model)
    axes = (record.axes.get("length"), record.axes.get("depth"))
    return record.sample_id, record.task, model, record.score, *axes, kind_of(record), run.seed_of(record)


def _text(value: Scalar) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""How fast a report is made: from records.jsonl to report.html, with its pictures and without.

    python bench/report.py [--records 1k,10k,100k] [--models 2]

The records are made up: niah over 8 lengths and 5 depths, right by chance, each with a needle and the text around it,
as a run writes them.

read      seconds from records.jsonl to records
page      seconds for all that is no picture: sections, tables, the page with every answer, its files
pictures  seconds for the pictures
records/s from records.jsonl to report.html, with pictures and without
page MB   the size of report.html
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starting import start

from mta_eval.core import Cell, Record, Run, Sweep, generator
from mta_eval.errors import SpecError
from mta_eval.results import report
from mta_eval.results.store import RunFolder, read

SEED = 0
LENGTHS = tuple(1024 << power for power in range(8))
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
CONTEXT = (
    "The miller carried home a basket of pears, since nobody else was willing. The wind was colder than expected. "
)


class Row(NamedTuple):
    """Seconds of each step for so many records, and the bytes of report.html."""

    records: int
    read: float
    page: float
    pictures: float
    size: int


def make_records(count: int, models: int) -> Iterator[Record]:
    """`count` records of `models` models, each a little better than the one before."""
    for index in range(count):
        sample, model = divmod(index, models)
        repeat, cell = divmod(sample, len(LENGTHS) * len(DEPTHS))
        length, depth = LENGTHS[cell // len(DEPTHS)], DEPTHS[cell % len(DEPTHS)]
        random = generator(SEED, sample)
        value, right = str(random.randrange(10**6, 10**7)), random.random() * models < model + 0.5
        text = f"The magic number of Lisbon is {value}."
        needle = {"key": "Lisbon", "value": value, "text": text, "token_start": 9, "token_end": 19, "depth": depth}
        yield Record(
            sample_id=f"niah/{Cell(length, depth, repeat)}",
            task="niah",
            model=f"model {model}",
            axes={"length": length, "depth": depth, "repeat": repeat, "needles": 1},
            targets=[value],
            output=f" {value}" if right else " 1234567",
            score=float(right),
            prompt_tokens=length - 10,
            max_new_tokens=10,
            seconds=0.01,
            choices=[value, "1234567", "2345678", "3456789"],
            needles=[needle | {"asked": True, "before": CONTEXT, "after": CONTEXT}],
            prompt_sha256="0" * 64,
            peak_memory=10**9,
        )


def measure(count: int, models: int, folder: Path) -> Row:
    """The seconds that a report of `count` records takes, beginning at a run folder on disk. Raises StoreError."""
    names = tuple(f"model {number}" for number in range(models))
    sweep = Sweep(LENGTHS, DEPTHS, -(-count // (len(LENGTHS) * len(DEPTHS) * models)), SEED)
    RunFolder(folder, Run(("niah",), names, sweep, "generate", "refuse", "bench", {})).close()
    lines = (json.dumps(vars(record)) + "\n" for record in make_records(count, models))
    (folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    began = perf_counter()
    run, records = read(folder)
    read_at = perf_counter()
    picture_seconds: list[float] = []
    with patch.object(report, "draw_gallery", _timed(report.draw_gallery, picture_seconds)):
        html = report.write_report(records, folder / "report", runs=[("bench", run)])[0]
    report_seconds = perf_counter() - read_at
    return Row(count, read_at - began, report_seconds - sum(picture_seconds), sum(picture_seconds), html.stat().st_size)


def _timed(step: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """`step`, which also adds to `seconds` what each call took."""

    def timed(*arguments: Any) -> Any:
        began = perf_counter()
        made = step(*arguments)
        seconds.append(perf_counter() - began)
        return made

    return timed


def parse_counts(text: str) -> list[int]:
    """ "1k,500" -> [1000, 500]. Raises SpecError."""
    counts = [part.strip().lower().replace("k", "000") for part in text.split(",")]
    if not all(count.isdecimal() and int(count) for count in counts):
        raise SpecError(f"{text!r} are no numbers of records; write 1k,10k, for one")
    return [int(count) for count in counts]


def draw(rows: list[Row]) -> Table:
    """One row for each number of records."""
    table = Table(box=SIMPLE)
    for heading in ["records", "read\ns", "page\ns", "pictures\ns", "records/s", "without\npictures", "page\nMB"]:
        table.add_column(heading, justify="right")
    for row in rows:
        bare = row.read + row.page
        seconds = (f"{step:.2f}" for step in (row.read, row.page, row.pictures))
        rates = (f"{row.records / part:,.0f}" for part in (bare + row.pictures, bare))
        table.add_row(f"{row.records:,}", *seconds, *rates, f"{row.size / 1e6:.1f}")
    return table


def main(
    records: Annotated[str, typer.Option(help="How many records, with k as 1,000.")] = "1k,10k,100k",
    models: Annotated[int, typer.Option(min=1, help="How many models gave them.")] = 2,
) -> None:
    """Records per second from records.jsonl to report.html."""
    counts = parse_counts(records)
    if min(counts) < models:
        raise SpecError(f"{min(counts)} records of {models} models leave a model without any; take more records")
    with tempfile.TemporaryDirectory() as folder:
        measure(max(models, 100), models, Path(folder, "warm"))  # so that imports and fonts are in no row
        rows = [measure(count, models, Path(folder, str(count))) for count in counts]
    Console().print(draw(rows))


if __name__ == "__main__":
    start(main)

"""A comparison table: models in rows, the values of an axis in columns, reported rows before measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from mta_eval.core import AxisValue
from mta_eval.results.measures import Measurement
from mta_eval.results.table import CUT, GAP, axis_text

Reported = Mapping[str, Mapping[AxisValue, float | None]]  # model -> column -> value
Row = dict[AxisValue, Measurement]  # column -> cell
Cells = dict[str, Row]  # model -> its row
Notes = dict[tuple[str, AxisValue], str]
NOT_IN_TEXT = "not in text"
DERIVED = " (derived)"  # the note of a value that follows from reported ones
COLUMNS = (
    "table",
    "model",
    "axis",
    "value_of_axis",
    "reported",
    "reported_note",
    "measured",
    "low",
    "high",
    "std_over_seeds",
    "samples",
    "truncated",
    "seeds",
)


class NamedRange(NamedTuple):
    """Values between which somebody reports to have been, without saying where: drawn as a band."""

    low: float
    high: float
    label: str


@dataclass(frozen=True)
class ComparisonTable:
    """Rows are models, `columns` the values of the axis `across`; values are in `unit`, with this many `decimals`.

    `reported[row][column]` is None if the paper plots the value without stating it, and absent if the paper does not
    have it. `measured[row]` has the measured columns only. `notes[row, column]` is printed after a reported value.
    `range` is drawn, not printed.
    """

    title: str
    across: str
    columns: tuple[AxisValue, ...]
    reported: Reported
    measured: Mapping[str, Mapping[AxisValue, Measurement]]
    unit: str
    decimals: int = 1
    notes: Notes = field(default_factory=dict)
    range: NamedRange | None = None

    def head(self) -> list[str]:
        """The column heads of `rows`."""
        return ["", "model", *(self.column_text(column) for column in self.columns)]

    def rows(self) -> list[list[str]]:
        """Texts: the reported rows, then the measured ones, or one row of dashes if nothing was measured."""
        reported_rows = [
            [self.source_of(name), name, *(self._reported_text(name, column) for column in self.columns)]
            for name in self.reported
        ]
        measured_rows = [
            ["**measured**", name, *(self._measured_text(cells.get(column)) for column in self.columns)]
            for name, cells in self.measured.items()
        ]
        return reported_rows + (measured_rows or [["**measured**", GAP, *[GAP] * len(self.columns)]])

    def source_of(self, name: str) -> str:
        """What the values of a row of `reported` are: "reported", or "derived" if all that are known are noted so."""
        known = [column for column, value in self.reported[name].items() if value is not None]
        return "derived" if known and all(self.notes.get((name, column)) == DERIVED for column in known) else "reported"

    def frame(self) -> pd.DataFrame:
        """COLUMNS: one row for each cell that was reported or measured; what is unknown is empty."""
        rows: list[dict[str, object]] = []
        for name, line in self.reported.items():
            for column, value in line.items():
                note = NOT_IN_TEXT if value is None else self.notes.get((name, column), "").strip()
                rows.append(self._position(name, column) | {"reported": value, "reported_note": note})
        for name, cells in self.measured.items():
            rows += [self._position(name, column) | self._figures(cell) for column, cell in cells.items()]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def unmeasured_columns(self) -> list[AxisValue]:
        """The columns without a measured value of any model."""
        return [column for column in self.columns if not any(column in cells for cells in self.measured.values())]

    def incomplete_columns(self) -> list[AxisValue]:
        """The columns without a measured value of at least one model."""
        return [column for column in self.columns if not all(column in cells for cells in self._rows())]

    def _rows(self) -> list[Mapping[AxisValue, Measurement]]:
        return list(self.measured.values()) or [{}]

    def missing_by_model(self) -> dict[str, list[AxisValue]]:
        """For each measured model the columns that were measured for another model but not for it."""
        measured = [column for column in self.columns if column not in self.unmeasured_columns()]
        gaps = {name: [column for column in measured if column not in cells] for name, cells in self.measured.items()}
        return {name: columns for name, columns in gaps.items() if columns}

    def column_text(self, column: AxisValue) -> str:
        """The head of a column."""
        return axis_text(self.across, column)

    def _reported_text(self, name: str, column: AxisValue) -> str:
        if column not in self.reported[name]:
            return GAP
        value = self.reported[name][column]
        return NOT_IN_TEXT if value is None else f"{value:,.{self.decimals}f}{self.notes.get((name, column), '')}"

    def _measured_text(self, cell: Measurement | None) -> str:
        if cell is None:
            return GAP
        text = f"{cell.mean:,.{self.decimals}f}"
        if cell.std is not None:
            text += f" ± {cell.std:,.{self.decimals}f}"
        if cell.low is not None and cell.high is not None:
            text += f" [{cell.low:,.{self.decimals}f}–{cell.high:,.{self.decimals}f}]"
        if cell.count:
            text += f", n={cell.count:,}"
        return f"{text} {CUT}" if cell.cut else text

    def _position(self, name: str, column: AxisValue) -> dict[str, object]:
        return {"table": self.title, "model": name, "axis": self.across, "value_of_axis": column}

    def _figures(self, cell: Measurement) -> dict[str, object]:
        seeds = " · ".join(f"{seed}: {value:.{self.decimals + 1}f}" for seed, value in cell.seeds.items())
        figures = {"measured": cell.mean, "low": cell.low, "high": cell.high, "std_over_seeds": cell.std}
        return figures | {"samples": cell.count, "truncated": cell.cut, "seeds": seeds}


def join(tables: Sequence[ComparisonTable]) -> pd.DataFrame:
    """The frames of several tables, concatenated; empty, with all COLUMNS, for no tables."""
    rows = [row for table in tables for row in table.frame().to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"samples": "Int64", "truncated": "Int64"})

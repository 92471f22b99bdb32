"""One grid of a paper's table or figure: models down, an axis across, reported apart from measured. No picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mta_eval.results.measures import Measurement as Cell
from mta_eval.results.table import CUT, GAP, axis_text

NOT_IN_TEXT = "not in text"
COLUMNS = (
    "sheet",
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


@dataclass(frozen=True)
class Sheet:
    """Rows are models, `columns` the values of the axis `across`; figures are in `unit`, shown with so many decimals.

    `reported[row][column]` is None where the paper plots the value without telling it; a row or column that it lacks
    is not there. `measured[row]` has no column that was not measured. `notes[row, column]` follows a reported value.
    """

    title: str
    across: str
    columns: tuple[Any, ...]
    reported: Mapping[str, Mapping[Any, float | None]]
    measured: Mapping[str, Mapping[Any, Cell]]
    unit: str
    decimals: int = 1
    notes: Mapping[tuple[str, Any], str] = field(default_factory=dict)

    def head(self) -> list[str]:
        """The columns of `rows`."""
        return ["", "model", *(self.column_text(column) for column in self.columns)]

    def rows(self) -> list[list[str]]:
        """Texts: the reported rows, then the measured ones; one of gaps if nothing was measured."""
        said = [["reported", name, *(self._said(name, column) for column in self.columns)] for name in self.reported]
        found = [
            ["**measured**", name, *(self._found(cells.get(column)) for column in self.columns)]
            for name, cells in self.measured.items()
        ]
        return said + (found or [["**measured**", GAP, *[GAP] * len(self.columns)]])

    def frame(self) -> pd.DataFrame:
        """COLUMNS: one row for each cell that is reported or was measured. Unmeasured figures are empty."""
        rows: list[dict[str, object]] = []
        for name, line in self.reported.items():
            for column, value in line.items():
                note = NOT_IN_TEXT if value is None else self.notes.get((name, column), "").strip()
                rows.append(self._place(name, column) | {"reported": value, "reported_note": note})
        for name, cells in self.measured.items():
            rows += [self._place(name, column) | self._figures(cell) for column, cell in cells.items()]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def lacking(self) -> list[Any]:
        """The columns that no model has a measured value of."""
        return [column for column in self.columns if not any(column in cells for cells in self.measured.values())]

    def missing(self) -> list[Any]:
        """The columns that at least one model has no measured value of."""
        return [column for column in self.columns if not all(column in cells for cells in self._rows())]

    def _rows(self) -> list[Mapping[Any, Cell]]:
        return list(self.measured.values()) or [{}]

    def gaps(self) -> dict[str, list[Any]]:
        """For each measured model the columns that it lacks and another model has."""
        some = [column for column in self.columns if column not in self.lacking()]
        gaps = {name: [column for column in some if column not in cells] for name, cells in self.measured.items()}
        return {name: columns for name, columns in gaps.items() if columns}

    def column_text(self, column: Any) -> str:
        """A column's name."""
        return axis_text(self.across, column)

    def _said(self, name: str, column: Any) -> str:
        if column not in self.reported[name]:
            return GAP
        value = self.reported[name][column]
        return NOT_IN_TEXT if value is None else f"{value:,.{self.decimals}f}{self.notes.get((name, column), '')}"

    def _found(self, cell: Cell | None) -> str:
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

    def _place(self, name: str, column: Any) -> dict[str, object]:
        return {"sheet": self.title, "model": name, "axis": self.across, "value_of_axis": column}

    def _figures(self, cell: Cell) -> dict[str, object]:
        seeds = " · ".join(f"{seed}: {value:.{self.decimals + 1}f}" for seed, value in cell.seeds.items())
        figures = {"measured": cell.mean, "low": cell.low, "high": cell.high, "std_over_seeds": cell.std}
        return figures | {"samples": cell.count, "truncated": cell.cut, "seeds": seeds}


def join(sheets: Sequence[Sheet]) -> pd.DataFrame:
    """The frames of several sheets below one another; empty, with all COLUMNS, for none."""
    rows = [row for sheet in sheets for row in sheet.frame().to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"samples": "Int64", "truncated": "Int64"})

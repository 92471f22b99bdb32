"""The axes of a picture of comparison tables: their labels, and where columns and markers stand on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mta_eval.core import AxisValue

Limits = tuple[float, float]


class AxesStyle(NamedTuple):
    """The axis labels of a subplot, and the limits of y (None: from the values).

    `doubling`: columns are numbers, and stand one apart where one is twice the other; else all stand one apart.
    """

    y_label: str
    x_label: str
    ends: Limits | None = (0, 100)
    doubling: bool = False

    def places(self, columns: Sequence[AxisValue]) -> list[float]:
        """Where columns stand on the x axis, from left to right. On a scale 0, "as it is", stands before the others."""
        if not self.doubling:
            return [float(place) for place in range(len(columns))]
        numbers = [float(column) if isinstance(column, int | float) else 0.0 for column in columns]
        least = min((number for number in numbers if number > 0), default=1.0)
        return [math.log2(number / least) if number > 0 else -1.0 for number in numbers]


def aside(number: int, count: int) -> float:
    """How far beside its place a marker stands, so that equal values do not hide one another."""
    return (number - (count - 1) / 2) * min(0.14, 0.6 / count)


def edges_of(places: Sequence[float]) -> list[float]:
    """The borders between places, halfway; half a step beyond the first and the last."""
    return [places[0] - 0.5, *((left + right) / 2 for left, right in pairwise(places)), places[-1] + 0.5]

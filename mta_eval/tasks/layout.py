"""Layout: which text stands where. Inserts are placed between the sentences of a haystack, at their depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mta_eval.tasks.counting import Piece, Pieces, Run
from mta_eval.tasks.haystack import Haystack


class Insert(NamedTuple):
    """A text to bury; `place` is where, from 0 to 1 of the context. With `own_line` it stands on a line of its own."""

    text: str
    place: float
    own_line: bool = False


class Layout:
    """One context: haystack units from `start` on, and `inserts` of known `sizes` (tokens) between them."""

    def __init__(
        self, haystack: Haystack, start: int, around: tuple[str, str], inserts: Sequence[Insert], sizes: list[int]
    ) -> None:
        self.haystack, self.start = haystack, start
        self._around = around
        self._inserts = list(inserts)
        self._sizes = sizes
        self._room = sum(sizes)  # tokens of the context, inserts included
        self._wanted: list[float] = [0.0] * len(inserts)  # haystack tokens before each insert
        self.order = list(range(len(inserts)))

    @property
    def hay(self) -> int:
        """Tokens of haystack there is room for."""
        return self._room - sum(self._sizes)

    def aim(self, room: int, pinned: int | None, depth: float | None, keep_order: bool) -> None:
        """Decide how many haystack tokens stand before each insert when the context has `room` tokens."""
        self._room = max(room, sum(self._sizes))
        hay = self.hay
        if pinned is None or depth is None:
            self._wanted = [insert.place * hay for insert in self._inserts]
            return
        goal = depth * (self._room - self._sizes[pinned])
        if not keep_order:
            pinned = self._give_way(pinned, goal)
        here = min(max(goal - sum(self._sizes[:pinned]), 0.0), float(hay))
        for index, insert in enumerate(self._inserts):
            if index < pinned:
                self._wanted[index] = here * min(insert.place / depth if depth else 0.0, 1.0)
            elif index == pinned:
                self._wanted[index] = here
            else:
                beyond = (insert.place - depth) / (1 - depth) if depth < 1 else 1.0
                self._wanted[index] = here + (hay - here) * min(max(beyond, 0.0), 1.0)

    def _give_way(self, pinned: int, goal: float) -> int:
        """Swap the pinned insert with neighbours that crowd it off its depth."""
        while pinned and sum(self._sizes[:pinned]) - goal > self._sizes[pinned - 1] / 2:
            pinned = self._swap(pinned, pinned - 1)
        behind = self._room - self._sizes[pinned] - goal
        while pinned < len(self._sizes) - 1 and sum(self._sizes[pinned + 1 :]) - behind > self._sizes[pinned + 1] / 2:
            pinned = self._swap(pinned, pinned + 1)
        return pinned

    def _swap(self, one: int, other: int) -> int:
        for row in (self._inserts, self.order, self._sizes):
            _exchange(row, one, other)
        return other

    def pieces(self, end: int, fragment: str | None) -> Pieces:
        """The whole prompt for a haystack that ends before unit `end`, and then with `fragment`."""
        hay = self.haystack
        last = end
        pieces: Pieces = [Piece(self._around[0])]
        tail = "\n"  # the character before the next piece; the context begins like a line
        break_ = ""  # the line's end that the next piece owes to a text on a line of its own
        unit = self.start

        def run_to(border: int) -> None:
            nonlocal unit, tail, break_
            if unit == border:
                return
            opening = hay.unit(unit)
            if tail == "\n":
                opening = opening.lstrip(" ")
            elif not opening.startswith(" "):
                opening = " " + opening
            pieces.append(Piece(break_ + opening))
            break_ = ""
            if unit + 1 < border:
                pieces.append(Run(unit + 1, border))
            unit, tail = border, hay.unit(border - 1)[-1]

        def add(text: str, mark: bool, own_line: bool = False) -> None:
            nonlocal tail, break_
            glue = break_ or ("" if tail == "\n" else "\n" if own_line else " ")
            pieces.append(Piece(glue + text, len(glue) if mark else -1))
            tail, break_ = ("\n", "\n") if own_line else (text[-1], "")

        whole = hay.tokens(self.start, last)
        for insert, wanted in zip(self._inserts, self._wanted, strict=True):
            beyond = fragment is not None and wanted - whole > (self.hay - whole) / 2
            run_to(last if beyond else max(hay.nearest(self.start, last, wanted), unit))
            if beyond and fragment is not None:
                add(fragment, mark=False)
                fragment = None
            add(insert.text, mark=True, own_line=insert.own_line)
        run_to(last)
        if fragment is not None:
            add(fragment, mark=False)
        _trim(pieces, hay)
        pieces.append(Piece(self._around[1]))
        return pieces


def _exchange(row: list[Any], one: int, other: int) -> None:
    row[one], row[other] = row[other], row[one]


def _trim(pieces: Pieces, haystack: Haystack) -> None:
    """Drop the white space at the context's end; the frame brings its own."""
    last = pieces[-1]
    if isinstance(last, Run):
        if last.last - last.first > 1:
            pieces[-1] = Run(last.first, last.last - 1)
            pieces.append(Piece(haystack.unit(last.last - 1).rstrip()))
        else:
            pieces[-1] = Piece(haystack.unit(last.first).rstrip())
    elif len(pieces) > 1:
        pieces[-1] = Piece(last.text.rstrip(), last.mark)

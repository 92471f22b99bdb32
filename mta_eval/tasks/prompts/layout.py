"""Layout: which text stands where. Inserts are placed between the sentences of a haystack, at their depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from mta_eval.tasks.prompts.counting import FillerRun, Piece, Pieces
from mta_eval.tasks.prompts.haystack import Haystack
from mta_eval.tasks.prompts.units import is_line, space_between

Item = TypeVar("Item")


class NeedlePlacement(NamedTuple):
    """A needle's text; `depth` is its place in the context, from 0 to 1. `own_line`: on a line of its own."""

    text: str
    depth: float
    own_line: bool = False


class Layout:
    """One context: haystack units from `start` on, and `inserts` of known `sizes` (tokens) between them."""

    def __init__(
        self,
        haystack: Haystack,
        start: int,
        template: tuple[str, str],
        inserts: Sequence[NeedlePlacement],
        sizes: list[int],
    ) -> None:
        self.haystack, self.start = haystack, start
        self._template = template
        self._inserts = list(inserts)
        self._sizes = sizes
        self._room = sum(sizes)  # tokens of the context, inserts included
        self._targets: list[float] = [0.0] * len(inserts)  # haystack tokens before each insert
        self.order = list(range(len(inserts)))

    @property
    def filler_tokens(self) -> int:
        """Tokens of haystack there is room for."""
        return self._room - sum(self._sizes)

    def aim(self, room: int, swept_needle: int | None, depth: float | None, keep_order: bool) -> None:
        """Decide how many haystack tokens stand before each insert when the context has `room` tokens."""
        self._room = max(room, sum(self._sizes))
        filler = self.filler_tokens
        if swept_needle is None or depth is None:
            self._targets = [insert.depth * filler for insert in self._inserts]
            return
        goal = depth * (self._room - self._sizes[swept_needle])
        if not keep_order:
            swept_needle = self._resolve_overlap(swept_needle, goal)
        here = min(max(goal - sum(self._sizes[:swept_needle]), 0.0), float(filler))
        for index, insert in enumerate(self._inserts):
            if index < swept_needle:
                self._targets[index] = here * min(insert.depth / depth if depth else 0.0, 1.0)
            elif index == swept_needle:
                self._targets[index] = here
            else:
                beyond = (insert.depth - depth) / (1 - depth) if depth < 1 else 1.0
                self._targets[index] = here + (filler - here) * min(max(beyond, 0.0), 1.0)

    def _resolve_overlap(self, swept_needle: int, goal: float) -> int:
        """Swap the swept needle with neighbours that take up its depth."""
        while swept_needle and sum(self._sizes[:swept_needle]) - goal > self._sizes[swept_needle - 1] / 2:
            swept_needle = self._swap(swept_needle, swept_needle - 1)
        behind = self._room - self._sizes[swept_needle] - goal
        while (
            swept_needle < len(self._sizes) - 1
            and sum(self._sizes[swept_needle + 1 :]) - behind > self._sizes[swept_needle + 1] / 2
        ):
            swept_needle = self._swap(swept_needle, swept_needle + 1)
        return swept_needle

    def _swap(self, first: int, second: int) -> int:
        _exchange(self._inserts, first, second)
        _exchange(self.order, first, second)
        _exchange(self._sizes, first, second)
        return second

    def pieces(self, end: int, fragment: str | None) -> Pieces:
        """The whole prompt for a haystack that ends before unit `end`, and then with `fragment`."""
        haystack = self.haystack
        last = end
        pieces: Pieces = [Piece(self._template[0])]
        tail = "\n"  # the character before the next piece; the context begins like a line
        break_ = ""  # the line's end that the next piece owes to a text on a line of its own
        unit = self.start

        def run_to(border: int) -> None:
            nonlocal unit, tail, break_
            if unit == border:
                return
            opening = _following(haystack.unit(unit), tail, first=len(pieces) == 1)
            pieces.append(Piece(break_ + opening))
            break_ = ""
            if unit + 1 < border:
                pieces.append(FillerRun(unit + 1, border))
            unit, tail = border, haystack.unit(border - 1)[-1]

        def add(text: str, mark: bool, own_line: bool = False) -> None:
            nonlocal tail, break_
            glue = break_ or ("" if tail == "\n" else "\n" if own_line else space_between(tail, text))
            pieces.append(Piece(glue + text, len(glue) if mark else -1))
            tail, break_ = ("\n", "\n") if own_line else (text[-1], "")

        haystack_tokens = haystack.tokens(self.start, last)
        for insert, target in zip(self._inserts, self._targets, strict=True):
            beyond = fragment is not None and target - haystack_tokens > (self.filler_tokens - haystack_tokens) / 2
            run_to(last if beyond else max(haystack.nearest(self.start, last, target), unit))
            if beyond and fragment is not None:
                add(fragment, mark=False)
                fragment = None
            add(insert.text, mark=True, own_line=insert.own_line or self._is_among_lines(unit))
        run_to(last)
        if fragment is not None:
            add(fragment, mark=False)
        _trim(pieces, haystack)
        pieces.append(Piece(self._template[1]))
        return pieces

    def _is_among_lines(self, unit: int) -> bool:
        """Whether a line of the haystack stands before or after the border before `unit`."""
        return any(is_line(self.haystack.unit(beside)) for beside in (max(unit - 1, self.start), unit))


def _following(unit: str, tail: str, first: bool) -> str:
    """A unit as it stands behind the character `tail`, or `first` in the context: its indentation, if it is a line."""
    if first:
        unit = unit.lstrip("\n")
    if is_line(unit):
        return unit
    if tail == "\n":
        return unit.lstrip(" ")
    return unit if unit.startswith(" ") else space_between(tail, unit) + unit


def _exchange(row: list[Item], first: int, second: int) -> None:
    row[first], row[second] = row[second], row[first]


def _trim(pieces: Pieces, haystack: Haystack) -> None:
    """Drop the white space at the context's end; the template brings its own. An insert stays as it is."""
    last = pieces[-1]
    if isinstance(last, FillerRun):
        if last.last - last.first > 1:
            pieces[-1] = FillerRun(last.first, last.last - 1)
            pieces.append(Piece(haystack.unit(last.last - 1).rstrip()))
        else:
            pieces[-1] = Piece(haystack.unit(last.first).rstrip())
    elif len(pieces) > 1 and last.insert_start < 0:
        pieces[-1] = Piece(last.text.rstrip())

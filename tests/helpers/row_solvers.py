"""Every diagnostic task solved from its tokens alone, as a person would read them: nothing of the generators is used.

A solver takes the row before the answers' tokens (as a list, None where an answer stands) and gives the whole row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Row = list[int | None]


def hidden(row: Sequence[int], answers: Sequence[Sequence[int]]) -> Row:
    """A row with None for every token that is asked."""
    asked = {place for answer in answers for place in answer}
    return [None if place - len(row) in asked else token for place, token in enumerate(row)]


def solve_letter_blocks(row: Row) -> list[int]:
    """26 is the period, 28 the end of the blocks; the letters after it stand in one block."""
    known = [token for token in row if token is not None]
    mark = known.index(27)
    blocks: list[list[int]] = [[]]
    for token in known[1:mark]:
        if token == 26:
            blocks.append([])
        else:
            blocks[-1].append(token)
    query = set(known[mark + 1 :])
    (block,) = [block for block in blocks if query <= set(block)]
    answers = row.count(None) - 1
    return [*known, *block[:answers], 30]


def solve_recall(row: Row) -> list[int]:
    """Pairs until the mark 0; then keys, with their values hidden."""
    end = row.index(0)
    values = dict(zip(row[:end:2], row[1:end:2], strict=True))
    return _filled(row, lambda place: values[row[place - 1]])


def two_condition_solver(distance: int) -> Callable[[Row], list[int]]:
    """Keys are the first and the last but one token of each part of distance + 2."""

    def solve(row: Row) -> list[int]:
        end, size = row.index(0), distance + 2
        parts = [row[at : at + size] for at in range(0, end, size)]
        values = {(part[0], part[-2]): part[-1] for part in parts}
        assert len(values) == len(parts)
        return _filled(row, lambda place: values[row[place - size + 1], row[place - 1]])

    return solve


def solve_induction(row: Row) -> list[int]:
    """The token before an answer stands once before it, outside the questions; what followed it there?"""

    def followed(place: int) -> int | None:
        start = next(at for at, token in enumerate(row) if token is None) - 1
        assert row[:start].count(row[place - 1]) == 1
        return row[row.index(row[place - 1]) + 1]

    return _filled(row, followed)


def solve_copy(row: Row) -> list[int]:
    """All before the mark 0."""
    end = row.index(0)
    return [token for token in [*row[: end + 1], *row[:end]] if token is not None]


def selective_copy_solver(kinds: int) -> Callable[[Row], list[int]]:
    """Tokens 1 to `kinds` before the mark 0; others are noise."""

    def solve(row: Row) -> list[int]:
        context = [token for token in row if token is not None]
        return [*context, *(token for token in context if 0 < token <= kinds)]

    return solve


def solve_chains(row: Row) -> list[int]:
    """(variable, what it is told to be) until the mark 0; what is no variable is a value."""
    end = row.index(0)
    told = dict(zip(row[:end:2], row[1:end:2], strict=True))
    assert len(told) == end // 2

    def value(place: int) -> int | None:
        found = row[place - 1]
        while found in told:
            found = told[found]
        return found

    return _filled(row, value)


def solve_order(row: Row) -> list[int]:
    """Of the two tokens before an answer, that with the smaller place."""
    return _filled(row, lambda place: min(row[place - 2 : place], key=row.index))


def needle_solver(names: int) -> Callable[[Row], list[int]]:
    """After each mark 0: a name of `names` tokens, two digits. After each mark 1: a name."""

    def solve(row: Row) -> list[int]:
        found = {}
        for place, token in enumerate(row):
            if token == 0:
                name = tuple(row[place + 1 : place + 1 + names])
                assert name not in found
                found[name] = row[place + 1 + names : place + 3 + names]

        def digit(place: int) -> int | None:
            mark = max(at for at in range(place) if row[at] == 1)
            return found[tuple(row[mark + 1 : mark + 1 + names])][place - mark - 1 - names]

        return _filled(row, digit)

    return solve


def _filled(row: Row, answer: Callable[[int], int | None]) -> list[int]:
    tokens = [answer(place) if token is None else token for place, token in enumerate(row)]
    return [token for token in tokens if token is not None]

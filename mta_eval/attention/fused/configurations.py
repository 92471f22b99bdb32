"""Block sizes of the kernels: plain tables by element size, head size and the card's shared memory. No search.

Every row is compiled for every card that it is shipped for by a test, which holds its shared memory under the card's.
"""

from __future__ import annotations

from typing import NamedTuple

LARGE_MEMORY = 200_000  # bytes of shared memory a block can have on sm_90 and sm_100; sm_80 has 166,912


class Blocks(NamedTuple):
    """Query rows and keys of one block (of the third size where a kernel has one), warps, and stages of loads."""

    rows: int
    keys: int
    warps: int
    stages: int
    columns: int = 64


class Configuration(NamedTuple):
    """The blocks of all kernels.

    `attend` is the forward pass; `weigh` writes weights and their gradients, `query` and `column` are the products
    with them, `tokens` the rows of the kernels that are linear in the context.
    """

    attend: Blocks
    weigh: Blocks
    query: Blocks
    column: Blocks
    tokens: int = 64


HALF_LARGE = Configuration(
    attend=Blocks(128, 128, 8, 4),
    weigh=Blocks(128, 128, 8, 4),
    query=Blocks(128, 64, 8, 4),
    column=Blocks(64, 128, 4, 3, columns=128),
)
HALF_SMALL = Configuration(
    attend=Blocks(128, 64, 8, 3),
    weigh=Blocks(128, 64, 8, 3),
    query=Blocks(128, 64, 8, 3),
    column=Blocks(64, 64, 4, 3, columns=128),
)
HALF_WIDE = Configuration(  # values of more than 128 elements: accumulators take the registers
    attend=Blocks(64, 64, 4, 2),
    weigh=Blocks(64, 64, 4, 3),
    query=Blocks(64, 64, 8, 2),
    column=Blocks(64, 64, 4, 3, columns=64),
    tokens=32,
)
HALF_WIDE_SMALL = HALF_WIDE._replace(attend=Blocks(64, 32, 4, 2))
FULL = Configuration(
    attend=Blocks(64, 32, 4, 2),
    weigh=Blocks(64, 32, 4, 2),
    query=Blocks(64, 32, 4, 2),
    column=Blocks(32, 32, 4, 2, columns=64),
    tokens=32,
)


def configuration(item: int, size: int, value: int, memory: int) -> Configuration:
    """The blocks for elements of `item` bytes, heads of `size`, values of `value`, and `memory` bytes a block."""
    if item >= 4:
        return FULL
    if max(size, value) > 128:
        return HALF_WIDE if memory > LARGE_MEMORY else HALF_WIDE_SMALL
    return HALF_LARGE if memory > LARGE_MEMORY else HALF_SMALL

"""The sizes of one fused attention, worked out once and read by every launcher."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mta_eval.attention.kernels import KeyPadding, key_reach

LN2 = 0.6931471805599453


@dataclass(frozen=True)
class Geometry:
    """B x H heads over `rows` stored queries and `keys` keys; the first `history` rows only give scores to later rows.

    Query row u stands at token u + `first`. A convolution reaches `halo` queries up, `left` keys back and `right` keys
    forward; the logits of a row's newest `band` keys read masked scores too, among the row's `reach` newest ones.
    """

    batch: int
    heads: int
    key_groups: int
    value_groups: int
    rows: int
    history: int
    keys: int
    size: int
    value: int
    queries_in_kernel: int
    keys_in_kernel: int
    left: int
    right: int
    item: int
    documents: bool = False
    dropout: float = 0.0

    @property
    def halo(self) -> int:
        """How many earlier queries one row of logits reads."""
        return self.queries_in_kernel - 1

    @property
    def first(self) -> int:
        """The token of stored row 0."""
        return self.keys - self.rows

    @property
    def queries(self) -> int:
        """Rows that get outputs."""
        return self.rows - self.history

    @property
    def all_heads(self) -> int:
        """Heads of the whole batch."""
        return self.batch * self.heads

    @property
    def band(self) -> int:
        """How many of a row's newest keys are not a dot product of widened queries and keys."""
        return self.halo + self.right

    @property
    def reach(self) -> int:
        """How many of a row's newest scores its band reads."""
        return self.band + self.left

    @property
    def wide(self) -> int:
        """Elements of a widened key, c_q D."""
        return self.queries_in_kernel * self.size

    @property
    def chunk(self) -> int:
        """Elements of a widened key that one step of the products reads."""
        return min(64 if self.item < 4 else 32, power(self.wide))

    @property
    def wide_stored(self) -> int:
        """`wide`, filled with zeros to whole chunks."""
        return up(self.wide, self.chunk)

    @property
    def keys_stored(self) -> int:
        """Rows of widened keys, filled with zeros to whole blocks of any kernel."""
        return up(self.keys, 128)

    @property
    def scale(self) -> float:
        """What scores are multiplied by: 1 / sqrt(D)."""
        return float(self.size**-0.5)

    @property
    def precision(self) -> str:
        """The input precision of products: float32 keeps its accuracy on tensor cores by three products of tf32."""
        return "tf32x3" if self.item >= 4 else "tf32"


def geometry(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernel: torch.Tensor,
    history: int,
    padding: KeyPadding,
    documents: bool,
    dropout: float,
) -> Geometry:
    """The geometry of q (B, H, rows, D), k (B, G, S, D), v (B, G', S, D_v) and kernel (H, c_q, c_k)."""
    left, right = key_reach(kernel, padding)
    batch, heads, rows, size = q.shape
    return Geometry(
        batch=batch,
        heads=heads,
        key_groups=k.shape[1],
        value_groups=v.shape[1],
        rows=rows,
        history=history,
        keys=k.shape[2],
        size=size,
        value=v.shape[3],
        queries_in_kernel=kernel.shape[1],
        keys_in_kernel=kernel.shape[2],
        left=left,
        right=right,
        item=q.element_size(),
        documents=documents,
        dropout=dropout,
    )


def up(number: int, step: int) -> int:
    """`number` rounded up to a multiple of `step`."""
    return -(-number // step) * step


def power(number: int, least: int = 16) -> int:
    """The least power of two from `number` and `least` on."""
    return max(least, 1 << (number - 1).bit_length()) if number > 0 else least


def halves(number: int) -> tuple[int, int]:
    """Two powers of two, the second one possibly 0, whose sum holds `number` with little waste: 96 is 64 + 32."""
    whole = power(number)
    if whole == number or number <= 16:
        return whole, 0
    rest = power(number - whole // 2)
    return (whole // 2, rest) if rest < whole // 2 else (whole, 0)

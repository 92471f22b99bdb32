"""The learned kernels of one attention layer, and how they begin (Multi-Token Attention, arXiv 2504.00927, section 3).

`c_q` and `c_k` are the sizes of a key-query kernel over queries and keys, `c_h` the size of a head kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch

KeyPadding = Literal["both", "left", "right"]
Initialisation = Literal["identity", "zero", "constant", "uniform", "normal", "diagonal"]


class Kernels(NamedTuple):
    """What lies between the scores of one layer and its outputs; None where there is nothing. Without any: softmax.

    Key-query kernels (H, c_q, c_k), equations 4-6: row c_q - 1 meets the current query, the rows above it the queries
    before. `key_padding` says which keys: around the current one ("both"; one more on its right if c_k is even),
    up to it ("left") or from it on ("right"). Head kernels (H / c_h, c_h, c_h), equation 7: [group, out, in].
    `softmax_again`: the weights go through softmax once more, over the same keys, as in older released code.
    """

    convolve_before: torch.Tensor | None = None
    mix_before: torch.Tensor | None = None
    convolve_after: torch.Tensor | None = None
    mix_after: torch.Tensor | None = None
    key_padding: KeyPadding = "both"
    softmax_again: bool = False

    @property
    def are_none(self) -> bool:
        """Whether nothing but softmax is left."""
        return all(kernel is None for kernel in self[:4]) and not self.softmax_again

    @property
    def halo_before(self) -> int:
        """How many earlier queries one row of logits needs: c_q - 1."""
        return 0 if self.convolve_before is None else self.convolve_before.shape[1] - 1

    @property
    def halo_after(self) -> int:
        """How many earlier rows of weights one output needs: c'_q - 1."""
        return 0 if self.convolve_after is None else self.convolve_after.shape[1] - 1

    @property
    def halo(self) -> int:
        """How many earlier queries one output needs in all."""
        return self.halo_before + self.halo_after

    @property
    def mixes(self) -> bool:
        """Whether heads see one another."""
        return self.mix_before is not None or self.mix_after is not None

    def of_heads(self, first: int, last: int) -> Kernels:
        """The kernels of some heads only; where heads mix, these must be all of them."""
        before, after = self.convolve_before, self.convolve_after
        return self._replace(
            convolve_before=None if before is None else before[first:last],
            convolve_after=None if after is None else after[first:last],
        )

    def to(self, dtype: torch.dtype) -> Kernels:
        """The same in another dtype."""
        return self.replaced([None if kernel is None else kernel.to(dtype) for kernel in self[:4]])

    def replaced(self, kernels: Sequence[torch.Tensor | None]) -> Kernels:
        """Four others in the place of these, in the same order."""
        convolve_before, mix_before, convolve_after, mix_after = kernels
        return Kernels(convolve_before, mix_before, convolve_after, mix_after, self.key_padding, self.softmax_again)


def key_reach(kernel: torch.Tensor, padding: KeyPadding) -> tuple[int, int]:
    """How many keys before and after the current one a key-query kernel (…, c_k) reaches."""
    size = kernel.shape[-1]
    left = {"both": (size - 1) // 2, "left": size - 1, "right": 0}[padding]
    return left, size - 1 - left


@torch.no_grad()
def initialise_convolution(kernel: torch.Tensor, how: Initialisation, padding: KeyPadding = "both") -> None:
    """Fill a key-query kernel (H, c_q, c_k) in place, as the released code does (its "normal" means std 0.3)."""
    if _fill(kernel, how):
        return
    kernel.zero_()
    last, centre = kernel.shape[1] - 1, key_reach(kernel, padding)[0]
    for row in range(kernel.shape[1]):
        column = centre - (last - row)
        if row == last or (how == "diagonal" and column >= 0):
            kernel[:, row, column] = 1


@torch.no_grad()
def initialise_mixing(kernel: torch.Tensor, how: Initialisation) -> None:
    """Fill a head kernel (groups, c_h, c_h) in place; "identity" and "diagonal" are the same here."""
    if not _fill(kernel, how):
        kernel.copy_(torch.eye(kernel.shape[-1]).expand_as(kernel))


def _fill(kernel: torch.Tensor, how: Initialisation) -> bool:
    """Whether `how` takes no notice of a kernel's axes, and so is done."""
    if how == "zero":
        kernel.zero_()
    elif how == "constant":
        kernel.fill_(0.3)
    elif how == "uniform":
        kernel.uniform_(-1, 1)
    elif how == "normal":
        torch.nn.init.trunc_normal_(kernel, std=0.3, a=-0.9, b=0.9)
    else:
        return False
    return True
